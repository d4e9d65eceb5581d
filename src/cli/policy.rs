//! `policy`: what a role of one's own must be allowed for some commands.

use std::collections::BTreeSet;
use std::fmt;

use clap::Args;
use clap::builder::PossibleValuesParser;
use serde::Serialize;

use super::{Context, Exit, Failure};
use crate::arn::{last_part, partition};
use crate::config::Environment;
use crate::permissions::{self, Names, Needs, On, Policy};
use crate::report::Reporter;
use crate::rollout::preflight::Snapshot;
use crate::verify::gather::resources::secret_arn;
use crate::verify::gather::service::task;
use crate::verify::{Missing, Task};

/// As many characters as a managed policy may have, white space not counted
/// (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html>).
const LONGEST_MANAGED_POLICY: usize = 6144;

/// Print the IAM policy that commands need in this environment, for a role of your own.
///
/// It is what the Terraform module github-oidc gives CI, for an operator's role or another CI's.
/// The names in it come from the service and its task definition, which are read and not changed.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  quilt-mcp-deploy policy --env staging --for status --for logs > policy.json"
)]
pub struct PolicyArgs {
    /// A command that the role is for, as docs/permissions.md lists it; once for each
    #[arg(long = "for", value_name = "COMMAND", required = true, value_parser = commands())]
    commands: Vec<String>,
    /// The role that will have the policy, for verify, which asks IAM what that role may do
    #[arg(long, value_name = "ARN", value_parser = role_arn)]
    role: Option<String>,
}

/// `arn:PARTITION:iam::ACCOUNT:role/NAME`, as IAM writes a role.
fn role_arn(text: &str) -> Result<String, String> {
    let parts: Vec<&str> = text.splitn(6, ':').collect();
    let is_role = matches!(parts[..], ["arn", _, "iam", "", account, name]
        if account.len() == 12 && name.len() > "role/".len() && name.starts_with("role/"));
    match is_role {
        true => Ok(text.to_owned()),
        false => Err("a role's ARN is arn:aws:iam::ACCOUNT:role/NAME".to_owned()),
    }
}

fn commands() -> PossibleValuesParser {
    PossibleValuesParser::new(permissions::listed().iter().map(|needs| needs.command))
}

/// The policy of some commands.
#[derive(Debug, Serialize, schemars::JsonSchema)]
pub(super) struct PolicyResult {
    version: u32,
    environment: String,
    /// What it is for.
    commands: BTreeSet<String>,
    /// The policy document, as IAM takes it.
    policy: Policy,
}

impl PolicyArgs {
    /// Prints it.
    ///
    /// # Errors
    /// [`Failure`] with exit code 2 for a command that this environment does not have, 4 when the
    /// service or its task definition cannot be read, or 13.
    pub async fn run(self, context: &Context) -> Result<Exit, Failure> {
        let commands: BTreeSet<String> = self.commands.into_iter().collect();
        let wanted: Vec<&Needs> = permissions::listed()
            .iter()
            .filter(|needs| commands.contains(needs.command))
            .collect();
        let need = |on| wanted.iter().any(|needs| needs.needs_on(on));
        let (environment, clients) = context.connect().await?;
        if need(On::Stack) && environment.deploy_through.stack().is_none() {
            return Err(Failure::new(
                Exit::Usage,
                format!("releases of {} go through no stack", environment.name),
            )
            .hint("use `--for rollout`, or set deploy_through = \"cloudformation\" and stack"));
        }
        let service = Snapshot::take(&clients, &environment).await?;
        let task =
            task(&clients, &service.task_definition)
                .await
                .map_err(|missing| match missing {
                    Missing::Aws(error) => Failure::aws(Exit::Preflight, &error),
                    Missing::Other(reason) => Failure::new(Exit::Preflight, reason),
                })?;
        let names = names(&environment, task, self.role);
        if need(On::Caller) && names.caller.is_none() {
            context.reporter.note(
                "without --role the policy does not let verify ask IAM what its caller may do; that check is unknown then",
            );
        }
        let policy = Policy::of(wanted, &names);
        if policy.characters() > LONGEST_MANAGED_POLICY {
            context.reporter.note(
                "the policy is longer than a managed policy may be (6144 characters): make it an inline policy, or two for fewer commands each",
            );
        }
        context.print(&PolicyResult {
            version: 1,
            environment: environment.name,
            commands,
            policy,
        })?;
        Ok(Exit::Done)
    }
}

fn names(environment: &Environment, task: Task, role: Option<String>) -> Names {
    let secrets: BTreeSet<String> = task
        .containers
        .iter()
        .flat_map(|container| &container.secrets)
        .filter_map(|(_, value_from)| secret_arn(value_from))
        .collect();
    Names {
        partition: partition(&task.arn).to_owned(),
        account_id: environment.account_id.clone(),
        region: environment.region.clone(),
        repository: environment.repository.clone(),
        cluster: last_part(&environment.cluster).to_owned(),
        service: environment.service.clone(),
        roles: task.roles().cloned().collect(),
        log_group: task
            .container(&environment.container)
            .and_then(|container| container.log_group.clone()),
        family: task.family,
        secrets: secrets.into_iter().collect(),
        stack: environment.deploy_through.stack().map(str::to_owned),
        caller: role,
    }
}

/// The document alone, so that it can be written to a file as it is.
impl fmt::Display for PolicyResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = serde_json::to_string_pretty(&self.policy).map_err(|_| fmt::Error)?;
        f.write_str(&text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_is_named_by_its_arn() {
        for (text, taken) in [
            ("arn:aws:iam::123456789012:role/release", true),
            ("arn:aws-cn:iam::123456789012:role/path/release", true),
            ("release", false),
            ("arn:aws:iam::123456789012:role/", false),
            ("arn:aws:iam::123456789012:user/me", false),
            ("arn:aws:sts::123456789012:assumed-role/release/me", false),
        ] {
            assert_eq!(role_arn(text).is_ok(), taken, "{text}");
        }
    }
}
