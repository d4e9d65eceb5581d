//! What a service that runs tells of its environment.

mod gather;
mod read;

use std::fmt;
use std::str::FromStr;

use crate::aws::AwsError;
use crate::config::ConfigError;

pub use gather::look;
pub use read::{Seen, SeenContainer, SeenListener, draft};

/// A service as it is named on the command line: `CLUSTER/SERVICE` or its ARN.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceName {
    /// The cluster's name.
    pub cluster: String,
    /// The service's name.
    pub service: String,
    /// The region, where an ARN says it.
    pub region: Option<String>,
}

/// The text is not a service's name.
#[derive(Debug, thiserror::Error)]
#[error("give CLUSTER/SERVICE, or the service's ARN with the cluster in it")]
pub struct NotAServiceName;

/// Why a service told nothing.
#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    /// Nobody said where it is.
    #[error("the region of {0} is not known")]
    NoRegion(ServiceName),
    /// It is not there.
    #[error("there is no service {name} in {region}")]
    Absent {
        /// What was asked for.
        name: ServiceName,
        /// Where.
        region: String,
    },
    /// Several containers could be the server.
    #[error("the service's tasks have the containers {}, and which one runs the server is not told", .0.join(", "))]
    WhichContainer(Vec<String>),
    /// There is no container of the name that was given.
    #[error("the service's tasks have no container {named}; they have {}", known.join(", "))]
    NoContainer {
        /// What was asked for.
        named: String,
        /// The containers that there are.
        known: Vec<String>,
    },
    /// The region is none.
    #[error(transparent)]
    Region(#[from] Box<ConfigError>),
    /// AWS did not say.
    #[error(transparent)]
    Aws(Box<AwsError>),
}

impl From<AwsError> for ServiceError {
    fn from(error: AwsError) -> Self {
        Self::Aws(Box::new(error))
    }
}

impl ServiceError {
    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::NoRegion(_) => Some("give --region, or a --profile that has one".to_owned()),
            Self::Absent { name, region } => Some(format!(
                "`aws ecs list-services --region {region} --cluster {}` lists those that there are",
                name.cluster
            )),
            Self::WhichContainer(_) | Self::NoContainer { .. } => {
                Some("name the one that runs the server with --container".to_owned())
            }
            Self::Region(_) => None,
            Self::Aws(error) => error.hint(),
        }
    }
}

impl fmt::Display for ServiceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.cluster, self.service)
    }
}

impl FromStr for ServiceName {
    type Err = NotAServiceName;

    fn from_str(text: &str) -> Result<Self, NotAServiceName> {
        // arn:PARTITION:ecs:REGION:ACCOUNT:service/CLUSTER/SERVICE
        let (region, name) = match text.split(':').collect::<Vec<_>>()[..] {
            [name] => (None, name),
            ["arn", _, "ecs", region, _, name] => (
                Some(region.to_owned()),
                name.strip_prefix("service/").ok_or(NotAServiceName)?,
            ),
            _ => return Err(NotAServiceName),
        };
        match name.split('/').collect::<Vec<_>>()[..] {
            [cluster, service] if !cluster.is_empty() && !service.is_empty() => Ok(Self {
                cluster: cluster.to_owned(),
                service: service.to_owned(),
                region,
            }),
            _ => Err(NotAServiceName),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn services_are_named_in_two_ways() {
        for (text, expected) in [
            ("acme/mcp", Some(("acme", "mcp", None))),
            (
                "arn:aws:ecs:eu-west-1:111111111111:service/acme/mcp",
                Some(("acme", "mcp", Some("eu-west-1"))),
            ),
            ("mcp", None),
            ("acme/mcp/7", None),
            ("/mcp", None),
            ("arn:aws:ecs:eu-west-1:111111111111:service/mcp", None),
            ("arn:aws:ecs:eu-west-1:111111111111:cluster/acme/mcp", None),
            ("arn:aws:iam::111111111111:role/acme", None),
        ] {
            let name = text.parse::<ServiceName>().ok();
            let name = name.as_ref().map(|name| {
                let ServiceName {
                    cluster,
                    service,
                    region,
                } = name;
                (cluster.as_str(), service.as_str(), region.as_deref())
            });
            assert_eq!(name, expected, "{text}");
        }
    }
}
