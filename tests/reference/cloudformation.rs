//! Parameters and outputs of the CloudFormation templates.

use std::path::PathBuf;

use serde_json::Value;

use crate::page::{Page, code};
use crate::root;

/// The page, where there are templates.
pub fn page() -> Option<String> {
    let templates = templates();
    if templates.is_empty() {
        return None;
    }
    let mut page = Page::new(
        "CloudFormation templates",
        "How they are used stands in [the guide](../guides/adopt-cloudformation.md).",
    );
    for path in templates {
        let name = path.file_name().unwrap().to_str().unwrap();
        let template = parse(&std::fs::read_to_string(&path).unwrap());
        page.heading(2, &format!("cloudformation/{name}"));
        page.paragraph(template["Description"].as_str().unwrap_or_default());
        let parameters = rows(&template["Parameters"], |name, parameter| {
            let default = match &parameter["Default"] {
                Value::Null => "required".to_owned(),
                default => written(default),
            };
            [
                code(name),
                code(parameter["Type"].as_str().unwrap()),
                default,
                described(name, parameter) + &allowed(parameter),
            ]
        });
        page.table(["parameter", "type", "default", "meaning"], parameters);
        let outputs = rows(&template["Outputs"], |name, output| {
            [code(name), described(name, output)]
        });
        page.table(["output", "meaning"], outputs);
    }
    Some(page.text())
}

fn templates() -> Vec<PathBuf> {
    let Ok(folder) = std::fs::read_dir(root().join("cloudformation")) else {
        return Vec::new();
    };
    let mut templates: Vec<PathBuf> = folder
        .map(|entry| entry.unwrap().path())
        .filter(|path| {
            path.extension()
                .is_some_and(|ending| ending == "yaml" || ending == "yml")
        })
        .collect();
    templates.sort();
    templates
}

/// A template; of CloudFormation's short forms (`!Ref`) only their values are looked at.
fn parse(text: &str) -> Value {
    serde_saphyr::from_str(text).unwrap_or_else(|error| panic!("{error}"))
}

fn rows<const N: usize>(
    members: &Value,
    row: impl Fn(&str, &Value) -> [String; N],
) -> Vec<[String; N]> {
    let members = members.as_object().into_iter().flatten();
    members.map(|(name, member)| row(name, member)).collect()
}

fn described(name: &str, member: &Value) -> String {
    member["Description"]
        .as_str()
        .unwrap_or_else(|| panic!("{name} is not described"))
        .to_owned()
}

fn written(value: &Value) -> String {
    match value {
        Value::String(text) if text.is_empty() => "empty".to_owned(),
        Value::String(text) => code(text),
        other => code(&other.to_string()),
    }
}

/// The values that a parameter may have, where they are listed.
fn allowed(parameter: &Value) -> String {
    let Some(values) = parameter["AllowedValues"].as_array() else {
        return String::new();
    };
    let values: Vec<String> = values.iter().map(written).collect();
    format!(" One of {}.", values.join(", "))
}

#[test]
fn values_are_listed() {
    let template = parse("Log: {AllowedValues: [0, '', debug]}\nName: {Type: String}\n");
    assert_eq!(allowed(&template["Log"]), " One of `0`, empty, `debug`.");
    assert_eq!(allowed(&template["Name"]), "");
}

#[test]
fn short_forms_are_read_over() {
    let template = parse(
        "Parameters:\n  Name: {Type: String, Default: '', Description: The name.}\n\
         Resources:\n  Thing:\n    Type: AWS::ECS::Service\n    Properties:\n      A: !Ref Name\n      \
         B: !Sub '${Name}-x'\n      C: !If [Yes, !GetAtt Thing.Arn, !Ref AWS::NoValue]\n\
         Outputs:\n  Arn:\n    Description: Its ARN.\n    Value: !GetAtt Thing.Arn\n",
    );
    let found = rows(&template["Outputs"], |name, output| {
        [described(name, output)]
    });
    assert_eq!(found, [["Its ARN.".to_owned()]]);
    assert_eq!(template["Parameters"]["Name"]["Type"], "String");
}
