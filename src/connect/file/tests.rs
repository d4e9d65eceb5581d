use super::*;
use proptest::prelude::*;
use serde_json::{Map, json};

fn server(name: &str) -> Server {
    Server {
        name: name.to_owned(),
        url: "https://mcp.acme.example/mcp/".parse().unwrap(),
        token: None,
    }
}

fn file(text: &str) -> SettingsFile {
    SettingsFile {
        path: "mcp.json".into(),
        text: Some(text.to_owned()),
        has_mark: false,
    }
}

#[test]
fn comments_and_order_stay() {
    let ours = "{\n  // what we use\n  \"servers\": {\n    \"zoo\": { \"url\": \"https://zoo.example\" }, // animals\n  },\n  \"other\": [1, 2],\n}\n";
    let text = file(ours)
        .with(Client::Vscode, &server("quilt"), false)
        .unwrap()
        .unwrap();
    for kept in [
        "  // what we use\n",
        "    \"zoo\": { \"url\": \"https://zoo.example\" }, // animals\n",
        "  \"other\": [1, 2],\n",
    ] {
        assert!(text.contains(kept), "{kept}\n{text}");
    }
    assert!(text.contains("\"id\": \"quilt-token\""), "{text}");
    let again = file(&text).with(Client::Vscode, &server("quilt"), false);
    assert_eq!(again.unwrap(), None, "it is there");
}

#[test]
fn another_server_of_the_name_is_kept_unless_it_is_forced() {
    let ours = r#"{"mcpServers": {"quilt": {"command": "mine"}}}"#;
    let taken = file(ours).with(Client::Cursor, &server("quilt"), false);
    assert!(
        matches!(taken, Err(ConnectError::Taken { .. })),
        "{taken:?}"
    );
    let forced = file(ours)
        .with(Client::Cursor, &server("quilt"), true)
        .unwrap()
        .unwrap();
    assert!(!forced.contains("mine"));
    let beside = file(ours)
        .with(Client::Cursor, &server("other"), false)
        .unwrap()
        .unwrap();
    assert!(beside.contains("mine") && beside.contains("other"));
}

#[test]
fn what_is_not_settings_is_refused() {
    for (text, says) in [
        ("[]", "not an object"),
        ("{\"mcpServers\": []}", "mcpServers is not an object"),
        ("{\"mcpServers\": {}", "Unterminated"),
        ("{mcpServers: {}}", ""),
        ("hello", ""),
    ] {
        let error = file(text)
            .with(Client::Cursor, &server("quilt"), false)
            .unwrap_err();
        assert!(matches!(error, ConnectError::NotSettings { .. }), "{text}");
        assert!(error.to_string().contains(says), "{error}");
    }
    let inputs = file("{\"inputs\": {}}").with(Client::Vscode, &server("quilt"), false);
    assert!(inputs.unwrap_err().to_string().contains("not a list"));
}

#[test]
fn doubled_keys_are_refused() {
    for (text, key) in [
        (
            r#"{"mcpServers":{"quilt":{"x":1},"quilt":{"x":2}}}"#,
            "quilt",
        ),
        (
            r#"{"mcpServers":{"quilt":{"x":1},"\u0071uilt":{"x":2}}}"#,
            "quilt",
        ),
        (r#"{"mcpServers":{},"mcpServers":{}}"#, "mcpServers"),
    ] {
        let error = file(text)
            .with(Client::Cursor, &server("quilt"), true)
            .unwrap_err();
        let says = format!("it has the key `{key}` 2 times");
        assert!(error.to_string().contains(&says), "{error}");
    }
    let theirs = r#"{"a":1,"a":2,"mcpServers":{"b":{},"b":{}}}"#;
    let beside = file(theirs).with(Client::Cursor, &server("quilt"), false);
    let beside = beside.unwrap().unwrap();
    assert!(beside.contains(r#""a":1,"a":2"#), "{beside}");
}

#[test]
fn a_question_that_keeps_nothing_secret_is_told() {
    for (question, is_open) in [
        (r#"{"type":"promptString","id":"quilt-token"}"#, true),
        (
            r#"{"type":"promptString","id":"quilt-token","password":false}"#,
            true,
        ),
        (
            r#"{"type":"command","id":"quilt-token","command":"a"}"#,
            true,
        ),
        (
            r#"{"type":"promptString","id":"quilt-token","password":true,"description":"mine"}"#,
            false,
        ),
        (r#"{"type":"promptString","id":"other"}"#, false),
    ] {
        let settings = file(&format!(r#"{{"inputs":[{question}]}}"#));
        let open = settings.open_question(Client::Vscode, &server("quilt"));
        assert_eq!(open.is_some(), is_open, "{question}");
        let open = settings.open_question(Client::Cursor, &server("quilt"));
        assert_eq!(open, None, "Cursor asks nothing");
    }
}

#[test]
fn encodings_are_told_apart() {
    let utf_16 = |text: &str| text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let big = |text: &str| text.encode_utf16().flat_map(u16::to_be_bytes).collect();
    for (bytes, expected) in [
        ("{}".into(), Ok("{}")),
        (Vec::new(), Ok("")),
        ("\u{feff}{}".into(), Ok("\u{feff}{}")),
        (utf_16("\u{feff}{}"), Err("UTF-16")),
        (utf_16("{}"), Err("UTF-16")),
        (big("\u{feff}{}"), Err("UTF-16")),
        (big("{}"), Err("UTF-16")),
        (vec![b'"', 0xe4, b'"'], Err("another encoding")),
    ] {
        let decoded = decode(bytes);
        assert_eq!(decoded.as_deref(), expected.as_ref().copied());
    }
}

fn json_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        "\\PC{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec(("\\PC{0,8}", inner), 0..4)
                .prop_map(|members| members.into_iter().collect::<Map<_, _>>().into()),
        ]
    })
}

proptest! {
    /// Whatever else is in the settings is in them afterwards, and the server too.
    #[test]
    fn nothing_is_lost(
        members in prop::collection::vec(("[a-z]{1,6}", json_value()), 0..5),
        servers in prop::collection::vec(("[a-z]{1,6}", json_value()), 0..4),
        pretty in any::<bool>(),
    ) {
        let mut before: Map<String, Value> = members.into_iter().collect();
        before.remove("inputs");
        let servers: Map<String, Value> = servers.into_iter().collect();
        before.insert("mcpServers".to_owned(), servers.into());
        let before = Value::Object(before);
        let text = if pretty { format!("{before:#}") } else { before.to_string() };
        let ours = server("our-quilt");
        let text = file(&text).with(Client::Cursor, &ours, false).unwrap().unwrap();
        let after: Value = serde_json::from_str(&text).unwrap();
        let mut expected = before;
        expected["mcpServers"]["our-quilt"] = json!(ours.entry(Client::Cursor));
        prop_assert_eq!(after, expected);
    }
}
