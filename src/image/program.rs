//! Work that blocks: asking another program a question, or reading and writing a whole image.

use std::io::ErrorKind;
use std::process::Command;

/// Does `work` where it may block; a panic of it goes on here.
pub async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(panic) => std::panic::resume_unwind(panic.into_panic()),
    }
}

/// Why a program gave no answer.
#[derive(Debug)]
pub enum NoAnswer {
    /// There is no such program on the PATH.
    Missing,
    /// It could not be started, or ended with an error: what it or the system said.
    Failed(String),
}

/// Runs `command` to its end and gives what it wrote on its standard output. What it says of a
/// failure stands in our errors: the reader's wish for backtraces is not meant for it.
pub fn ask(command: &mut Command) -> Result<String, NoAnswer> {
    for backtrace in ["RUST_BACKTRACE", "RUST_LIB_BACKTRACE"] {
        command.env_remove(backtrace);
    }
    let output = command.output().map_err(|error| match error.kind() {
        ErrorKind::NotFound => NoAnswer::Missing,
        _ => NoAnswer::Failed(error.to_string()),
    })?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    } else {
        let said = String::from_utf8_lossy(&output.stderr);
        Err(NoAnswer::Failed(said.trim().to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_and_their_absence() {
        let shell = |script: &str| ask(Command::new("sh").args(["-c", script]));
        assert_eq!(shell("echo yes").unwrap(), "yes\n");
        assert!(
            matches!(shell("echo why >&2; exit 3"), Err(NoAnswer::Failed(why)) if why == "why")
        );
        let missing = ask(&mut Command::new("/nowhere/no-such-program"));
        assert!(matches!(missing, Err(NoAnswer::Missing)));
    }
}
