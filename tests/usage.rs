//! What the program tells of itself: help with examples, versions, usage errors, completions,
//! manual pages.

mod support;

use std::path::PathBuf;
use std::process::{Command as Process, Stdio};

use clap::{Command, CommandFactory, Parser};
use quilt_mcp_deploy::cli::Cli as CommandLine;
use support::cli::Cli;
use support::shell::words;
use support::tool;

/// Every command that help shows, with its words.
fn commands() -> Vec<(String, Command)> {
    fn collect(words: &str, command: &Command, found: &mut Vec<(String, Command)>) {
        found.push((words.to_owned(), command.clone()));
        for below in command
            .get_subcommands()
            .filter(|below| !below.is_hide_set())
        {
            collect(&format!("{words} {}", below.get_name()), below, found);
        }
    }
    let mut found = Vec::new();
    collect("quilt-mcp-deploy", &CommandLine::command(), &mut found);
    found
}

/// The calls of the program in a line of shell.
fn calls(line: &str) -> Vec<Vec<String>> {
    let mut calls: Vec<Vec<String>> = Vec::new();
    let mut within = false;
    for word in words(line) {
        match word.as_str() {
            "quilt-mcp-deploy" => {
                calls.push(vec!["quilt-mcp-deploy".to_owned()]);
                within = true;
            }
            "|" | "&&" | "||" | ";" | ">" => within = false,
            _ if within => calls.last_mut().unwrap().push(word),
            _ => {}
        }
    }
    calls
}

#[test]
fn every_command_has_examples_that_can_be_typed() {
    let mut typed = 0;
    for (words, command) in commands() {
        let after = command
            .get_after_help()
            .map(ToString::to_string)
            .unwrap_or_default();
        let (_, examples) = after
            .split_once("Example")
            .unwrap_or_else(|| panic!("`{words} --help` has no example"));
        let lines: Vec<&str> = examples.lines().skip(1).collect();
        assert!(!lines.is_empty(), "{words}");
        assert!(
            lines.iter().any(|line| line.contains(&words)),
            "{words}: no example is of it: {lines:?}"
        );
        for line in &lines {
            // A line that the terminal breaks cannot be copied from it.
            assert!(line.chars().count() <= 78, "{words}: {line}");
        }
        let whole = lines.join("\n").replace("\\\n", " ");
        for call in whole.lines().flat_map(calls) {
            CommandLine::try_parse_from(&call).unwrap_or_else(|error| panic!("{call:?}: {error}"));
            typed += 1;
        }
    }
    assert!(typed > 40, "only {typed} examples were found");
}

/// What stands beside a command's arguments is what its help says, all of it.
#[test]
fn help_tells_the_whole_story() {
    let cli = Cli::new();
    for (command, says) in [
        ("smoke", "comes from QUILT_MCP_TOKEN"),
        ("rollback", "not simply the number before"),
        ("build", "The native builder compiles"),
        ("init", "comments too"),
    ] {
        let help = cli.run(&[command, "--help"]).stdout;
        let help: Vec<&str> = help.split_whitespace().collect();
        assert!(help.join(" ").contains(says), "{help:?}");
    }
}

#[test]
fn every_option_is_explained() {
    for (words, command) in commands() {
        assert!(command.get_about().is_some(), "{words} says nothing");
        for argument in command
            .get_arguments()
            .filter(|argument| !argument.is_hide_set())
        {
            let told = argument.get_help().is_some() || argument.get_long_help().is_some();
            assert!(told, "{words}: {} is not explained", argument.get_id());
        }
    }
}

#[test]
fn a_typo_is_answered_with_what_was_meant() {
    let cli = Cli::new();
    for (line, meant) in [
        (&["rolout"][..], "'rollout'"),
        (&["verfy"], "'verify'"),
        (&["status", "--regoin", "eu-west-1"], "'--region'"),
        (&["status", "--color", "allways"], "'always'"),
        (&["local", "falt", "list"], "'fault'"),
    ] {
        let run = cli.run(line);
        assert_eq!(run.code, 2, "{run:?}");
        assert!(run.stderr.contains(meant), "{run:?}");
        assert_eq!(run.stdout, "");
    }
}

#[test]
fn wrong_usage_is_an_error_object_too() {
    let cli = Cli::new();
    for (line, says) in [
        (&["rolout"][..], "unrecognized subcommand 'rolout'"),
        (&["promote"], "--from <"),
        (&["local"], "no command is given"),
        (&["status", "--no-such-option"], "'--no-such-option'"),
        (&["smoke", "--timeout", "soon", "--env"], "--"),
    ] {
        let json = cli.run(&[&["--output", "json"], line].concat());
        json.assert_refusal(2, &[says]);
        let error = &json.json()["error"];
        assert_eq!(error["exit_code"], 2);
        let message = error["message"].as_str().unwrap();
        assert!(json.stderr.contains(&format!("error: {message}")));
        assert!(error["hint"].as_str().is_some_and(|hint| !hint.is_empty()));

        let stream = cli.run(&[&["--output=ndjson"], line].concat());
        stream.assert_refusal(2, &[says]);
        let last = stream.json();
        assert_eq!(last["event"], "result");
        assert_eq!(last["error"]["exit_code"], 2);
    }
    let people = cli.run(&["rolout"]);
    assert_eq!(people.stdout, "", "people read stderr");
}

