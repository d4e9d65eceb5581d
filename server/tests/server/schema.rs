//! Every query against the reduced schema, and the reduced schema against the published one.

use std::collections::BTreeSet;
use std::path::Path;

use apollo_compiler::ast::InputValueDefinition;
use apollo_compiler::schema::ExtendedType;
use apollo_compiler::{ExecutableDocument, Node, Schema};
use quilt_mcp_server::tools::documents;

const REDUCED: &str = include_str!("../../schema/quilt-platform.graphql");
/// Names the published schema's file, where a checkout of it is at hand.
const PUBLISHED_VAR: &str = "QUILT_PLATFORM_SCHEMA";

#[test]
fn every_query_fits_the_schema() {
    let schema = Schema::parse_and_validate(REDUCED, "quilt-platform.graphql").unwrap();
    for (name, document) in documents() {
        let document = ExecutableDocument::parse_and_validate(&schema, document, name)
            .unwrap_or_else(|invalid| panic!("{name}: {}", invalid.errors));
        let operations: Vec<_> = document
            .operations
            .named
            .keys()
            .map(|name| name.as_str())
            .collect();
        assert_eq!(operations, [name], "one operation, under its own name");
    }
}

#[test]
fn every_graphql_file_is_checked() {
    fn count(folder: &Path) -> usize {
        std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .map(|path| match path.extension() {
                _ if path.is_dir() => count(&path),
                Some(extension) if extension == "graphql" => 1,
                _ => 0,
            })
            .sum()
    }
    let names: BTreeSet<_> = documents().into_iter().map(|(name, _)| name).collect();
    let files = count(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"));
    assert_eq!(
        names.len(),
        files,
        "a file is missing from tools::documents()"
    );
}

#[test]
fn the_schema_is_part_of_the_published_one() {
    let Some(path) = std::env::var_os(PUBLISHED_VAR) else {
        eprintln!("skipped: {PUBLISHED_VAR} does not name the published schema");
        return;
    };
    let published = std::fs::read_to_string(path).unwrap();
    let published = Schema::parse(published, "published.graphql").unwrap();
    let reduced = Schema::parse(REDUCED, "quilt-platform.graphql").unwrap();
    assert_eq!(differences(&reduced, &published), Vec::<String>::new());
}

/// A check that finds nothing must be able to find something.
#[test]
fn differences_are_found() {
    let published = Schema::parse(
        "type Query { a: String! b(x: Int!, y: Int): [A!]! } type A { n: Int } type B { n: Int }
         union U = A | B enum E { ONE TWO } input I { p: String! q: Int }",
        "published",
    )
    .unwrap();
    for (reduced, difference) in [
        ("type Query { a: String! }", None),
        ("type Query { a: String }", Some("Query.a")),
        ("type Query { c: String }", Some("Query.c")),
        ("type Query { b(x: Int!): [A!]! } type A { n: Int }", None),
        (
            "type Query { b(x: Int): [A!]! } type A { n: Int }",
            Some("Query.b(x)"),
        ),
        (
            "type Query { b: [A!]! } type A { n: Int }",
            Some("Query.b(x)"),
        ),
        (
            "type Query { b(x: Int!, z: Int): [A!]! } type A { n: Int }",
            Some("Query.b(z)"),
        ),
        ("type Query { a: String! } type C { n: Int }", Some("C")),
        ("type Query { a: String! } input A { n: Int }", Some("A")),
        (
            "type Query { a: String! } type A { n: Int } union U = A",
            Some("U"),
        ),
        ("type Query { a: String! } enum E { ONE }", None),
        (
            "type Query { a: String! } enum E { THREE }",
            Some("E.THREE"),
        ),
        ("type Query { a: String! } input I { p: String! }", None),
        ("type Query { a: String! } input I { q: Int }", Some("I.p")),
    ] {
        let reduced_schema = Schema::parse(reduced, "reduced").unwrap();
        let found = differences(&reduced_schema, &published);
        let expected: Vec<_> = difference.map(str::to_owned).into_iter().collect();
        assert_eq!(found, expected, "{reduced}");
    }
}

/// Where `part` says something that `whole` does not.
fn differences(part: &Schema, whole: &Schema) -> Vec<String> {
    let own = part.types.iter().filter(|(_, ty)| !ty.is_built_in());
    own.flat_map(|(name, ty)| match (ty, whole.types.get(name)) {
        (ExtendedType::Scalar(_), Some(ExtendedType::Scalar(_))) => Vec::new(),
        (ExtendedType::Object(part), Some(ExtendedType::Object(whole))) => part
            .fields
            .iter()
            .flat_map(|(field, part)| {
                let place = format!("{name}.{field}");
                match whole.fields.get(field) {
                    Some(whole) if part.ty == whole.ty => inputs(
                        |argument| format!("{place}({argument})"),
                        part.arguments.iter(),
                        whole.arguments.iter(),
                    ),
                    _ => vec![place],
                }
            })
            .collect(),
        (ExtendedType::InputObject(part), Some(ExtendedType::InputObject(whole))) => inputs(
            |field| format!("{name}.{field}"),
            part.fields.values().map(|field| &field.node),
            whole.fields.values().map(|field| &field.node),
        ),
        (ExtendedType::Union(part), Some(ExtendedType::Union(whole))) => {
            let members = |members: &apollo_compiler::schema::UnionType| -> BTreeSet<String> {
                members
                    .members
                    .iter()
                    .map(|member| member.name.to_string())
                    .collect()
            };
            if members(part) == members(whole) {
                Vec::new()
            } else {
                vec![name.to_string()]
            }
        }
        (ExtendedType::Enum(part), Some(ExtendedType::Enum(whole))) => part
            .values
            .keys()
            .filter(|value| !whole.values.contains_key(*value))
            .map(|value| format!("{name}.{value}"))
            .collect(),
        _ => vec![name.to_string()],
    })
    .collect()
}

/// Arguments or input fields that differ, or that are required and left out.
fn inputs<'a>(
    place: impl Fn(&str) -> String,
    part: impl Iterator<Item = &'a Node<InputValueDefinition>>,
    whole: impl Iterator<Item = &'a Node<InputValueDefinition>>,
) -> Vec<String> {
    let part: Vec<_> = part.collect();
    let whole: Vec<_> = whole.collect();
    let changed = part.iter().filter(|input| {
        !whole.iter().any(|other| {
            other.name == input.name
                && other.ty == input.ty
                && other.default_value == input.default_value
        })
    });
    let missing = whole
        .iter()
        .filter(|input| input.is_required() && !part.iter().any(|other| other.name == input.name));
    changed
        .chain(missing)
        .map(|input| place(&input.name))
        .collect()
}
