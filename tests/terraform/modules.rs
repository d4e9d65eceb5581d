//! Terraform's own checks and the tests beside each module.

use crate::example;
use crate::support::terraform::Terraform;

const MODULES: [&str; 3] = ["modules/ecr", "modules/github-oidc", "modules/mcp-service"];
const ENVIRONMENTS: [&str; 3] = [
    "environments/dev",
    "environments/staging",
    "environments/prod",
];

#[test]
fn everything_is_formatted() {
    let Some(terraform) = Terraform::copy() else {
        return;
    };
    let left = terraform.run(".", &["fmt", "-check", "-recursive", "-list=true"]);
    assert_eq!(left, "", "`terraform fmt -recursive` changes these");
}

#[test]
fn the_tests_beside_the_modules_pass() {
    let Some(terraform) = Terraform::copy() else {
        return;
    };
    for module in MODULES {
        terraform.init(module);
        terraform.run(module, &["validate"]);
        let said = terraform.run(module, &["test"]);
        let passed = said.matches("... pass").count();
        assert!(passed > 5, "{module}: {said}");
        println!("{module}: {passed} runs passed");
    }
}

#[test]
fn a_placeholder_that_was_left_is_refused() {
    let Some(terraform) = Terraform::copy() else {
        return;
    };
    for environment in ENVIRONMENTS {
        terraform.init(environment);
        let output = terraform.attempt(environment, &["validate"]);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success(), "{environment}: {output:?}");
        assert!(said.contains("Invalid value for variable"), "{said}");
        assert!(said.contains("YOUR-"), "{said}");
        assert!(said.contains("A placeholder was left"), "{said}");
    }
}

#[test]
fn production_s_job_may_only_read_in_staging() {
    let Some(terraform) = Terraform::copy() else {
        return;
    };
    let path = terraform.path("environments/staging").join("main.tf");
    let text = std::fs::read_to_string(path).unwrap();
    let body = hcl::parse(&text).unwrap();
    let for_production = body.blocks().filter(|block| {
        let text = hcl::to_string(block).unwrap_or_default();
        block.identifier() == "module" && text.contains(":environment:prod\"")
    });
    let commands: Vec<String> = for_production
        .flat_map(|block| block.body().attributes())
        .filter(|attribute| attribute.key() == "commands")
        .map(|attribute| attribute.expr().to_string())
        .collect();
    assert_eq!(commands.len(), 1, "{commands:?}");
    assert_eq!(
        commands[0].split_whitespace().collect::<String>(),
        "[\"promotefrom\"]"
    );
}

#[test]
fn the_example_environments_work_once_they_are_filled_in() {
    let Some(terraform) = Terraform::copy() else {
        return;
    };
    for environment in ENVIRONMENTS {
        example::fill_in(&terraform, environment);
        terraform.init(environment);
        terraform.run(environment, &["validate"]);
        let said = terraform.run(environment, &["test"]);
        assert!(said.contains("1 passed, 0 failed"), "{said}");
    }
}

/// Whoever deletes less than what uses GitHub's provider is left with what Terraform refuses.
#[test]
fn an_example_says_what_goes_without_github() {
    let Some(terraform) = Terraform::copy() else {
        return;
    };
    for environment in ENVIRONMENTS {
        let path = terraform.path(environment).join("main.tf");
        let text = std::fs::read_to_string(path).unwrap();
        let advice = "# Without GitHub Actions, delete this, ";
        let advice = text.lines().find_map(|line| line.strip_prefix(advice));
        let named: Vec<&str> = advice.unwrap().split('`').skip(1).step_by(2).collect();
        let users: Vec<&str> = text
            .split("\nmodule \"")
            .skip(1)
            .filter(|module| module.contains("data.aws_iam_openid_connect_provider."))
            .filter_map(|module| module.split('"').next())
            .collect();
        assert_eq!(named, users, "{environment}/main.tf");
    }
}

#[test]
fn an_example_keeps_to_its_environment() {
    let Some(terraform) = Terraform::copy() else {
        return;
    };
    for environment in ENVIRONMENTS {
        let name = environment.trim_start_matches("environments/");
        for (file, line) in [
            (
                "terraform.tf",
                format!("key = \"quilt-mcp/{name}/terraform.tfstate\""),
            ),
            ("terraform.tf", format!("Environment = \"{name}\"")),
            (
                "main.tf",
                format!(
                    "subjects = [\"repo:YOUR-ORGANISATION/YOUR-REPOSITORY:environment:{name}\"]"
                ),
            ),
        ] {
            let path = terraform.path(environment).join(file);
            let text = std::fs::read_to_string(path).unwrap();
            // `terraform fmt` aligns the signs of equality.
            let mut lines = text
                .lines()
                .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "));
            assert!(
                lines.any(|found| found == line),
                "{environment}/{file} has no line `{line}`"
            );
        }
    }
}
