//! The stack that holds the service, and its revision.

use crate::arn::last_part;
use crate::aws::Clients;
use crate::config::Environment;
use crate::release::family_of;
use crate::stack::{Stack, StackError, StackResource};

const SERVICE: &str = "AWS::ECS::Service";
const TASK_DEFINITION: &str = "AWS::ECS::TaskDefinition";

/// A stack that was seen to hold the environment's service.
#[derive(Debug, Clone)]
pub struct Held {
    /// The stack.
    pub stack: Stack,
    /// The ARN of the revision that is in it.
    pub revision: String,
}

impl Held {
    /// The stack `name`, once it is seen to hold the environment's service, which runs `running`.
    ///
    /// # Errors
    /// [`StackError`]; nothing was changed.
    pub async fn find(
        clients: &Clients,
        environment: &Environment,
        name: &str,
        running: &str,
    ) -> Result<Self, StackError> {
        let stack = Stack::describe(clients, name, &environment.region).await?;
        let resources = Stack::resources(clients, name).await?;
        let lacks = |what: String| StackError::NotItsService {
            stack: name.to_owned(),
            what,
        };
        if !of_kind(&resources, SERVICE).any(|id| is_of(environment, id)) {
            return Err(lacks(format!(
                "service {} of cluster {}",
                environment.service,
                last_part(&environment.cluster)
            )));
        }
        let revision = revision(&resources, running)
            .ok_or_else(|| lacks(format!("the task definition of {}", environment.service)))?;
        Ok(Self { stack, revision })
    }
}

/// Whether it is the environment's service: `arn:…:service/CLUSTER/NAME`; the ARNs of old say no cluster
/// (Amazon ECS Developer Guide, "Amazon Resource Names (ARNs) and IDs").
fn is_of(environment: &Environment, service: &str) -> bool {
    let mut parts = service.rsplit('/');
    let name = parts.next();
    let cluster = parts.next().filter(|part| !part.ends_with(":service"));
    name == Some(environment.service.as_str())
        && cluster.is_none_or(|cluster| cluster == last_part(&environment.cluster))
}

/// The revision in the stack: that of the family that the service runs, else the only one.
pub(super) fn revision(resources: &[StackResource], running: &str) -> Option<String> {
    let all: Vec<&str> = of_kind(resources, TASK_DEFINITION).collect();
    let of_family = all.iter().find(|arn| family_of(arn) == family_of(running));
    match (of_family, all.as_slice()) {
        (Some(found), _) | (None, [found]) => Some((*found).to_owned()),
        (None, _) => None,
    }
}

fn of_kind<'a>(resources: &'a [StackResource], kind: &str) -> impl Iterator<Item = &'a str> {
    resources
        .iter()
        .filter(move |resource| resource.kind == kind)
        .map(|resource| resource.physical_id.as_str())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config::Config;

    fn resources(of: &[(&str, &str)]) -> Vec<StackResource> {
        of.iter()
            .map(|(kind, id)| StackResource {
                kind: (*kind).to_owned(),
                physical_id: (*id).to_owned(),
            })
            .collect()
    }

    #[test]
    fn the_service_is_of_the_cluster() {
        const CONFIGURATION: &str = r#"
[environments.staging]
account_id = "123456789012"
region = "eu-west-1"
repository = "mcp"
cluster = "CLUSTER"
service = "mcp"
url = "https://mcp.example.com/mcp/"
"#;
        let cluster_arn = "arn:aws:ecs:eu-west-1:123456789012:cluster/acme";
        for (cluster, id, holds) in [
            ("acme", "service/acme/mcp", true),
            (cluster_arn, "service/acme/mcp", true),
            ("acme", "service/other/mcp", false),
            ("acme", "service/acme/other", false),
            ("acme", "service/mcp", true),
        ] {
            let text = CONFIGURATION.replace("CLUSTER", cluster);
            let config = Config::parse(Path::new("quilt-mcp.toml"), &text).unwrap();
            let environment = config.environment("staging").unwrap();
            let arn = format!("arn:aws:ecs:eu-west-1:123456789012:{id}");
            assert_eq!(is_of(environment, &arn), holds, "{cluster} {id}");
        }
    }

    #[test]
    fn the_revision_is_of_the_services_family_or_the_only_one() {
        let arn = |name: &str| format!("arn:aws:ecs:r:1:task-definition/{name}");
        let one = resources(&[(SERVICE, "arn:s"), (TASK_DEFINITION, &arn("mcp:3"))]);
        let two = resources(&[
            (TASK_DEFINITION, &arn("job:9")),
            (TASK_DEFINITION, &arn("mcp:4")),
        ]);
        for (resources, running, expected) in [
            (&one, "mcp:2", Some("mcp:3")),
            (&one, "other:2", Some("mcp:3")),
            (&two, "mcp:4", Some("mcp:4")),
            (&two, "job:1", Some("job:9")),
            (&two, "other:1", None),
        ] {
            let found = revision(resources, &arn(running));
            assert_eq!(found, expected.map(arn), "{running}");
        }
        assert_eq!(revision(&resources(&[]), "mcp:1"), None);
    }
}
