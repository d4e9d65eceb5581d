//! What could not be found out about an environment's images.

use std::fmt;

use crate::aws::AwsError;

/// Something about the images of an environment that could not be found out.
#[derive(Debug, Clone)]
pub enum Unknown {
    /// AWS did not answer or refused.
    Aws(AwsError),
    /// ECS knows no such service, or knows it as deleted.
    NoService {
        /// The cluster that was asked.
        cluster: String,
        /// The service.
        service: String,
        /// ECS's word for it, such as `MISSING`.
        reason: String,
    },
    /// ECS's history lists a service deployment that ECS does not describe.
    Deployment {
        /// Its ARN.
        arn: String,
    },
    /// ECS's history names a service revision that ECS does not describe.
    Revision {
        /// Its ARN.
        arn: String,
        /// ECS's word for it, such as `MISSING`.
        reason: String,
    },
    /// A task definition lacks the server's container, or its image.
    NoContainer {
        /// The container.
        container: String,
        /// The task definition.
        task_definition: String,
    },
    /// A task definition names its image by a tag from which no digest follows.
    Tag {
        /// The image, as the task definition has it.
        image: String,
        /// The task definition.
        task_definition: String,
        /// Why none follows.
        why: &'static str,
    },
}

impl Unknown {
    /// What the operator can do about it.
    pub fn hint(&self) -> String {
        match self {
            Self::Aws(error) => error
                .hint()
                .unwrap_or_else(|| "run the same command again later".to_owned()),
            Self::NoService { .. } => "correct cluster and service in quilt-mcp.toml, or take an environment that has no service out of it".to_owned(),
            Self::Deployment { .. } | Self::Revision { .. } => "run the same command again; what stays missing leaves ECS's history after 90 days".to_owned(),
            Self::NoContainer { .. } => "correct container in quilt-mcp.toml".to_owned(),
            Self::Tag { .. } => "roll out the image by digest, as `quilt-mcp-deploy rollout` does".to_owned(),
        }
    }
}

impl From<AwsError> for Unknown {
    fn from(error: AwsError) -> Self {
        Self::Aws(error)
    }
}

impl fmt::Display for Unknown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Aws(error) => error.fmt(f),
            Self::NoService {
                cluster,
                service,
                reason,
            } => write!(
                f,
                "ecs:DescribeServices finds no service {service} in cluster {cluster} ({reason})"
            ),
            Self::Deployment { arn } => {
                write!(f, "ecs:DescribeServiceDeployments does not describe {arn}")
            }
            Self::Revision { arn, reason } => write!(
                f,
                "ecs:DescribeServiceRevisions does not describe {arn} ({reason})"
            ),
            Self::NoContainer {
                container,
                task_definition,
            } => write!(
                f,
                "{task_definition} names no image for a container {container}"
            ),
            Self::Tag {
                image,
                task_definition,
                why,
            } => write!(
                f,
                "{task_definition} names its image by tag, {image}: {why}"
            ),
        }
    }
}
