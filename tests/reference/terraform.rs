//! Inputs and outputs of the Terraform modules.

use std::path::Path;

use hcl::format::{Format as _, Formatter};
use hcl::{Body, Expression};

use crate::page::{Page, code};
use crate::root;

pub fn page() -> String {
    let mut page = Page::new(
        "Terraform modules",
        "How they are used, and what they make, stands in [Terraform](../terraform.md).",
    );
    let modules = root().join("terraform/modules");
    let mut names: Vec<String> = std::fs::read_dir(&modules)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert!(!names.is_empty());
    for name in names {
        page.heading(2, &format!("modules/{name}"));
        let module = modules.join(name);
        let inputs = blocks(&module.join("variables.tf"), "variable")
            .into_iter()
            .map(|(name, input)| {
                let (kind, default) = (attribute(&input, "type"), attribute(&input, "default"));
                let default =
                    default.map_or("required".to_owned(), |default| code(&written(&default)));
                let kind = kind.map_or(String::new(), |kind| code(&written(&kind)));
                [code(&name), kind, default, described(&name, &input)]
            });
        page.table(["input", "type", "default", "meaning"], inputs.collect());
        let outputs = blocks(&module.join("outputs.tf"), "output")
            .into_iter()
            .map(|(name, output)| [code(&name), described(&name, &output)]);
        page.table(["output", "meaning"], outputs.collect());
    }
    page.text()
}

/// The blocks of this kind, with their names.
fn blocks(file: &Path, kind: &str) -> Vec<(String, Body)> {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    let body = hcl::parse(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    body.into_blocks()
        .filter(|block| block.identifier() == kind)
        .map(|block| (block.labels()[0].as_str().to_owned(), block.body))
        .collect()
}

fn attribute(body: &Body, key: &str) -> Option<Expression> {
    body.attributes()
        .find(|attribute| attribute.key() == key)
        .map(|attribute| attribute.expr().clone())
}

fn described(name: &str, body: &Body) -> String {
    match attribute(body, "description") {
        Some(Expression::String(text)) => text,
        other => panic!("{name} is not described: {other:?}"),
    }
}

fn written(expression: &Expression) -> String {
    let mut formatter = Formatter::builder().compact(true).build_vec();
    expression.format_string(&mut formatter).unwrap()
}
