//! `local down`.

use std::time::Instant;

use clap::Args;

use super::{Context, Exit, Failure, LOOK, PATIENCE, control, log_path, print_status, running};
use crate::report::Stage;

/// Stop the local environment.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  quilt-mcp-deploy local down --delete")]
pub struct Down {
    /// Remove its images, releases and logs as well
    #[arg(long)]
    delete: bool,
}

impl Down {
    pub(super) async fn run(self, context: &Context) -> Result<Exit, Failure> {
        let _lock = context.state.lock(crate::config::LOCAL)?;
        if let Some(description) = running(context)? {
            let stage = context.stage(Stage::Local);
            control(&description, reqwest::Method::POST, "stop", None).await?;
            wait_until_gone(context).await?;
            stage.finish("stopped");
        }
        if self.delete {
            let folder = context.state.local();
            match std::fs::remove_dir_all(&folder) {
                Ok(()) => {}
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                Err(error) => {
                    return Err(Failure::new(
                        Exit::Internal,
                        format!("cannot remove {}: {error}", folder.display()),
                    ));
                }
            }
        }
        print_status(context)
    }
}

/// It is gone once its process no longer holds the lock of the state folder.
async fn wait_until_gone(context: &Context) -> Result<(), Failure> {
    let began = Instant::now();
    let locked = || {
        quilt_mcp_local::is_locked(&context.state.local())
            .map_err(|error| Failure::new(Exit::Internal, error.to_string()))
    };
    while locked()? {
        if began.elapsed() > PATIENCE {
            return Err(Failure::new(
                Exit::Internal,
                "the local environment did not stop within a minute",
            )
            .hint(format!("its log is {}", log_path(context).display())));
        }
        tokio::time::sleep(LOOK).await;
    }
    Ok(())
}
