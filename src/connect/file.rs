//! A client's settings, with one server more: comments, order and everything else stay.

use std::io;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use jsonc_parser::ParseOptions;
use jsonc_parser::cst::{CstInputValue, CstObject, CstRootNode};
use serde_json::Value;

use super::{Client, ConnectError, Server};
use crate::files::replace_file;

/// A file that a client reads; it may not be there yet.
#[derive(Debug)]
pub struct SettingsFile {
    path: PathBuf,
    text: Option<String>,
}

/// What became of the file.
#[derive(Debug, PartialEq, Eq)]
pub enum Merged {
    /// It had the very server.
    Unchanged,
    /// It has it now.
    Written {
        /// A copy of the file as it was before, if it was there.
        backup: Option<PathBuf>,
    },
}

impl SettingsFile {
    /// Reads it; that it is not there is fine.
    ///
    /// # Errors
    /// [`ConnectError::File`] when it cannot be read.
    pub fn open(path: PathBuf) -> Result<Self, ConnectError> {
        match std::fs::read_to_string(&path) {
            Ok(text) => Ok(Self {
                text: Some(text),
                path,
            }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Self { path, text: None }),
            Err(source) => Err(ConnectError::File {
                doing: "read",
                path,
                source,
            }),
        }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Adds the server and writes the file, with a copy beside it of what it was. Another server of
    /// the same name is replaced only where `force` is set.
    ///
    /// # Errors
    /// [`ConnectError`], and the file is as it was.
    pub fn add(
        &self,
        client: Client,
        server: &Server,
        force: bool,
    ) -> Result<Merged, ConnectError> {
        let Some(text) = self.with(client, server, force)? else {
            return Ok(Merged::Unchanged);
        };
        let backup = match &self.text {
            Some(_) => Some(self.back_up()?),
            None => None,
        };
        let written = match self.path.parent() {
            Some(folder) => std::fs::create_dir_all(folder),
            None => Ok(()),
        };
        match written.and_then(|()| replace_file(&self.path, &text)) {
            Ok(()) => Ok(Merged::Written { backup }),
            Err(source) => Err(self.failed("write", source)),
        }
    }

    /// The text with the server in it; `None` where it is in it already.
    fn with(
        &self,
        client: Client,
        server: &Server,
        force: bool,
    ) -> Result<Option<String>, ConnectError> {
        let text = match self.text.as_deref() {
            Some(text) if !text.trim().is_empty() => text,
            _ => return Ok(Some(format!("{:#}\n", server.settings(client)))),
        };
        let key = client.servers_key();
        let wrong = |why: String| ConnectError::NotSettings {
            path: self.path.clone(),
            key,
            why,
        };
        let root =
            CstRootNode::parse(text, &options()).map_err(|error| wrong(error.to_string()))?;
        let settings = root
            .object_value_or_create()
            .ok_or_else(|| wrong("it is not an object".to_owned()))?;
        let servers = settings
            .object_value_or_create(key)
            .ok_or_else(|| wrong(format!("its key {key} is not an object")))?;
        let entry = server.entry(client);
        match servers.get(&server.name) {
            None => drop(servers.append(&server.name, input(&entry))),
            Some(known) => {
                let same =
                    known.value().and_then(|value| value.to_serde_value()) == Some(entry.clone());
                if same && has_inputs(&settings, server, client) {
                    return Ok(None);
                }
                if !same && !force {
                    return Err(ConnectError::Taken {
                        path: self.path.clone(),
                        name: server.name.clone(),
                    });
                }
                known.set_value(input(&entry));
            }
        }
        add_inputs(&settings, server, client).map_err(wrong)?;
        Ok(Some(root.to_string()))
    }

    fn back_up(&self) -> Result<PathBuf, ConnectError> {
        let now = Timestamp::now().strftime("%Y%m%dT%H%M%S%.3fZ");
        let mut name = self.path.clone().into_os_string();
        name.push(format!(".{now}.bak"));
        let backup = PathBuf::from(name);
        std::fs::copy(&self.path, &backup).map_err(|source| self.failed("back up", source))?;
        Ok(backup)
    }

    fn failed(&self, doing: &'static str, source: io::Error) -> ConnectError {
        ConnectError::File {
            doing,
            path: self.path.clone(),
            source,
        }
    }
}

/// JSON with comments, as VS Code has it, and nothing looser.
fn options() -> ParseOptions {
    ParseOptions {
        allow_comments: true,
        allow_trailing_commas: true,
        allow_loose_object_property_names: false,
        allow_missing_commas: false,
        allow_single_quoted_strings: false,
        allow_hexadecimal_numbers: false,
        allow_unary_plus_numbers: false,
        allow_bare_decimal_point_numbers: false,
        allow_non_finite_numbers: false,
        allow_extended_string_escapes: false,
    }
}

fn known_inputs(settings: &CstObject) -> Vec<Value> {
    settings
        .array_value("inputs")
        .map(|inputs| inputs.elements())
        .unwrap_or_default()
        .iter()
        .filter_map(|input| input.to_serde_value())
        .collect()
}

fn has_inputs(settings: &CstObject, server: &Server, client: Client) -> bool {
    let known = known_inputs(settings);
    let is_known = |input: &Value| known.iter().any(|known| known["id"] == input["id"]);
    server.inputs(client).iter().all(is_known)
}

/// Adds what the client is to ask for; a question with the same id is the user's own and stays.
fn add_inputs(settings: &CstObject, server: &Server, client: Client) -> Result<(), String> {
    let known = known_inputs(settings);
    for question in server.inputs(client) {
        if known.iter().any(|known| known["id"] == question["id"]) {
            continue;
        }
        settings
            .array_value_or_create("inputs")
            .ok_or("its key inputs is not a list")?
            .append(input(&question));
    }
    Ok(())
}

fn input(value: &Value) -> CstInputValue {
    match value {
        Value::Null => CstInputValue::Null,
        Value::Bool(value) => CstInputValue::Bool(*value),
        Value::Number(number) => CstInputValue::Number(number.to_string()),
        Value::String(text) => CstInputValue::String(text.clone()),
        Value::Array(values) => CstInputValue::Array(values.iter().map(input).collect()),
        Value::Object(members) => CstInputValue::Object(
            members
                .iter()
                .map(|(key, value)| (key.clone(), input(value)))
                .collect(),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::{Map, json};

    fn server(name: &str) -> Server {
        Server {
            name: name.to_owned(),
            url: "https://mcp.acme.example/mcp/".parse().unwrap(),
            token: None,
        }
    }

    fn file(text: &str) -> SettingsFile {
        SettingsFile {
            path: "mcp.json".into(),
            text: Some(text.to_owned()),
        }
    }

    #[test]
    fn comments_and_order_stay() {
        let ours = "{\n  // what we use\n  \"servers\": {\n    \"zoo\": { \"url\": \"https://zoo.example\" }, // animals\n  },\n  \"other\": [1, 2],\n}\n";
        let text = file(ours)
            .with(Client::Vscode, &server("quilt"), false)
            .unwrap()
            .unwrap();
        for kept in [
            "  // what we use\n",
            "    \"zoo\": { \"url\": \"https://zoo.example\" }, // animals\n",
            "  \"other\": [1, 2],\n",
        ] {
            assert!(text.contains(kept), "{kept}\n{text}");
        }
        assert!(text.contains("\"id\": \"quilt-token\""), "{text}");
        let again = file(&text).with(Client::Vscode, &server("quilt"), false);
        assert_eq!(again.unwrap(), None, "it is there");
    }

    #[test]
    fn another_server_of_the_name_is_kept_unless_it_is_forced() {
        let ours = r#"{"mcpServers": {"quilt": {"command": "mine"}}}"#;
        let taken = file(ours).with(Client::Cursor, &server("quilt"), false);
        assert!(
            matches!(taken, Err(ConnectError::Taken { .. })),
            "{taken:?}"
        );
        let forced = file(ours)
            .with(Client::Cursor, &server("quilt"), true)
            .unwrap()
            .unwrap();
        assert!(!forced.contains("mine"));
        let beside = file(ours)
            .with(Client::Cursor, &server("other"), false)
            .unwrap()
            .unwrap();
        assert!(beside.contains("mine") && beside.contains("other"));
    }

    #[test]
    fn what_is_not_settings_is_refused() {
        for (text, says) in [
            ("[]", "not an object"),
            ("{\"mcpServers\": []}", "mcpServers is not an object"),
            ("{\"mcpServers\": {}", "Unterminated"),
            ("{mcpServers: {}}", ""),
            ("hello", ""),
        ] {
            let error = file(text)
                .with(Client::Cursor, &server("quilt"), false)
                .unwrap_err();
            assert!(matches!(error, ConnectError::NotSettings { .. }), "{text}");
            assert!(error.to_string().contains(says), "{error}");
        }
        let inputs = file("{\"inputs\": {}}").with(Client::Vscode, &server("quilt"), false);
        assert!(inputs.unwrap_err().to_string().contains("not a list"));
    }

    fn json_value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i32>().prop_map(Value::from),
            "\\PC{0,12}".prop_map(Value::from),
        ];
        leaf.prop_recursive(3, 24, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::vec(("\\PC{0,8}", inner), 0..4)
                    .prop_map(|members| members.into_iter().collect::<Map<_, _>>().into()),
            ]
        })
    }

    proptest! {
        /// Whatever else is in the settings is in them afterwards, and the server too.
        #[test]
        fn nothing_is_lost(
            members in prop::collection::vec(("[a-z]{1,6}", json_value()), 0..5),
            servers in prop::collection::vec(("[a-z]{1,6}", json_value()), 0..4),
            pretty in any::<bool>(),
        ) {
            let mut before: Map<String, Value> = members.into_iter().collect();
            before.remove("inputs");
            let servers: Map<String, Value> = servers.into_iter().collect();
            before.insert("mcpServers".to_owned(), servers.into());
            let before = Value::Object(before);
            let text = if pretty { format!("{before:#}") } else { before.to_string() };
            let ours = server("our-quilt");
            let text = file(&text).with(Client::Cursor, &ours, false).unwrap().unwrap();
            let after: Value = serde_json::from_str(&text).unwrap();
            let mut expected = before;
            expected["mcpServers"]["our-quilt"] = json!(ours.entry(Client::Cursor));
            prop_assert_eq!(after, expected);
        }
    }
}
