//! Why the Docker builder made no image, and what to do.

use std::path::PathBuf;
use std::time::Duration;

use bollard::errors::Error as EngineError;

use crate::aws::root_causes;
use crate::image::assemble::AssembleError;
use crate::image::elf::StaticBinaryError;
use crate::image::layout::LayoutError;
use crate::image::model::Platform;
use crate::image::source::SourceError;

/// Why the Docker builder made no image.
#[derive(Debug, thiserror::Error)]
pub enum DockerBuildError {
    /// No engine answers.
    #[error(
        "no Docker engine answers at {host}: {reason}; start one or set DOCKER_HOST, or build with `--builder native` on linux/amd64"
    )]
    NoEngine {
        /// Where it was looked for.
        host: String,
        /// What went wrong.
        reason: String,
    },
    /// TLS is asked for, and a file for it cannot be used.
    #[error(
        "TLS to the Docker engine at {host} needs {}, which cannot be used: {reason}; DOCKER_CERT_PATH names the folder of ca.pem (the engine's CA), cert.pem and key.pem (yours)",
        file.display()
    )]
    Certificate {
        /// The engine.
        host: String,
        /// The file.
        file: PathBuf,
        /// Why.
        reason: String,
    },
    /// The engine and we do not trust each other, or one of us speaks no TLS.
    #[error("no TLS with the Docker engine at {host}: {reason}; {advice}")]
    Tls {
        /// The engine.
        host: String,
        /// What went wrong.
        reason: String,
        /// What to do.
        advice: String,
    },
    /// The engine is older than what we can speak to.
    #[error(
        "the engine at {host} speaks API {found}; {oldest} or newer is needed (Docker 20.10, Podman 4)"
    )]
    TooOld {
        /// Where it is.
        host: String,
        /// What it speaks.
        found: String,
        /// What is needed.
        oldest: &'static str,
    },
    /// The engine refused a request, or the connection to it broke.
    #[error("the engine at {host} failed while {operation}: {reason}")]
    Engine {
        /// Where it is.
        host: String,
        /// What was asked of it.
        operation: &'static str,
        /// What it said, or what went wrong.
        reason: String,
    },
    /// The engine said nothing for too long.
    #[error(
        "the engine at {host} said nothing for {} seconds while {operation}: look whether it still works (`docker info`), then run the same command again",
        silence.as_secs()
    )]
    Silent {
        /// Where it is.
        host: String,
        /// What was asked of it.
        operation: String,
        /// How long we waited.
        silence: Duration,
    },
    /// A step of the Dockerfile failed.
    #[error(
        "{dockerfile} failed at {step}: {reason}{}{}",
        appended(advice.as_ref()),
        indented(output)
    )]
    Step {
        /// The Dockerfile.
        dockerfile: &'static str,
        /// The step, as the engine counts and names it.
        step: String,
        /// What the engine said.
        reason: String,
        /// What to do, where that is known.
        advice: Option<String>,
        /// The last lines that the step wrote.
        output: Vec<String>,
    },
    /// The stream ended well, but named no image.
    #[error(
        "the engine at {host} ended the build after {step} without naming an image: look into its log, then run the same command again"
    )]
    NoImage {
        /// Where it is.
        host: String,
        /// The last step.
        step: String,
    },
    /// The engine built for another platform than it was asked for.
    #[error(
        "the engine built for {found} although it was asked for {}: base images that were pulled for another platform stay in use, so remove them (`docker image rm`) or pull them with `--platform linux/amd64`",
        Platform::TARGET
    )]
    Platform {
        /// What it built for.
        found: String,
    },
    /// A file of the context cannot be read.
    #[error("the build context cannot be read ({path}): {reason}")]
    Context {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// What the engine exported is not an image as it should be.
    #[error("the image that the engine exported cannot be used: {0}")]
    Export(String),
    /// The program would not start in an image that holds nothing else.
    #[error("the image's program {program} would not run in it: {reason}")]
    NotStatic {
        /// The program.
        program: String,
        /// Why.
        reason: StaticBinaryError,
    },
    /// The checkout does not say what it holds.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The image could not be put together.
    #[error(transparent)]
    Assemble(#[from] AssembleError),
    /// The image could not be written.
    #[error(transparent)]
    Layout(#[from] LayoutError),
}

/// What an engine's error says, with its causes.
pub fn reason(error: &EngineError) -> String {
    match error {
        EngineError::DockerResponseServerError {
            status_code,
            message,
        } => format!("HTTP {status_code}: {}", message.trim()),
        EngineError::DockerStreamError { error } => error.trim().to_owned(),
        EngineError::RequestTimeoutError => "no answer in time".to_owned(),
        error => root_causes(error),
    }
}

fn appended(advice: Option<&String>) -> String {
    advice
        .map(|advice| format!("; {advice}"))
        .unwrap_or_default()
}

fn indented(lines: &[String]) -> String {
    lines.iter().map(|line| format!("\n    {line}")).collect()
}
