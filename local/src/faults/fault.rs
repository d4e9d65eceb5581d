use serde::{Deserialize, Serialize};

/// Something that goes wrong on purpose. `operation` is `service:Operation`, `image` the image as the
/// task definition has it, `revision` a revision as `family:number`; all with `*` and `?`.
///
/// One fault of each kind and target is on: the same again replaces it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "fault", rename_all = "kebab-case", deny_unknown_fields)]
#[non_exhaustive]
pub enum Fault {
    /// Every AWS call is answered as if its session token had expired.
    ExpiredCredentials,
    /// AWS calls are refused as IAM refuses what no policy allows.
    Deny {
        /// Which calls, for example `ecs:ListServiceDeployments`.
        operation: String,
    },
    /// AWS calls are refused for their rate.
    Throttle {
        /// Which calls, for example `ecs:Describe*`.
        #[serde(default = "every")]
        operation: String,
        /// The share of the calls: 0 to 1.
        #[serde(default = "always")]
        probability: f64,
        /// The same seed refuses the same calls: the n-th of an operation always or never.
        #[serde(default = "any_seed")]
        seed: u64,
    },
    /// AWS calls are answered 5xx; the operation is not carried out.
    ServerError {
        /// Which calls.
        #[serde(default = "every")]
        operation: String,
        /// The share of the calls: 0 to 1.
        #[serde(default = "always")]
        probability: f64,
        /// As for `throttle`.
        #[serde(default = "any_seed")]
        seed: u64,
    },
    /// The connection ends without an answer.
    CutOff {
        /// Which calls.
        #[serde(default = "every")]
        operation: String,
        /// The share of the calls: 0 to 1.
        #[serde(default = "always")]
        probability: f64,
        /// The share of the calls that are cut off which were carried out first: 0 to 1.
        #[serde(default)]
        carried_out: f64,
        /// As for `throttle`.
        #[serde(default = "any_seed")]
        seed: u64,
    },
    /// AWS calls take longer: `milliseconds`, or anything from that to `up_to`.
    Latency {
        /// Which calls.
        #[serde(default = "every")]
        operation: String,
        /// How much longer, in milliseconds.
        milliseconds: u64,
        /// At most how much longer, in milliseconds.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        up_to: Option<u64>,
        /// As for `throttle`.
        #[serde(default = "any_seed")]
        seed: u64,
    },
    /// Pulls of images fail with CannotPullContainerError.
    RefusePulls {
        /// Which tasks, for example `*@sha256:3f2a*`.
        #[serde(default = "every")]
        image: String,
    },
    /// Tasks end some time after their start.
    CrashTasks {
        /// Which tasks, by image.
        #[serde(default = "every")]
        image: String,
        /// Which tasks, by revision.
        #[serde(default = "every")]
        revision: String,
        /// Seconds from the start of the container.
        #[serde(default)]
        after_seconds: f64,
        /// The exit code that is told.
        #[serde(default = "one")]
        exit_code: i32,
    },
    /// Tasks stay PENDING, as with a slow pull.
    SlowStart {
        /// Which tasks, by image.
        #[serde(default = "every")]
        image: String,
        /// Which tasks, by revision.
        #[serde(default = "every")]
        revision: String,
        /// How long, in seconds.
        seconds: f64,
    },
    /// Health checks of tasks fail: the load balancer's with `status`, the container's with exit code 1.
    Unhealthy {
        /// Which tasks, by image.
        #[serde(default = "every")]
        image: String,
        /// Which tasks, by revision.
        #[serde(default = "every")]
        revision: String,
        /// What the target answers; without it, nothing in time.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        status: Option<u16>,
        /// For how long from the start of the task; for ever without it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        for_seconds: Option<f64>,
    },
    /// Uploads to the registry break off.
    BreakUploads {
        /// To which repositories.
        #[serde(default = "every")]
        repository: String,
        /// After how many bytes of a request.
        #[serde(default)]
        after_bytes: u64,
        /// How many requests, before the registry recovers; all without it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        times: Option<u32>,
    },
    /// The registry mounts no blob of another repository and begins an upload instead, as ECR does
    /// where the account setting `BLOB_MOUNTING` is not `ENABLED`, or where the repositories are
    /// encrypted differently (Amazon ECR user guide, "Blob mounting in Amazon ECR").
    RefuseMounts {
        /// Into which repositories.
        #[serde(default = "every")]
        repository: String,
    },
    /// The scan of an image finds a vulnerability.
    Vulnerability(Vulnerability),
    /// Images are not scanned at once.
    SlowScan {
        /// In which repositories.
        #[serde(default = "every")]
        repository: String,
        /// How long after the push, in seconds.
        seconds: f64,
    },
    /// A CloudWatch alarm is in the state ALARM.
    Alarm {
        /// Its name, as `deploymentConfiguration.alarms.alarmNames` has it.
        name: String,
    },
    /// Another operator updates the service, once.
    OtherDeployment {
        /// `family:number` or ARN; else the last completed revision, or the one that runs.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        task_definition: Option<String>,
        /// Not before a deployment in progress runs so many of its tasks.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        when_running: Option<u32>,
        /// So many seconds after that, or after now.
        #[serde(default)]
        after_seconds: f64,
    },
    /// Fargate retires a running task, once.
    RetireTask {
        /// In so many seconds.
        #[serde(default)]
        after_seconds: f64,
    },
    /// The service deployment in progress shows this `lifecycleStage`.
    Stage {
        /// For example `BAKE_TIME`.
        stage: String,
    },
}

