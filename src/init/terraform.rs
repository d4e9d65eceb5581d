//! What Terraform made, as its output `quilt_mcp_environment` tells it.

use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde::Deserialize;
use serde_json::{Map, Value as Json};
use toml_edit::{Array, InlineTable, Value};

use super::Draft;

/// The output that has the keys of an environment of `quilt-mcp.toml`.
pub const OUTPUT: &str = "quilt_mcp_environment";
const PROGRAM: &str = "terraform";

/// Where the outputs come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outputs {
    /// `terraform output -json`, run in this folder.
    Folder(PathBuf),
    /// A file that holds what that printed.
    File(PathBuf),
    /// The same on standard input.
    Stdin,
}

/// Why Terraform's outputs gave no environment.
#[derive(Debug, thiserror::Error)]
pub enum TerraformError {
    /// They cannot be read.
    #[error("cannot read {from}: {source}")]
    Unreadable {
        /// The file, or standard input.
        from: String,
        /// Why.
        source: io::Error,
    },
    /// Terraform cannot be started.
    #[error("cannot start {PROGRAM} in {}: {source}", folder.display())]
    NotStarted {
        /// The folder.
        folder: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Terraform failed.
    #[error("`{PROGRAM} output -json` failed in {}: {said}", folder.display())]
    Failed {
        /// The folder.
        folder: PathBuf,
        /// Its own words.
        said: String,
    },
    /// They are not what `terraform output -json` prints.
    #[error("{from} is not what `{PROGRAM} output -json` prints: {source}")]
    NotOutputs {
        /// Where they are from.
        from: String,
        /// Why.
        source: serde_json::Error,
    },
    /// Ours is not among them.
    #[error("{from} has no output `{OUTPUT}`; {}", others(known))]
    Absent {
        /// Where they are from.
        from: String,
        /// The outputs that there are.
        known: Vec<String>,
    },
    /// Ours is no environment.
    #[error(
        "the output `{OUTPUT}` of {from} is not an object with the keys of an environment: {found}"
    )]
    NotAnEnvironment {
        /// Where they are from.
        from: String,
        /// What it has instead.
        found: String,
    },
}

fn others(known: &[String]) -> String {
    match known {
        [] => "it has none at all, as before the first `terraform apply`".to_owned(),
        known => format!("it has {}", known.join(", ")),
    }
}

impl TerraformError {
    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Unreadable { .. } => {
                "--from-terraform takes a file that `terraform output -json` was written to, or - for standard input; --terraform-dir takes a folder"
            }
            Self::NotStarted { .. } => {
                "install Terraform, or give its outputs: `tofu output -json | quilt-mcp-deploy init --from-terraform -`"
            }
            Self::Failed { .. } => {
                "run `terraform init` there, and sign in to where its state is kept"
            }
            Self::NotOutputs { .. } => {
                "`terraform output -json`, without a name, prints all outputs"
            }
            Self::Absent { known, .. } if known.is_empty() => {
                "name the folder that Terraform was applied in with --terraform-dir, such as terraform/environments/staging"
            }
            Self::Absent { .. } => {
                "add `output \"quilt_mcp_environment\" { value = module.mcp_server.quilt_mcp_environment }` and apply; docs/terraform.md has more"
            }
            Self::NotAnEnvironment { .. } => {
                "pass the module's output on as it is: `value = module.mcp_server.quilt_mcp_environment`"
            }
        }
    }
}

/// An output as `terraform output -json` prints it
/// (<https://developer.hashicorp.com/terraform/cli/commands/output>).
#[derive(Deserialize)]
struct Output {
    value: Json,
}

/// Reads the environment from Terraform's outputs.
///
/// # Errors
/// [`TerraformError`].
pub fn draft(outputs: &Outputs) -> Result<Draft, TerraformError> {
    let (text, from) = read(outputs)?;
    parse(&text, from)
}

fn read(outputs: &Outputs) -> Result<(String, String), TerraformError> {
    match outputs {
        Outputs::Folder(folder) => {
            let from = folder.display().to_string();
            match std::fs::read_dir(folder) {
                Ok(_) => Ok((run(folder)?, from)),
                Err(source) => Err(TerraformError::Unreadable { from, source }),
            }
        }
        Outputs::File(path) => {
            let from = path.display().to_string();
            match std::fs::read_to_string(path) {
                Ok(text) => Ok((text, from)),
                Err(source) => Err(TerraformError::Unreadable { from, source }),
            }
        }
        Outputs::Stdin => {
            let from = "standard input".to_owned();
            let mut text = String::new();
            match io::stdin().read_to_string(&mut text) {
                Ok(_) => Ok((text, from)),
                Err(source) => Err(TerraformError::Unreadable { from, source }),
            }
        }
    }
}