#[test]
fn help_and_version_go_to_stdout_and_need_no_configuration() {
    let cli = Cli::new();
    cli.write("quilt-mcp.toml", "this is no TOML");
    for line in [
        &["--help"][..],
        &["-h"],
        &["help"],
        &["local", "fault", "--help"],
        &["--version"],
        &["completions", "bash"],
        &["man"],
    ] {
        let run = cli.run(line);
        assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{line:?}");
        assert!(!run.stdout.is_empty());
    }
    let version = cli.run(&["--version"]).stdout;
    // With the commit in release builds only, or every commit would compile everything again.
    let expected = concat!("quilt-mcp-deploy ", env!("CARGO_PKG_VERSION"));
    assert!(version.starts_with(expected), "{version}");
    assert!(
        version.contains('+') || version.contains(" (development build)"),
        "{version} names neither its commit nor why it has none"
    );
}

/// A program that judges too where it is installed; bash and the tests themselves always do.
fn installed(name: &str) -> Option<PathBuf> {
    let search_path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&search_path)
        .map(|folder| folder.join(name))
        .find(|path| path.is_file())
}

#[test]
fn completions_are_what_each_shell_reads() {
    let cli = Cli::new();
    for (shell, check) in [
        ("bash", &["-n"][..]),
        ("zsh", &["-n"]),
        ("fish", &["--no-execute"]),
    ] {
        let script = cli.run(&["completions", shell]).stdout;
        assert!(script.contains("rollout"), "{shell}");
        let json = cli
            .run(&["completions", shell, "--output", "json"])
            .result();
        assert_eq!(
            json["script"].as_str().unwrap().trim_end(),
            script.trim_end()
        );
        let on_github = Cli::new().variable("GITHUB_ACTIONS", "true");
        assert_eq!(on_github.run(&["completions", shell]).stdout, script);
        if let Some(program) = installed(shell) {
            cli.write("script", &script);
            let file = cli.work().join("script");
            let checked = Process::new(program)
                .args(check)
                .arg(file)
                .output()
                .unwrap();
            assert!(checked.status.success(), "{shell}: {checked:?}");
            assert!(checked.stderr.is_empty(), "{shell}: {checked:?}");
        }
    }
    let Some(bash) = tool("bash") else { return };
    cli.write("script", &cli.run(&["completions", "bash"]).stdout);
    let ask = "source \"$0\"; COMP_WORDS=(quilt-mcp-deploy roll); COMP_CWORD=1; \
               by=$(complete -p quilt-mcp-deploy | sed 's/.* -F \\([^ ]*\\) .*/\\1/'); \
               $by quilt-mcp-deploy roll quilt-mcp-deploy; echo \"${COMPREPLY[@]}\"";
    let asked = Process::new(bash)
        .args(["-c", ask])
        .arg(cli.work().join("script"))
        .output()
        .unwrap();
    let offered = String::from_utf8_lossy(&asked.stdout);
    assert_eq!(offered.trim(), "rollout rollback", "{asked:?}");
}

#[test]
fn manual_pages_are_roff() {
    let cli = Cli::new();
    let page = cli.run(&["man"]).stdout;
    assert!(page.contains(".TH quilt-mcp-deploy 1"), "{page}");
    let written = cli
        .run(&["man", "--dir", "man/man1", "--output", "json"])
        .result();
    let files = written["files"].as_array().unwrap();
    assert_eq!(files.len(), commands().len());
    let rollout = cli.work().join("man/man1/quilt-mcp-deploy-rollout.1");
    assert!(
        std::fs::read_to_string(&rollout)
            .unwrap()
            .contains("Example")
    );
    let fault = cli
        .work()
        .join("man/man1/quilt-mcp-deploy-local-fault-throttle.1");
    assert!(fault.is_file());
    cli.write("a-file", "");
    cli.refuses(&["man", "--dir", "a-file"], 2, &["cannot write to a-file"]);

    let Some(mandoc) = installed("mandoc") else {
        return;
    };
    for file in files {
        let checked = Process::new(&mandoc)
            .args(["-T", "lint", "-W", "error"])
            .arg(cli.work().join(file.as_str().unwrap()))
            .stdin(Stdio::null())
            .output()
            .unwrap();
        assert!(checked.status.success(), "{file}: {checked:?}");
    }
}
