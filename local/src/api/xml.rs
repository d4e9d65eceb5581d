//! Answers of the AWS Query protocols: JSON written as XML.

use serde_json::Value;

/// The element `name` with this content; each item of a list becomes an element `item`.
pub(super) fn element(name: &str, value: &Value, item: &str) -> String {
    let mut text = String::new();
    write(&mut text, name, value, item);
    text
}

fn write(out: &mut String, name: &str, value: &Value, item: &str) {
    if value.is_null() {
        return;
    }
    out.push_str(&format!("<{name}>"));
    match value {
        Value::Object(members) => {
            for (member, value) in members {
                write(out, member, value, item);
            }
        }
        Value::Array(items) => {
            for value in items {
                write(out, item, value, item);
            }
        }
        Value::String(text) => escape(out, text),
        other => out.push_str(&other.to_string()),
    }
    out.push_str(&format!("</{name}>"));
}

fn escape(out: &mut String, text: &str) {
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\r' => out.push_str("&#xD;"),
            c => out.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn objects_lists_and_escapes() {
        let value = json!({ "A": "x<&>", "B": [1, { "C": true }], "D": null, "E": [] });
        assert_eq!(
            element("R", &value, "member"),
            "<R><A>x&lt;&amp;&gt;</A><B><member>1</member><member><C>true</C></member></B><E></E></R>"
        );
    }
}
