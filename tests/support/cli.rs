//! The real binary, away from all else on this machine: its own home, state folder and
//! working folder, and no AWS credentials but what a test gives it.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;

/// Long enough for any command here on a busy machine; a command that hangs fails its test.
const PATIENCE: Duration = Duration::from_secs(300);
const ACCESS_KEY: &str = "AKIAIOSFODNN7EXAMPLE";
const SECRET_KEY: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
const SESSION_TOKEN: &str = "FwoGZXIvYXdzEXAMPLESESSIONTOKEN";

/// One user of the command, in a folder that goes when this does.
pub struct Cli {
    root: tempfile::TempDir,
    variables: Vec<(String, OsString)>,
}

impl Cli {
    pub fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        for folder in ["home", "work"] {
            std::fs::create_dir(root.path().join(folder)).unwrap();
        }
        let place = |name: &str| root.path().join(name).into_os_string();
        let variables = vec![
            ("PATH", std::env::var_os("PATH").unwrap_or_default()),
            ("HOME", place("home")),
            ("QUILT_MCP_STATE_DIR", place("state")),
            ("AWS_CONFIG_FILE", place("home/aws-config")),
            ("AWS_SHARED_CREDENTIALS_FILE", place("home/aws-credentials")),
            ("AWS_EC2_METADATA_DISABLED", "true".into()),
            ("GIT_CONFIG_NOSYSTEM", "1".into()),
            ("GIT_CEILING_DIRECTORIES", root.path().into()),
            ("GIT_AUTHOR_NAME", "A Tester".into()),
            ("GIT_AUTHOR_EMAIL", "tester@example.com".into()),
            ("GIT_COMMITTER_NAME", "A Tester".into()),
            ("GIT_COMMITTER_EMAIL", "tester@example.com".into()),
        ];
        Self {
            variables: variables
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value))
                .collect(),
            root,
        }
    }

    /// Sets an environment variable, instead of what it was.
    pub fn variable(mut self, name: &str, value: impl Into<OsString>) -> Self {
        self.variables.retain(|(known, _)| known != name);
        self.variables.push((name.to_owned(), value.into()));
        self
    }

    /// Temporary credentials of a role; they open nothing anywhere.
    pub fn credentials(self) -> Self {
        self.variable("AWS_ACCESS_KEY_ID", ACCESS_KEY)
            .variable("AWS_SECRET_ACCESS_KEY", SECRET_KEY)
            .variable("AWS_SESSION_TOKEN", SESSION_TOKEN)
    }

    /// The folder that the command runs in.
    pub fn work(&self) -> PathBuf {
        self.root.path().join("work")
    }

    /// The command's state folder; the command makes it.
    pub fn state(&self) -> PathBuf {
        self.root.path().join("state")
    }

    /// Writes a file below the working folder.
    pub fn write(&self, path: &str, text: &str) {
        let path = self.work().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    /// Runs git in the working folder.
    pub fn git(&self, arguments: &[&str]) {
        let done = self.command(Path::new("git"), arguments).output().unwrap();
        assert!(done.status.success(), "git {arguments:?}: {done:?}");
    }

    /// Runs the binary.
    pub fn run(&self, arguments: &[&str]) -> Run {
        self.run_program(Path::new(env!("CARGO_BIN_EXE_quilt-mcp-deploy")), arguments)
    }

    /// Runs a program that runs the binary, whose path it gets as `$0` (as of `sh -c`).
    pub fn run_under(&self, shell: &str, arguments: &[&str]) -> Run {
        let binary = env!("CARGO_BIN_EXE_quilt-mcp-deploy");
        let arguments = [&["-c", shell, binary], arguments].concat();
        self.run_program(Path::new("sh"), &arguments)
    }

    fn run_program(&self, program: &Path, arguments: &[&str]) -> Run {
        let output = self.command(program, arguments).output().unwrap();
        let run = Run {
            code: output.status.code().unwrap_or_else(|| {
                panic!("{arguments:?} was ended by a signal or hung: {output:?}")
            }),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        };
        for secret in [SECRET_KEY, SESSION_TOKEN] {
            assert!(
                !run.stdout.contains(secret) && !run.stderr.contains(secret),
                "{arguments:?} showed a secret: {run:?}"
            );
        }
        run
    }

    fn command(&self, program: &Path, arguments: &[&str]) -> assert_cmd::Command {
        let mut command = assert_cmd::Command::new(program);
        command
            .args(arguments)
            .current_dir(self.work())
            .env_clear()
            .timeout(PATIENCE);
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        command
    }

    /// The command is refused: with this exit code, saying all of `says` on stderr, with
    /// nothing but the error object on stdout, and with no file changed but its lock. As
    /// people see it and as programs do.
    pub fn refuses(&self, arguments: &[&str], code: i32, says: &[&str]) {
        let before = self.files();
        let text = self.run(arguments);
        text.assert_refusal(code, says);
        assert_eq!(text.stdout, "", "stdout is for results");

        let json = self.run(&[arguments, &["--output", "json"]].concat());
        json.assert_refusal(code, says);
        let object = json.json();
        assert_eq!(object["version"], 1);
        assert_eq!(object["error"]["exit_code"], code);
        let message = object["error"]["message"].as_str().unwrap();
        assert!(
            text.stderr.contains(&format!("error: {message}")),
            "`{message}` is not what people are told: {text:?}"
        );
        let left: Vec<_> = self.files().difference(&before).cloned().collect();
        assert!(
            left.iter().all(|path| path.ends_with(".lock")),
            "{arguments:?} left {left:?}"
        );
    }

    /// Every file of this user.
    fn files(&self) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        let mut folders = vec![self.root.path().to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                // git refreshes its own bookkeeping when it is asked; that is no change of ours.
                if path.ends_with(".git") {
                    continue;
                }
                match path.is_dir() {
                    true => folders.push(path),
                    false => {
                        found.insert(path.display().to_string());
                    }
                }
            }
        }
        found
    }
}

/// What one run of the binary said.
#[derive(Debug)]
pub struct Run {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Run {
    /// It ended with this code, and said each of these on stderr.
    pub fn assert_refusal(&self, code: i32, says: &[&str]) {
        assert_eq!(self.code, code, "{self:?}");
        assert!(self.stderr.contains("error: "), "{self:?}");
        assert!(!self.stderr.contains("panicked"), "{self:?}");
        for words in says {
            assert!(
                self.stderr.contains(words),
                "stderr does not say `{words}`: {self:?}"
            );
        }
    }

    /// It ended well; gives stdout as JSON.
    pub fn result(&self) -> Value {
        assert_eq!(self.code, 0, "{self:?}");
        self.json()
    }

    /// It ended well; gives stdout as people read it.
    pub fn result_text(&self) -> &str {
        assert_eq!(self.code, 0, "{self:?}");
        &self.stdout
    }

    /// The one JSON object on stdout.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}
