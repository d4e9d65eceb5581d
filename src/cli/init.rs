//! `init`: an environment into `quilt-mcp.toml`.

use std::fmt;
use std::io::{self, IsTerminal as _};
use std::path::PathBuf;

use clap::Args;
use schemars::JsonSchema;
use serde::Serialize;
use url::Url;

use super::{Common, Exit, Failure};
use crate::config::{Config, FILE_NAME};
use crate::init::service::{self, ServiceError, ServiceName};
use crate::init::terraform::{self, Outputs, TerraformError};
use crate::init::{AskError, Draft, File, FileError, Text, ask};
use crate::report::{Report, Surroundings};

/// Write an environment into quilt-mcp.toml.
///
/// It comes from Terraform's outputs, from a service that runs, or from answers. Everything else in
/// the file stays as it is, comments too. What is given as an option is taken instead of what was
/// found. At a terminal, and not in CI, what is still missing is asked for.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  quilt-mcp-deploy init\n  \
quilt-mcp-deploy init --env staging --from-terraform \\\n    --terraform-dir terraform/environments/staging\n  \
terraform output -json |\n    quilt-mcp-deploy init --env staging --from-terraform -\n  \
quilt-mcp-deploy init --env staging --region eu-west-1 \\\n    --from-service acme-staging/acme-staging-mcp-server")]
pub struct InitArgs {
    /// Take the output `quilt_mcp_environment` of `terraform output -json`: of this file, of standard
    /// input (-), or of Terraform itself, run in --terraform-dir
    #[arg(long, value_name = "FILE", num_args = 0..=1, conflicts_with = "from_service")]
    from_terraform: Option<Option<PathBuf>>,
    /// The folder that Terraform was applied in
    #[arg(long, value_name = "DIR", requires = "from_terraform")]
    terraform_dir: Option<PathBuf>,
    /// Look at a service that is there: CLUSTER/SERVICE, or its ARN
    #[arg(long, value_name = "CLUSTER/SERVICE")]
    from_service: Option<ServiceName>,
    /// The 12-digit AWS account
    #[arg(long, value_name = "ID")]
    account_id: Option<String>,
    /// The ECR repository's name, without registry and tag
    #[arg(long, value_name = "NAME")]
    repository: Option<String>,
    /// The ECS cluster
    #[arg(long, value_name = "NAME")]
    cluster: Option<String>,
    /// The ECS service
    #[arg(long, value_name = "NAME")]
    service: Option<String>,
    /// The container that runs the server
    #[arg(long, value_name = "NAME")]
    container: Option<String>,
    /// The URL of the MCP endpoint
    #[arg(long)]
    url: Option<Url>,
    /// Change an environment that the file has already; keys that were not found or given stay
    #[arg(long)]
    force: bool,
    /// Show what would be written, and write nothing
    #[arg(long)]
    dry_run: bool,
}

/// What `init` prints.
#[derive(Debug, Serialize, JsonSchema)]
pub struct InitResult {
    /// The version of this object.
    version: u32,
    /// The environment.
    environment: String,
    /// The file that has it.
    file: PathBuf,
    /// Whether it was written; not with --dry-run.
    written: bool,
    /// Whether the file is new.
    created: bool,
    /// The environment as it stands in the file (TOML).
    table: String,
    /// Whether commands without --env go to it from now on: it is the new file's `default_environment`.
    is_default: bool,
    /// What should be looked at, because it was supposed rather than known.
    guesses: Vec<Guess>,
    /// The command to go on with.
    next: String,
}

/// A key that was supposed rather than known.
#[derive(Debug, Serialize, JsonSchema)]
struct Guess {
    /// The key.
    key: String,
    /// Its value.
    value: String,
    /// What it was guessed from.
    because: String,
}

impl InitArgs {
    /// Finds the environment and writes it.
    ///
    /// # Errors
    /// [`Failure`], and nothing is written.
    pub async fn run(self, common: &Common, report: &Report) -> Result<Exit, Failure> {
        let file = self.file(common)?;
        if let Some(name) = &common.env {
            Draft::sample().environment(name).map_err(FileError::from)?;
        }
        let mut draft = match (&common.env, self.force) {
            (Some(name), true) => file.environment(name)?,
            _ => Draft::default(),
        };
        draft.overlay(self.found(common).await?);
        draft.overlay(self.given(common));
        let (name, draft) = complete(common, draft).await?;
        draft.environment(&name).map_err(FileError::from)?;
        let text = file.with(&name, &draft, self.force)?;
        if !self.dry_run {
            file.write(&text)?;
        }
        report.print(&self.result(common, name, &file, text, &draft))?;
        Ok(Exit::Done)
    }

    fn file(&self, common: &Common) -> Result<File, Failure> {
        let folder = std::env::current_dir().map_err(|error| {
            Failure::new(
                Exit::Internal,
                format!("the working folder cannot be read: {error}"),
            )
        })?;
        let path = match Config::find(common.config.as_deref(), &folder) {
            Some(path) => path.strip_prefix(&folder).unwrap_or(&path).to_owned(),
            None => PathBuf::from(FILE_NAME),
        };
        Ok(File::open(path)?)
    }

    async fn found(&self, common: &Common) -> Result<Draft, Failure> {
        if let Some(file) = &self.from_terraform {
            let outputs = match (file, &self.terraform_dir) {
                (Some(file), None) if file.as_os_str() == "-" => Outputs::Stdin,
                (Some(file), None) => Outputs::File(file.clone()),
                (None, folder) => Outputs::Folder(folder.clone().unwrap_or_else(|| ".".into())),
                (Some(_), Some(_)) => {
                    return Err(Failure::new(
                        Exit::Usage,
                        "--from-terraform with a file and --terraform-dir say two different things",
                    )
                    .hint("give the file, or the folder that `terraform output` is run in"));
                }
            };
            return Ok(terraform::draft(&outputs)?);
        }
        if let Some(name) = &self.from_service {
            let (region, profile) = (common.region.as_deref(), common.profile.as_deref());
            let seen = service::look(name, region, profile, common.endpoint_url.as_ref()).await?;
            return Ok(service::draft(&seen, self.container.as_deref())?);
        }
        Ok(Draft::default())
    }

