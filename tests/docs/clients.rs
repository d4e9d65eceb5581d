//! What a client is told to send, sent: the `curl` lines and the script of a page, with the
//! endpoint of a local environment.

use serde_json::{Value, json};

use crate::markdown::Page;
use crate::place::{Place, endpoint};
use crate::support::tool;

const PAGE: &str = "docs/guides/connect-clients.md";
const ENDPOINT: &str = "https://mcp.example.com/mcp/";
const ORIGIN: &str = "https://catalog.example.com";

/// A place with a release in `staging`.
fn released() -> Place {
    let place = Place::with_environments();
    let deploy = place.bash("quilt-mcp-deploy deploy --env staging").output();
    let deploy = deploy.unwrap();
    assert!(deploy.status.success(), "{deploy:?}");
    place
}

/// What the page's blocks of this language that name the endpoint write, each with its words for
/// the endpoint and the origin changed to those of `place`.
fn written(place: &Place, language: &str, wrapped: impl Fn(&str) -> String) -> Vec<String> {
    let staging = place.staging();
    let endpoint = endpoint(&staging);
    let origin = staging["quilt_registry_url"].as_str().unwrap();
    let origin = origin.trim_end_matches('/');
    let blocks = Page::read(PAGE).blocks().into_iter();
    let sent = blocks.filter(|block| block.language == language && block.text.contains(ENDPOINT));
    sent.map(|block| {
        let script = block.text.replace(ENDPOINT, &endpoint);
        let script = script.replace(ORIGIN, origin);
        let output = place.bash(&wrapped(&script)).output().unwrap();
        assert!(output.status.success(), "{script}\n{output:?}");
        String::from_utf8(output.stdout).unwrap()
    })
    .collect()
}

#[test]
fn curl_is_answered() {
    let Some(_) = tool("curl") else {
        return;
    };
    let place = released();
    let answers = written(&place, "sh", str::to_owned);
    let [alone, with_token, preflight] = &answers[..] else {
        panic!("{answers:#?}");
    };
    assert_eq!(alone.trim(), "401");
    let answer: Value = serde_json::from_str(with_token).unwrap();
    assert_eq!(answer["result"]["isError"], false, "{answer}");
    assert!(preflight.starts_with("HTTP/1.1 200"), "{preflight}");
    let allowed = preflight.to_lowercase();
    assert!(
        allowed.contains("access-control-allow-origin: http://127.0.0.1:"),
        "{preflight}"
    );
}

#[test]
fn a_web_pages_script_is_answered() {
    let Some(node) = tool("node") else {
        return;
    };
    let place = released();
    let module = place.folder().join("page.mjs");
    let answers = written(&place, "js", |script| {
        let script = format!(
            "const token = process.env.QUILT_MCP_TOKEN;\n{script}\n\
             console.log(JSON.stringify({{ tools: tools.length, answer }}));\n"
        );
        std::fs::write(&module, script).unwrap();
        format!("'{}' '{}'", node.display(), module.display())
    });
    let [answer] = &answers[..] else {
        panic!("{answers:#?}");
    };
    let answer: Value = serde_json::from_str(answer).unwrap();
    assert!(answer["tools"].as_u64() >= Some(20), "{answer}");
    assert_eq!(answer["answer"]["isError"], json!(false), "{answer}");
}