/// A vulnerability that a scan finds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Vulnerability {
    /// In the images of which repositories.
    #[serde(default = "every")]
    pub repository: String,
    /// Its name, for example `CVE-2026-1234`.
    pub name: String,
    /// One of [`Fault::SEVERITIES`].
    #[serde(default = "high")]
    pub severity: String,
    /// The package that has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub package: Option<String>,
    /// The package's version in the image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub installed: Option<String>,
    /// The package's version without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fixed_in: Option<String>,
}

fn every() -> String {
    "*".to_owned()
}

fn always() -> f64 {
    1.0
}

fn high() -> String {
    "high".to_owned()
}

fn one() -> i32 {
    1
}

/// A seed by chance, for faults of which none is asked.
#[must_use]
pub fn any_seed() -> u64 {
    rand::random::<u32>().into()
}

/// Why a fault is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{member} is {value}: it must be {expected}")]
pub(crate) struct Invalid {
    member: &'static str,
    value: String,
    expected: &'static str,
}

impl Fault {
    /// The severities of a vulnerability, in small letters (Amazon Inspector user guide, "Severity
    /// levels for findings").
    pub const SEVERITIES: [&str; 6] = [
        "informational",
        "low",
        "medium",
        "high",
        "critical",
        "untriaged",
    ];

    /// The kind's name, as in the control requests.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::ExpiredCredentials => "expired-credentials",
            Self::Deny { .. } => "deny",
            Self::Throttle { .. } => "throttle",
            Self::ServerError { .. } => "server-error",
            Self::CutOff { .. } => "cut-off",
            Self::Latency { .. } => "latency",
            Self::RefusePulls { .. } => "refuse-pulls",
            Self::CrashTasks { .. } => "crash-tasks",
            Self::SlowStart { .. } => "slow-start",
            Self::Unhealthy { .. } => "unhealthy",
            Self::BreakUploads { .. } => "break-uploads",
            Self::RefuseMounts { .. } => "refuse-mounts",
            Self::Vulnerability { .. } => "vulnerability",
            Self::SlowScan { .. } => "slow-scan",
            Self::Alarm { .. } => "alarm",
            Self::OtherDeployment { .. } => "other-deployment",
            Self::RetireTask { .. } => "retire-task",
            Self::Stage { .. } => "stage",
        }
    }

    /// What tells it from others of its kind.
    pub(super) fn target(&self) -> (&str, &str) {
        match self {
            Self::Deny { operation }
            | Self::Throttle { operation, .. }
            | Self::ServerError { operation, .. }
            | Self::CutOff { operation, .. }
            | Self::Latency { operation, .. } => (operation, ""),
            Self::RefusePulls { image } => (image, ""),
            Self::CrashTasks {
                image, revision, ..
            }
            | Self::SlowStart {
                image, revision, ..
            }
            | Self::Unhealthy {
                image, revision, ..
            } => (image, revision),
            Self::BreakUploads { repository, .. }
            | Self::RefuseMounts { repository }
            | Self::SlowScan { repository, .. } => (repository, ""),
            Self::Vulnerability(found) => (&found.repository, &found.name),
            Self::Alarm { name } => (name, ""),
            Self::ExpiredCredentials
            | Self::OtherDeployment { .. }
            | Self::RetireTask { .. }
            | Self::Stage { .. } => ("", ""),
        }
    }

    /// Refuses numbers that make no sense.
    pub(crate) fn check(&self) -> Result<(), Invalid> {
        match self {
            Self::Throttle { probability, .. } | Self::ServerError { probability, .. } => {
                share("probability", *probability)
            }
            Self::CutOff {
                probability,
                carried_out,
                ..
            } => share("probability", *probability).and(share("carried_out", *carried_out)),
            Self::Latency {
                milliseconds,
                up_to: Some(up_to),
                ..
            } if up_to < milliseconds => Err(Invalid {
                member: "up_to",
                value: up_to.to_string(),
                expected: "at least milliseconds",
            }),
            Self::CrashTasks { after_seconds, .. }
            | Self::OtherDeployment { after_seconds, .. }
            | Self::RetireTask { after_seconds } => seconds("after_seconds", *after_seconds),
            Self::SlowStart { seconds: value, .. } | Self::SlowScan { seconds: value, .. } => {
                seconds("seconds", *value)
            }
            Self::Vulnerability(found) => found.check(),
            Self::Unhealthy {
                status,
                for_seconds,
                ..
            } => status
                .filter(|status| !(100..=599).contains(status))
                .map_or(Ok(()), |status| {
                    Err(Invalid {
                        member: "status",
                        value: status.to_string(),
                        expected: "an HTTP status, 100 to 599",
                    })
                })
                .and(for_seconds.map_or(Ok(()), |value| seconds("for_seconds", value))),
            _ => Ok(()),
        }
    }
}

impl Vulnerability {
    fn check(&self) -> Result<(), Invalid> {
        if !Fault::SEVERITIES.contains(&self.severity.as_str()) {
            return Err(Invalid {
                member: "severity",
                value: self.severity.clone(),
                expected: "informational, low, medium, high, critical or untriaged",
            });
        }
        let of_a_version = self.installed.is_some() || self.fixed_in.is_some();
        if self.package.is_none() && of_a_version {
            return Err(Invalid {
                member: "package",
                value: "missing".to_owned(),
                expected: "given, for a version to be of it",
            });
        }
        Ok(())
    }
}

fn share(member: &'static str, value: f64) -> Result<(), Invalid> {
    within(member, value, 1.0, "a share, 0 to 1")
}

fn seconds(member: &'static str, value: f64) -> Result<(), Invalid> {
    within(member, value, 86_400.0, "seconds, 0 to a day's 86400")
}

fn within(
    member: &'static str,
    value: f64,
    most: f64,
    expected: &'static str,
) -> Result<(), Invalid> {
    if (0.0..=most).contains(&value) {
        return Ok(());
    }
    Err(Invalid {
        member,
        value: value.to_string(),
        expected,
    })
}
