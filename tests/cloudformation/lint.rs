//! cfn-lint and checkov on the templates.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::support::{skip, tool_named_by};
use crate::template;

/// Before it, cfn-lint did not know that a listener rule takes tags.
const OLDEST: [u32; 2] = [1, 58];

#[test]
fn cfn_lint_has_nothing_to_say() {
    let Some(cfn_lint) = tool_named_by("QUILT_MCP_CFN_LINT", "cfn-lint") else {
        return;
    };
    let version = version(&cfn_lint);
    if version[..] < OLDEST[..] {
        return skip(&format!(
            "cfn-lint {version:?} does not know what resources take today"
        ));
    }
    let output = Command::new(cfn_lint)
        // Information too; and a region that is not the first to get everything.
        .args([
            "--include-checks",
            "I",
            "--regions",
            "us-east-1",
            "eu-west-1",
            "--format",
            "parseable",
            "--",
        ])
        .args(template::NAMES.map(template::path))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let complained = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}{complained}");
    assert_eq!(said, "");
}

/// What `cfn-lint 1.58.0` says of itself.
fn version(cfn_lint: &Path) -> Vec<u32> {
    let output = Command::new(cfn_lint).arg("--version").output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let numbers = said
        .split_whitespace()
        .last()
        .unwrap_or_default()
        .split('.');
    numbers.filter_map(|number| number.parse().ok()).collect()
}

#[test]
fn checkov_has_nothing_to_say() {
    let Some(checkov) = tool_named_by("QUILT_MCP_CHECKOV", "checkov") else {
        return;
    };
    let output = Command::new(checkov)
        .args([
            "--framework",
            "cloudformation",
            "--output",
            "json",
            "--skip-download",
        ])
        .arg("--config-file")
        .arg(template::path("checkov.yaml"))
        .args(
            template::NAMES
                .iter()
                .flat_map(|name| ["--file".into(), template::path(name)]),
        )
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let report: Value = serde_json::from_str(&text).unwrap_or_else(|error| {
        panic!(
            "{error}: {text} {}",
            String::from_utf8_lossy(&output.stderr)
        )
    });
    let failed: Vec<String> = report["results"]["failed_checks"]
        .as_array()
        .unwrap()
        .iter()
        .map(|check| {
            format!(
                "{} {} {}",
                check["check_id"], check["resource"], check["check_name"]
            )
        })
        .collect();
    assert!(failed.is_empty(), "{failed:#?}");
    let passed = report["summary"]["passed"].as_u64().unwrap();
    assert!(passed > 20, "checkov looked at {passed} things only");
}
