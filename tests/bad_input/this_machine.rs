//! What is wrong with this machine.

use std::fs::File;
use std::io::Write as _;
use std::net::TcpListener;

use crate::support::aws_endpoint::AwsEndpoint;
use crate::support::cli::Cli;
use crate::user::{ACCOUNT, CHANGES, user_in_a_checkout, user_of};

#[test]
fn a_port_in_use() {
    // The listeners of the local environment take four ports in a row.
    for taken in [0, 2] {
        let (_listener, port) = listener_with_room_below(taken);
        let cli = Cli::new();
        let run = cli.run(&["local", "up", "--port", &(port - taken).to_string()]);
        let port = format!("port {port} of 127.0.0.1 is in use");
        run.assert_refusal(
            4,
            &["did not start", &port, "choose another port", "its log is"],
        );
        assert_eq!(run.stdout, "");
        let status = cli.run(&["local", "status", "--output", "json"]).result();
        assert_eq!(status["running"], false);
    }
}

/// A listener whose port has `below` free ports under it and the rest of four above, out of
/// the range that the kernel gives to others (ip(7), `ip_local_port_range`).
fn listener_with_room_below(below: u16) -> (TcpListener, u16) {
    let start = 20_000 + (std::process::id() % 2_000) as u16 * 4;
    for first in (start..30_000).step_by(4) {
        let row = (first..first + 4).map(|port| TcpListener::bind(("127.0.0.1", port)));
        if let Ok(mut row) = row.collect::<Result<Vec<_>, _>>() {
            return (row.swap_remove(usize::from(below)), first + below);
        }
    }
    panic!("no four ports in a row are free");
}

#[tokio::test(flavor = "multi_thread")]
async fn neither_a_compiler_nor_an_engine() {
    let programs = tempfile::tempdir().unwrap();
    let git = crate::support::tool("git").expect("the tests need git");
    std::os::unix::fs::symlink(git, programs.path().join("git")).unwrap();
    let cli = user_in_a_checkout(&AwsEndpoint::of_account(ACCOUNT).await)
        .variable("PATH", programs.path().as_os_str())
        .variable("DOCKER_HOST", "unix:///nowhere/docker.sock");
    let no_engine = "no Docker engine answers at unix:///nowhere/docker.sock";
    let no_compiler = "the native builder cannot build here: `cargo` was not found on the PATH";
    cli.refuses(&["build"], 5, &[no_compiler, no_engine]);
    let asked_for = cli.run(&["build", "--builder", "docker"]);
    asked_for.assert_refusal(5, &[no_engine]);
    assert!(
        !asked_for.stderr.contains("native builder cannot"),
        "{asked_for:?}"
    );
}

#[test]
fn the_local_environment_is_not_running() {
    let cli = Cli::new();
    for arguments in [
        &["status"][..],
        &["rollout", "--tag", "1.0.0"],
        &["smoke"],
        &["local", "fault", "refuse-pulls"],
    ] {
        cli.refuses(
            arguments,
            4,
            &["the local environment is not running", "local up"],
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn another_run_under_way() {
    let endpoint = AwsEndpoint::of_account(ACCOUNT).await;
    let cli = user_of(&endpoint).credentials();
    std::fs::create_dir(cli.state()).unwrap();
    let path = cli.state().join("staging.lock");
    let mut other = File::create(&path).unwrap();
    other.lock().unwrap();
    write!(other, "4242").unwrap();
    for arguments in [CHANGES[0], CHANGES[1], &["deploy"]] {
        cli.refuses(
            arguments,
            11,
            &[
                "another run (process 4242)",
                "environment staging",
                "nothing was changed",
            ],
        );
    }
    assert!(endpoint.operations().is_empty());
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "4242");

    drop(other);
    let run = cli.run(CHANGES[1]);
    assert_ne!(run.code, 11, "the lock went with its holder: {run:?}");
}

#[test]
fn a_state_folder_that_cannot_be() {
    let cli = Cli::new();
    cli.write("a-file", "");
    let cli = cli.variable("QUILT_MCP_STATE_DIR", "a-file/state");
    for arguments in [
        &["deploy"][..],
        &["rollout", "--tag", "1"],
        &["local", "down"],
    ] {
        let says = [
            "cannot write a-file/state",
            "Not a directory",
            "QUILT_MCP_STATE_DIR",
        ];
        cli.refuses(arguments, 1, &says);
    }
    let says = [
        "a-file/state/local",
        "Not a directory",
        "QUILT_MCP_STATE_DIR",
    ];
    cli.refuses(&["local", "up", "--port", "0"], 1, &says);
}

#[test]
fn files_that_may_not_grow() {
    // The nearest to a full disk that needs no rights.
    const LIMITED: &str = "trap '' XFSZ; ulimit -f 0; exec \"$0\" \"$@\"";
    let cli = Cli::new();
    let run = cli.run_under(LIMITED, &["deploy"]);
    run.assert_refusal(1, &["cannot write", "local.lock", "free some space"]);
    assert_eq!(run.stdout, "");
    let run = cli.run_under(LIMITED, &["local", "up", "--port", "0"]);
    run.assert_refusal(
        1,
        &[
            "cannot write",
            "state/local",
            "free some space",
            "QUILT_MCP_STATE_DIR",
        ],
    );
    assert_eq!(run.stdout, "");
    let status = cli.run(&["local", "status", "--output", "json"]).result();
    assert_eq!(status["running"], false);
}

#[test]
fn a_full_disk() {
    // A small disk of its own, which goes with the namespace that it is mounted in.
    const FULL: &str = "exec unshare -rm sh -c '
        mount -t tmpfs -o size=8k tmpfs disk || exit 99
        dd if=/dev/zero of=disk/full bs=1k count=8 2>/dev/null
        exec \"$0\" \"$@\"' \"$0\" \"$@\"";
    let cli = Cli::new();
    let disk = cli.work().join("disk");
    std::fs::create_dir(&disk).unwrap();
    let cli = cli.variable("QUILT_MCP_STATE_DIR", disk.join("state"));
    let run = cli.run_under(FULL, &["deploy"]);
    if matches!(run.code, 1 | 99) && !run.stderr.contains("error: ") {
        println!("skipped: this user may not mount a disk: {}", run.stderr);
        return;
    }
    run.assert_refusal(
        1,
        &[
            "cannot write",
            "disk/state/local.lock",
            "No space left on device",
            "free some space",
        ],
    );
    assert_eq!(run.stdout, "");
}

#[test]
fn a_standard_output_without_room() {
    let cli = Cli::new();
    for arguments in [
        &["local", "status"][..],
        &["local", "status", "--output", "json"],
    ] {
        let run = cli.run_under("exec \"$0\" \"$@\" > /dev/full", arguments);
        run.assert_refusal(1, &["cannot be written to stdout", "No space left"]);
    }
    // The failure itself still has its code.
    let run = cli.run_under(
        "exec \"$0\" \"$@\" > /dev/full 2> /dev/full",
        &["status", "--output", "json"],
    );
    assert_eq!(run.code, 4, "{run:?}");
}
