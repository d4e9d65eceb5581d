//! Programs that keep logins (github.com/docker/docker-credential-helpers, "Development").

use std::io;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use bollard::auth::DockerCredentials;
use serde::Deserialize;
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

/// What a helper says of a registry that it does not know (`errCredentialsNotFoundMessage`).
const UNKNOWN: &str = "credentials not found in native keychain";
/// The user of a login that is an identity token (docker/cli's `credentials` package).
const TOKEN: &str = "<token>";

/// A helper's answer. It has no `Debug`: it holds a secret.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    username: String,
    secret: String,
}

/// Why a helper gave no answer. Nothing that it wrote is repeated: it may be a secret.
#[derive(Debug, thiserror::Error)]
pub enum HelperError {
    /// There is no such program.
    #[error("is not on the PATH")]
    Missing,
    /// It could not be started or spoken to.
    #[error("cannot be asked: {0}")]
    Unusable(io::Error),
    /// It ended with an error.
    #[error("failed ({0})")]
    Failed(ExitStatus),
    /// It did not end in time.
    #[error("gave no answer within {} s", .0.as_secs())]
    Silent(Duration),
    /// Its answer is none.
    #[error("gave an answer that is no login")]
    Malformed,
}

/// Asks `program` for what it has under `key`; a helper that takes longer than `patience` is ended.
pub async fn ask(
    program: &str,
    key: &str,
    patience: Duration,
) -> Result<Option<DockerCredentials>, HelperError> {
    let answer = tokio::time::timeout(patience, run(program, key));
    let (status, said) = answer
        .await
        .map_err(|_| HelperError::Silent(patience))?
        .map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => HelperError::Missing,
            _ => HelperError::Unusable(error),
        })?;
    if status.success() {
        return login(&said).map(Some);
    }
    match said.trim_ascii() == UNKNOWN.as_bytes() {
        true => Ok(None),
        false => Err(HelperError::Failed(status)),
    }
}

/// Runs `PROGRAM get` with the key on its standard input; gives what it wrote.
async fn run(program: &str, key: &str) -> io::Result<(ExitStatus, Vec<u8>)> {
    let mut helper = Command::new(program)
        .arg("get")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()?;
    if let Some(mut input) = helper.stdin.take() {
        match input.write_all(key.as_bytes()).await {
            // A helper that fails may end before it reads; how it ended says more.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {}
            written => written?,
        }
    }
    let output = helper.wait_with_output().await?;
    Ok((output.status, output.stdout))
}

fn login(said: &[u8]) -> Result<DockerCredentials, HelperError> {
    let answer: Answer = serde_json::from_slice(said).map_err(|_| HelperError::Malformed)?;
    let mut login = DockerCredentials::default();
    if answer.username == TOKEN {
        login.identitytoken = Some(answer.secret);
    } else {
        login.username = Some(answer.username);
        login.password = Some(answer.secret);
    }
    Ok(login)
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    const LONG: Duration = Duration::from_secs(60);

    /// A helper that does this. Another process writes it: one that this process still had open for
    /// writing while another thread starts a program could not be run (execve(2), `ETXTBSY`).
    fn helper(folder: &std::path::Path, script: &str) -> String {
        let program = folder.join("docker-credential-test");
        let made = Command::new("sh")
            .args([
                "-c",
                "printf '#!/bin/sh\n%s\n' \"$1\" >\"$2\" && chmod 755 \"$2\"",
                "sh",
            ])
            .arg(script)
            .arg(&program)
            .status();
        assert!(made.unwrap().success());
        program.to_str().unwrap().to_owned()
    }

    async fn asked(script: &str, patience: Duration) -> Result<String, String> {
        let folder = tempfile::tempdir().unwrap();
        let program = helper(folder.path(), script);
        match ask(&program, "a.com", patience).await {
            Ok(None) => Ok("unknown".to_owned()),
            Ok(Some(login)) => {
                let parts = [login.username, login.password, login.identitytoken];
                Ok(parts.map(|part| part.unwrap_or("-".to_owned())).join(" "))
            }
            Err(error) => Err(format!("{error} {error:?}")),
        }
    }

    #[tokio::test]
    async fn what_helpers_answer() {
        for (script, expected) in [
            (
                "[ \"$1\" = get ] && read -r key; echo \"{\\\"ServerURL\\\": \\\"\\\", \\\"Username\\\": \\\"u\\\", \\\"Secret\\\": \\\"s of $key\\\"}\"",
                "u s of a.com -",
            ),
            (
                "echo '{\"Username\": \"<token>\", \"Secret\": \"s\"}'",
                "- - s",
            ),
            (
                "cat >&2; echo 'credentials not found in native keychain'; exit 1",
                "unknown",
            ),
        ] {
            assert_eq!(
                asked(script, LONG).await.as_deref(),
                Ok(expected),
                "{script}"
            );
        }
    }

    #[tokio::test]
    async fn helpers_that_fail_are_told_apart_without_what_they_wrote() {
        for (script, patience, sign) in [
            (
                "echo s3cret; echo s3cret >&2; exit 3",
                LONG,
                "exit status: 3",
            ),
            ("kill -9 $$", LONG, "signal: 9"),
            ("echo '{\"Secret\": \"s3cret\"}'", LONG, "no login"),
            ("echo s3cret", LONG, "no login"),
            (
                "exec sleep 600",
                Duration::from_millis(500),
                "no answer within",
            ),
        ] {
            let text = asked(script, patience).await.unwrap_err();
            assert!(text.contains(sign), "{sign}: {text}");
            assert!(!text.contains("s3cret"), "{text}");
        }
        let missing = ask("docker-credential-that-nobody-has", "a.com", LONG).await;
        assert!(matches!(missing, Err(HelperError::Missing)));
    }
}
