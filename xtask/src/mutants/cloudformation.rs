//! Mutants of the CloudFormation templates.

use super::Target;
use super::judge::{Copy, Judge};

/// Names the folder that the tests read instead of `cloudformation/`.
const FOLDER: &str = "QUILT_MCP_CLOUDFORMATION_FOLDER";

pub const TARGET: Target = Target {
    name: "cloudformation",
    folder: "cloudformation",
    table: include_str!("cloudformation.mutants"),
    tools: &["tools", "terraform"],
    judges,
};

/// The tests that read the templates, the quick ones first; what the Terraform modules make is not
/// asked again, since no mutant is there.
fn judges(copy: &Copy) -> anyhow::Result<Vec<Judge>> {
    let suites: [&[&str]; 3] = [
        &[
            "equivalence::the_templates_make_what_is_described",
            "equivalence::the_environment_is_the_modules",
            "parameters::",
            "releases::",
            "documents::",
        ],
        &["lint::"],
        &["stack::"],
    ];
    suites
        .into_iter()
        .map(|tests| Judge::tests("cloudformation", tests, FOLDER, copy))
        .collect()
}
