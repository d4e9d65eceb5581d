//! Forms of the AWS Query protocols as JSON: `A.B=x` is `{"A": {"B": "x"}}`, and `A.member.1=x`, or
//! EC2's `A.1=x`, is `{"A": ["x"]}`.
//! <https://smithy.io/2.0/aws/protocols/aws-query-protocol.html>

use serde_json::{Map, Value};

use super::input::Input;

pub(super) fn parse(form: &[u8]) -> Input {
    let mut root = Map::new();
    for (key, value) in url::form_urlencoded::parse(form) {
        let parts: Vec<&str> = key.split('.').collect();
        insert(&mut root, &parts, &value);
    }
    let Value::Object(root) = lists(Value::Object(root)) else {
        return Input::default();
    };
    Input(root)
}

fn insert(map: &mut Map<String, Value>, parts: &[&str], value: &str) {
    match parts {
        [] => {}
        [last] => {
            map.insert((*last).to_owned(), Value::from(value));
        }
        [first, rest @ ..] => {
            let inner = map
                .entry((*first).to_owned())
                .or_insert_with(|| Value::Object(Map::new()));
            if let Value::Object(inner) = inner {
                insert(inner, rest, value);
            }
        }
    }
}

/// Turns `{"member": {"1": …}}` and `{"1": …}` into lists.
fn lists(value: Value) -> Value {
    let Value::Object(mut map) = value else {
        return value;
    };
    let numbered = |map: &Map<String, Value>| {
        !map.is_empty() && map.keys().all(|key| key.parse::<u64>().is_ok())
    };
    let members = match map.get("member") {
        Some(Value::Object(members)) if map.len() == 1 && numbered(members) => map.remove("member"),
        _ if numbered(&map) => Some(Value::Object(std::mem::take(&mut map))),
        _ => None,
    };
    if let Some(Value::Object(members)) = members {
        let mut numbered: Vec<(u64, Value)> = members
            .into_iter()
            .filter_map(|(position, value)| Some((position.parse().ok()?, lists(value))))
            .collect();
        numbered.sort_by_key(|(position, _)| *position);
        return numbered.into_iter().map(|(_, value)| value).collect();
    }
    map.into_iter()
        .map(|(key, value)| (key, lists(value)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn nested_names_and_lists() {
        let input = parse(
            b"Action=X&Names.member.2=b&Names.member.1=a%20c&Targets.member.1.Id=i&Targets.member.1.Port=1",
        );
        assert_eq!(
            Value::Object(input.0),
            json!({
                "Action": "X",
                "Names": ["a c", "b"],
                "Targets": [{ "Id": "i", "Port": "1" }],
            })
        );
        let input = parse(b"Filter.1.Name=a&Filter.1.Value.1=x&Filter.1.Value.2=y&Id.1=z");
        assert_eq!(
            Value::Object(input.0),
            json!({ "Filter": [{ "Name": "a", "Value": ["x", "y"] }], "Id": ["z"] })
        );
    }
}
