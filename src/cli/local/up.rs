//! `local up`.

use std::fs::File;
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use clap::Args;

use super::serve::{Runtime, Serve, current_program};
use super::{Context, Exit, Failure, LOOK, PATIENCE, log_path, print_status, running};
use crate::report::Stage;

/// Start the local environment, if it is not up.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  quilt-mcp-deploy local up --port 0\n  \
endpoint=$(\n    quilt-mcp-deploy local status --output json | jq -r .endpoint_url\n  )\n  \
aws --endpoint-url $endpoint ecs list-services --cluster quilt-local")]
pub struct Up {
    #[command(flatten)]
    how: Serve,
}

impl Up {
    pub(super) async fn run(self, context: &Context) -> Result<Exit, Failure> {
        start(context, &self.how).await?;
        print_status(context)
    }
}

/// Starts the local environment if it is not up; answers how long that took.
pub async fn ensure_up(context: &Context) -> Result<Option<Duration>, Failure> {
    start(context, &Serve::default_from_environment()?).await
}

async fn start(context: &Context, how: &Serve) -> Result<Option<Duration>, Failure> {
    if running(context)?.is_some() {
        return Ok(None);
    }
    let stage = context.stage(Stage::Local);
    let mut child = spawn(context, how)?;
    let began = Instant::now();
    loop {
        if let Some(description) = running(context)? {
            return Ok(Some(
                stage.finish(format!("up: {}", description.load_balancer_url)),
            ));
        }
        let exited = child.try_wait().map_err(|error| {
            Failure::new(
                Exit::Internal,
                format!("the local environment cannot be watched: {error}"),
            )
        })?;
        if exited.is_some() {
            return Err(Failure::new(
                Exit::Preflight,
                format!(
                    "the local environment did not start: {}",
                    last_error(context)
                ),
            )
            .hint(format!("its log is {}", log_path(context).display())));
        }
        if began.elapsed() > PATIENCE {
            // Only the child that was just started here is ended.
            let _ = child.kill();
            return Err(Failure::new(
                Exit::Preflight,
                "the local environment did not start within a minute",
            )
            .hint(format!("its log is {}", log_path(context).display())));
        }
        tokio::time::sleep(LOOK).await;
    }
}

fn spawn(context: &Context, how: &Serve) -> Result<Child, Failure> {
    let folder = context.state.local();
    let cannot = |error: std::io::Error| {
        Failure::state_folder(format!("cannot write {}: {error}", folder.display()))
    };
    std::fs::create_dir_all(&folder).map_err(cannot)?;
    let mut log = File::create(log_path(context)).map_err(cannot)?;
    // A full disk is found here, where it can still be told.
    writeln!(log, "local environment {}", env!("CARGO_PKG_VERSION")).map_err(cannot)?;
    let runtime = match how.runtime {
        Runtime::Process => "process",
        Runtime::Docker => "docker",
    };
    Command::new(current_program()?)
        .args([
            "local",
            "serve",
            "--port",
            &how.port.to_string(),
            "--runtime",
            runtime,
        ])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log)
        // Ctrl-C in this terminal is for the command, not for the environment.
        .process_group(0)
        .spawn()
        .map_err(|error| {
            Failure::new(
                Exit::Internal,
                format!("the local environment cannot be started: {error}"),
            )
        })
}

/// What the environment said last before it ended.
fn last_error(context: &Context) -> String {
    let log = std::fs::read_to_string(log_path(context)).unwrap_or_default();
    let last = log
        .lines()
        .rev()
        .find_map(|line| line.strip_prefix("error: "));
    last.or(log.lines().last())
        .unwrap_or("it said nothing")
        .to_owned()
}
