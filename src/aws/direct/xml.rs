//! Answers of the Query protocols as JSON values.

use roxmltree::{Document, Node};
use serde_json::{Map, Value};

/// The answer's members: elements with text are strings, with elements objects; lists, whose items
/// are called `member` or `item`, are arrays, and null when they are empty. The wrapper `…Result` is taken off.
///
/// # Errors
/// Why it is not XML.
pub(super) fn read(text: &str) -> Result<Value, String> {
    let document = Document::parse(text).map_err(|error| error.to_string())?;
    let root = document.root_element();
    let wrapper = format!(
        "{}Result",
        root.tag_name().name().trim_end_matches("Response")
    );
    let inner = root
        .children()
        .find(|child| child.is_element() && child.tag_name().name() == wrapper);
    Ok(value(inner.unwrap_or(root)))
}

fn value(node: Node<'_, '_>) -> Value {
    let children: Vec<Node<'_, '_>> = node.children().filter(Node::is_element).collect();
    let is_item = |child: &Node<'_, '_>| matches!(child.tag_name().name(), "item" | "member");
    if children.is_empty() {
        return match node.text() {
            Some(text) => Value::from(text),
            None => Value::Null,
        };
    }
    if children.iter().all(is_item) {
        return children.into_iter().map(value).collect();
    }
    let members: Map<String, Value> = children
        .into_iter()
        .map(|child| (child.tag_name().name().to_owned(), value(child)))
        .collect();
    Value::Object(members)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn members_lists_and_wrappers() {
        for (text, read_as) in [
            (
                "<GetRoleResponse xmlns='https://iam'><GetRoleResult><Role><Arn>a&amp;b</Arn></Role></GetRoleResult><ResponseMetadata><RequestId>1</RequestId></ResponseMetadata></GetRoleResponse>",
                json!({"Role": {"Arn": "a&b"}}),
            ),
            (
                "<DescribeSubnetsResponse><subnetSet><item><subnetId>s</subnetId></item><item><subnetId>t</subnetId></item></subnetSet></DescribeSubnetsResponse>",
                json!({"subnetSet": [{"subnetId": "s"}, {"subnetId": "t"}]}),
            ),
            (
                "<R>\n <list><member>1</member></list>\n <empty/>\n</R>",
                json!({"list": ["1"], "empty": null}),
            ),
        ] {
            assert_eq!(read(text).unwrap(), read_as);
        }
        assert!(read("<html>").is_err());
    }
}