fn run(folder: &Path) -> Result<String, TerraformError> {
    let output = Command::new(PROGRAM)
        .args(["output", "-json", "-no-color"])
        .current_dir(folder)
        .env("CHECKPOINT_DISABLE", "1")
        .stdin(Stdio::null())
        .output()
        .map_err(|source| TerraformError::NotStarted {
            folder: folder.to_owned(),
            source,
        })?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    // Terraform draws a box around its errors.
    let words = said
        .split_whitespace()
        .filter(|word| !word.chars().all(|letter| matches!(letter, '│' | '╷' | '╵')));
    Err(TerraformError::Failed {
        folder: folder.to_owned(),
        said: words.collect::<Vec<_>>().join(" "),
    })
}

/// Reads what `terraform output -json` printed; `from` says where it is from.
///
/// # Errors
/// [`TerraformError`] when it is something else, or lacks the environment.
pub fn parse(text: &str, from: String) -> Result<Draft, TerraformError> {
    let mut outputs: Map<String, Json> = match serde_json::from_str(text) {
        Ok(outputs) => outputs,
        Err(source) => return Err(TerraformError::NotOutputs { from, source }),
    };
    let Some(output) = outputs.remove(OUTPUT) else {
        let known = outputs.into_iter().map(|(name, _)| name).collect();
        return Err(TerraformError::Absent { from, known });
    };
    let value = match serde_json::from_value::<Output>(output) {
        Ok(output) => output.value,
        Err(source) => return Err(TerraformError::NotOutputs { from, source }),
    };
    let Json::Object(keys) = value else {
        let found = format!("it is {}", kind(&value));
        return Err(TerraformError::NotAnEnvironment { from, found });
    };
    let mut draft = Draft::default();
    for (key, value) in &keys {
        if !Draft::takes(key) {
            let found = format!("an environment has no key {key}, as far as this version knows");
            return Err(TerraformError::NotAnEnvironment { from, found });
        }
        match toml(value) {
            Some(value) => draft.set(key, value),
            // Terraform has null for what is not set.
            None if value.is_null() => {}
            None => {
                let found =
                    format!("its key {key} has something else than text, numbers and lists");
                return Err(TerraformError::NotAnEnvironment { from, found });
            }
        }
    }
    Ok(draft)
}

fn kind(value: &Json) -> &'static str {
    match value {
        Json::Null => "null",
        Json::Bool(_) => "true or false",
        Json::Number(_) => "a number",
        Json::String(_) => "text",
        Json::Array(_) => "a list",
        Json::Object(_) => "an object",
    }
}

fn toml(value: &Json) -> Option<Value> {
    Some(match value {
        Json::Null => return None,
        Json::Bool(value) => (*value).into(),
        Json::Number(number) => match number.as_i64() {
            Some(whole) => whole.into(),
            None => number.as_f64()?.into(),
        },
        Json::String(text) => text.into(),
        Json::Array(values) => {
            let values: Option<Array> = values.iter().map(toml).collect();
            values?.into()
        }
        Json::Object(members) => {
            let mut table = InlineTable::new();
            for (key, value) in members {
                table.insert(key, toml(value)?);
            }
            table.into()
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn of(value: Json) -> Result<Draft, TerraformError> {
        parse(&value.to_string(), "outputs.json".to_owned())
    }

    #[test]
    fn the_modules_output_is_an_environment() {
        let draft = of(json!({
            "release_role_arn": {"sensitive": false, "type": "string", "value": "arn:aws:iam::1:role/r"},
            OUTPUT: {"sensitive": false, "type": ["object", {}], "value": {
                "account_id": "111111111111", "cluster": "acme", "container": "mcp-server",
                "cors_origins": ["https://catalog.acme.example"], "desired_count": 2,
                "profile": null, "region": "eu-west-1", "repository": "quilt/acme/mcp-server",
                "service": "acme-mcp-server", "url": "https://mcp.acme.example/mcp/",
                "tags": {"Owner": "data"},
            }},
        }))
        .unwrap();
        let environment = draft.environment("staging").unwrap();
        assert_eq!(environment.account_id, "111111111111");
        assert_eq!(environment.cors_origins, ["https://catalog.acme.example"]);
        assert_eq!(environment.desired_count, 2);
        assert_eq!(environment.profile, None);
        assert_eq!(environment.tags["Owner"], "data");
    }

    #[test]
    fn anything_else_is_told_apart() {
        for (value, says) in [
            (json!({}), "has none at all"),
            (json!({"url": {"value": "x"}}), "it has url"),
            (json!([1]), "is not what"),
            (
                json!({OUTPUT: {"account_id": "1"}}),
                "missing field `value`",
            ),
            (json!({OUTPUT: {"value": "acme"}}), "it is text"),
            (
                json!({OUTPUT: {"value": {"clutser": "a"}}}),
                "no key clutser",
            ),
            (
                json!({OUTPUT: {"value": {"cors_origins": [null]}}}),
                "its key cors_origins",
            ),
        ] {
            let error = of(value).unwrap_err();
            assert!(error.to_string().contains(says), "{error}");
            assert!(error.to_string().contains("outputs.json"));
        }
    }
}
