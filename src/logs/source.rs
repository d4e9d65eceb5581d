//! Where a container's lines go, as its task definition says.

use aws_sdk_cloudwatchlogs::config::{Builder, Region};

use crate::release::Document;

/// A container's place in CloudWatch Logs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogSource {
    /// The log group.
    pub group: String,
    /// `prefix/container`.
    pub stream_prefix: String,
    /// The group's region, where the task definition names one.
    pub region: Option<String>,
}

/// Why a container's lines cannot be found.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SourceError {
    /// It does not log to CloudWatch.
    #[error(
        "container `{container}` of {revision} does not log to CloudWatch Logs: its log driver is {driver}"
    )]
    OtherDriver {
        /// The container.
        container: String,
        /// The revision's ARN.
        revision: String,
        /// The driver that it has, or `none`.
        driver: String,
    },
    /// It does, but the task definition does not say where.
    #[error("container `{container}` of {revision} logs without the option {option}")]
    NoOption {
        /// The container.
        container: String,
        /// The revision's ARN.
        revision: String,
        /// The option of the `awslogs` driver.
        option: &'static str,
    },
}

impl LogSource {
    /// Reads the container's log configuration.
    ///
    /// # Errors
    /// [`SourceError`].
    pub fn of(document: &Document, container: &str) -> Result<Self, SourceError> {
        let driver = document.log_driver(container).unwrap_or("none");
        if driver != "awslogs" {
            return Err(SourceError::OtherDriver {
                container: container.to_owned(),
                revision: document.arn().to_owned(),
                driver: driver.to_owned(),
            });
        }
        let option = |option| {
            document
                .log_option(container, option)
                .ok_or_else(|| SourceError::NoOption {
                    container: container.to_owned(),
                    revision: document.arn().to_owned(),
                    option,
                })
        };
        let prefix = option("awslogs-stream-prefix")?;
        Ok(Self {
            group: option("awslogs-group")?.to_owned(),
            stream_prefix: format!("{prefix}/{container}"),
            region: document
                .log_option(container, "awslogs-region")
                .map(str::to_owned),
        })
    }

    /// The group may be in another region than the service.
    pub(super) fn region_override(&self) -> Builder {
        let mut builder = Builder::default();
        builder.set_region(self.region.clone().map(Region::new));
        builder
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn source(log: &Value) -> Result<LogSource, SourceError> {
        let described = json!({
            "taskDefinitionArn": "arn:x", "containerDefinitions": [{"name": "server", "logConfiguration": log}],
        });
        LogSource::of(
            &Document::new(described.as_object().unwrap().clone()),
            "server",
        )
    }

    #[test]
    fn is_read_from_the_log_configuration() {
        let options = json!({"awslogs-group": "/g", "awslogs-stream-prefix": "p", "awslogs-region": "eu-north-1"});
        let found = source(&json!({"logDriver": "awslogs", "options": options})).unwrap();
        assert_eq!(
            (found.group.as_str(), found.stream_prefix.as_str()),
            ("/g", "p/server")
        );
        assert_eq!(found.region.as_deref(), Some("eu-north-1"));
        for (log, says) in [
            (json!({"logDriver": "splunk"}), "its log driver is splunk"),
            (json!(null), "its log driver is none"),
            (
                json!({"logDriver": "awslogs", "options": {"awslogs-stream-prefix": "p"}}),
                "without the option awslogs-group",
            ),
            (
                json!({"logDriver": "awslogs", "options": {"awslogs-group": "/g"}}),
                "without the option awslogs-stream-prefix",
            ),
        ] {
            let error = source(&log).unwrap_err().to_string();
            assert!(error.contains(says), "{error}");
        }
    }
}