    /// What the command line says itself.
    fn given(&self, common: &Common) -> Draft {
        let mut draft = Draft::default();
        for (key, value) in [
            ("account_id", self.account_id.as_deref()),
            ("region", common.region.as_deref()),
            ("profile", common.profile.as_deref()),
            (
                "endpoint_url",
                common.endpoint_url.as_ref().map(Url::as_str),
            ),
            ("repository", self.repository.as_deref()),
            ("cluster", self.cluster.as_deref()),
            ("service", self.service.as_deref()),
            ("container", self.container.as_deref()),
            ("url", self.url.as_ref().map(Url::as_str)),
        ] {
            if let Some(value) = value {
                draft.set(key, value);
            }
        }
        draft
    }

    fn result(
        &self,
        common: &Common,
        name: String,
        file: &File,
        text: Text,
        draft: &Draft,
    ) -> InitResult {
        let config = match &common.config {
            Some(path) => format!(" --config {}", path.display()),
            None => String::new(),
        };
        InitResult {
            version: 1,
            next: format!("quilt-mcp-deploy verify --env {name}{config}"),
            environment: name,
            file: file.path().to_owned(),
            written: !self.dry_run,
            created: !file.exists(),
            table: text.table,
            is_default: text.is_default,
            guesses: draft
                .entries()
                .iter()
                .filter_map(|entry| {
                    Some(Guess {
                        key: entry.key.clone(),
                        value: entry.value.as_str().unwrap_or_default().to_owned(),
                        because: entry.guess.clone()?,
                    })
                })
                .collect(),
        }
    }
}

/// Asks for what is missing where somebody can answer, else says what to give.
async fn complete(common: &Common, mut draft: Draft) -> Result<(String, Draft), Failure> {
    let missing = draft.missing();
    if let (Some(name), true) = (&common.env, missing.is_empty()) {
        return Ok((name.clone(), draft));
    }
    let surroundings = Surroundings::find(common.color);
    if surroundings.live && std::io::stdin().is_terminal() {
        let name = common.env.clone();
        // On a thread of its own: a signal ends the program whether or not somebody answers.
        let (answer, answered) = tokio::sync::oneshot::channel();
        std::thread::spawn(move || {
            let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
            let asked = ask(name, &mut draft, surroundings.style.color, &variable);
            // Nobody waits for it where a signal came first.
            let _ = answer.send(asked.map(|name| (name, draft)));
        });
        return match answered.await {
            Ok(asked) => Ok(asked?),
            Err(_) => Err(Failure::new(Exit::Internal, "the questions broke off")),
        };
    }
    let name = common.env.is_none().then_some("env");
    let options: Vec<String> = name
        .into_iter()
        .chain(missing)
        .map(|key| format!("--{}", key.replace('_', "-")))
        .collect();
    Err(Failure::new(
        Exit::Usage,
        format!("not known and nobody to ask: {}", options.join(", ")),
    )
    .hint("give these options, or let --from-terraform or --from-service find what they can; at a terminal, and not in CI, `init` asks"))
}

impl From<FileError> for Failure {
    fn from(error: FileError) -> Self {
        match error {
            FileError::Refused(error) => (*error).into(),
            error => {
                let hint = match &error {
                    FileError::Exists { .. } => {
                        "nothing was written; --force changes the keys that were found or given, and leaves the others"
                    }
                    _ => "nothing was written",
                };
                Self::new(Exit::Usage, error.to_string()).hint(hint)
            }
        }
    }
}

impl From<TerraformError> for Failure {
    fn from(error: TerraformError) -> Self {
        Self::new(Exit::Usage, error.to_string()).hint(error.hint())
    }
}

impl From<ServiceError> for Failure {
    fn from(error: ServiceError) -> Self {
        let hint = error.hint();
        let failure = match error {
            ServiceError::Aws(aws) => return Self::aws(Exit::Preflight, &aws),
            ServiceError::Region(error) => return (*error).into(),
            ServiceError::Absent { .. } => Self::new(Exit::Preflight, error.to_string()),
            _ => Self::new(Exit::Usage, error.to_string()),
        };
        match hint {
            Some(hint) => failure.hint(hint),
            None => failure,
        }
    }
}

impl From<AskError> for Failure {
    fn from(error: AskError) -> Self {
        let AskError::NoAnswer(source) = &error;
        let exit = match source.kind() {
            // Ctrl-C, which the terminal gives to whoever reads keys.
            io::ErrorKind::Interrupted => Exit::Interrupted,
            _ => Exit::Usage,
        };
        Self::new(exit, error.to_string()).hint("nothing was written")
    }
}

impl fmt::Display for InitResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, file) = (&self.environment, self.file.display());
        match self.written {
            true => writeln!(f, "{name} is in {file} now:")?,
            false => writeln!(f, "{name} would be written to {file}:")?,
        }
        writeln!(f, "\n{}\n", self.table)?;
        if self.is_default {
            let go = if self.written { "go" } else { "would go" };
            writeln!(
                f,
                "commands without --env {go} to it (default_environment); --env local is the local environment\n"
            )?;
        }
        for guess in &self.guesses {
            writeln!(
                f,
                "please check {} = {:?}: a guess from {}",
                guess.key, guess.value, guess.because
            )?;
        }
        write!(f, "next: {}", self.next)
    }
}
