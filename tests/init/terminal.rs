//! Questions and answers at a terminal.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

/// A question that does not come fails its test.
const PATIENCE: Duration = Duration::from_secs(60);

/// The program at a terminal.
struct Terminal {
    keyboard: File,
    screen: Receiver<Vec<u8>>,
    seen: String,
    folder: tempfile::TempDir,
    child: std::process::Child,
}

impl Terminal {
    fn start(arguments: &[&str], variables: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let ours = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&ours).unwrap();
        unlockpt(&ours).unwrap();
        let name = ptsname(&ours, Vec::new()).unwrap().into_string().unwrap();
        let theirs = File::options().read(true).write(true).open(name).unwrap();
        let child = Command::new(env!("CARGO_BIN_EXE_quilt-mcp-deploy"))
            .args(arguments)
            .current_dir(folder.path())
            .env_clear()
            .env("TERM", "xterm")
            .env("HOME", folder.path())
            .envs(variables.iter().copied())
            .stdin(Stdio::from(theirs.try_clone().unwrap()))
            .stderr(Stdio::from(theirs))
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let keyboard = File::from(ours);
        let mut reading = keyboard.try_clone().unwrap();
        let (wrote, screen) = channel();
        std::thread::spawn(move || {
            let mut part = [0; 4096];
            // The terminal is gone when the program is.
            while let Ok(length @ 1..) = reading.read(&mut part) {
                if wrote.send(part[..length].to_vec()).is_err() {
                    return;
                }
            }
        });
        Self {
            keyboard,
            screen,
            seen: String::new(),
            folder,
            child,
        }
    }

    /// Waits until the screen shows this, then types.
    fn answer(&mut self, question: &str, answer: &str) {
        self.wait_for(question);
        writeln!(self.keyboard, "{answer}").unwrap();
    }

    /// Everything up to the question is forgotten.
    fn wait_for(&mut self, text: &str) {
        loop {
            if let Some(at) = self.seen.find(text) {
                self.seen.drain(..at + text.len());
                return;
            }
            match self.screen.recv_timeout(PATIENCE) {
                Ok(part) => self.seen += &String::from_utf8_lossy(&part),
                Err(error) => panic!("{text} did not come ({error}): {}", self.seen),
            }
        }
    }

    /// The exit code, and the file that was written.
    fn end(mut self) -> (i32, Option<String>) {
        let mut printed = String::new();
        let mut stdout = self.child.stdout.take().unwrap();
        stdout.read_to_string(&mut printed).unwrap();
        let status = self.child.wait().unwrap();
        // As a shell says it: Ctrl-C may come before the program listens for it.
        let code = status.code().or(status.signal().map(|signal| 128 + signal));
        let code = code.unwrap();
        let file = self.folder.path().join("quilt-mcp.toml");
        (code, std::fs::read_to_string(file).ok())
    }
}

#[test]
fn questions_are_asked_until_the_answers_will_do() {
    let mut terminal = Terminal::start(&["init"], &[("AWS_REGION", "eu-west-1")]);
    terminal.answer("Name of the environment", "Staging");
    terminal.wait_for("lower-case letters");
    // The wrong answer stands there to be changed.
    terminal.answer("Name of the environment", "\x15staging");
    terminal.answer("AWS account", "1234");
    terminal.wait_for("account_id must be 12 digits");
    terminal.answer("AWS account", "\x15111111111111");
    terminal.answer("AWS region", "");
    terminal.answer("AWS profile", "");
    terminal.answer("ECS cluster", "acme");
    terminal.answer("ECS service", "");
    terminal.answer("Container", "");
    terminal.answer("ECR repository", "");
    terminal.answer("URL", "https://mcp.acme.example/mcp/");
    let (code, written) = terminal.end();
    assert_eq!(code, 0);
    assert_eq!(
        written.unwrap(),
        r#"default_environment = "staging"

[environments.staging]
account_id = "111111111111"
region = "eu-west-1"
repository = "quilt/acme/mcp-server"
cluster = "acme"
service = "acme-mcp-server"
container = "mcp-server"
url = "https://mcp.acme.example/mcp/"
"#
    );
}

#[test]
fn only_what_is_missing_is_asked_for() {
    let arguments = [
        "init",
        "--env",
        "staging",
        "--account-id",
        "111111111111",
        "--region",
        "eu-west-1",
        "--profile",
        "acme",
        "--cluster",
        "acme",
        "--service",
        "mcp",
        "--container",
        "server",
        "--repository",
        "mcp",
    ];
    let mut terminal = Terminal::start(&arguments, &[]);
    terminal.answer("URL", "https://mcp.acme.example/mcp/");
    let (code, written) = terminal.end();
    assert_eq!(code, 0);
    assert!(written.unwrap().contains("profile = \"acme\""));
}

#[test]
fn nobody_is_asked_in_ci_even_at_a_terminal() {
    let mut terminal = Terminal::start(&["init"], &[("CI", "true")]);
    terminal.wait_for("nobody to ask: --env");
    assert_eq!(terminal.end(), (2, None));
}

#[test]
fn giving_up_writes_nothing() {
    let mut terminal = Terminal::start(&["init"], &[]);
    terminal.wait_for("Name of the environment");
    let began = Instant::now();
    while terminal.child.try_wait().unwrap().is_none() {
        assert!(began.elapsed() < PATIENCE, "Ctrl-C ends nothing");
        // The program may be between two keys; then the terminal drops it.
        terminal.keyboard.write_all(b"\x03").unwrap();
        std::thread::sleep(Duration::from_millis(50));
    }
    let (code, written) = terminal.end();
    assert_eq!((code, written), (130, None));
}
