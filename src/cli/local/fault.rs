//! `local fault`: what goes wrong on purpose.

use std::fmt;

use clap::builder::PossibleValuesParser;
use clap::{Args, Subcommand};
use quilt_mcp_local::{Description, Fault, Vulnerability, any_seed};
use serde::Serialize;
use serde_json::Value;

use super::{Context, Exit, Failure, control, running};
use crate::report::Reporter;

/// Faults of the local environment.
#[derive(Debug, Subcommand)]
#[command(
    after_help = "Examples:\n  quilt-mcp-deploy local fault unhealthy --status 503\n  quilt-mcp-deploy local fault list\n  quilt-mcp-deploy local fault clear"
)]
pub enum FaultCommand {
    /// Every AWS call is answered as if the credentials had expired
    #[command(after_help = "Example:\n  quilt-mcp-deploy local fault expired-credentials")]
    ExpiredCredentials,
    /// AWS calls are refused as IAM refuses what no policy allows
    #[command(
        after_help = "Example:\n  quilt-mcp-deploy local fault deny ecs:ListServiceDeployments"
    )]
    Deny {
        /// service:Operation, with * and ?, for example ecs:ListServiceDeployments
        operation: String,
    },
    /// AWS calls are throttled
    #[command(
        after_help = "Example:\n  quilt-mcp-deploy local fault throttle --operation 'ecs:Describe*' \\\n    --probability 0.5 --seed 1"
    )]
    Throttle(Chance),
    /// AWS calls are answered 5xx
    #[command(
        after_help = "Example:\n  quilt-mcp-deploy local fault server-error --operation ecs:UpdateService \\\n    --probability 0.3"
    )]
    ServerError(Chance),
    /// Connections end without an answer
    #[command(
        after_help = "Example:\n  quilt-mcp-deploy local fault cut-off --operation ecs:UpdateService \\\n    --carried-out 1"
    )]
    CutOff {
        #[command(flatten)]
        chance: Chance,
        /// The share of these calls that are carried out first, 0 to 1
        #[arg(long, value_name = "SHARE", default_value_t = 0.0)]
        carried_out: f64,
    },
    /// AWS calls take longer
    #[command(
        after_help = "Example:\n  quilt-mcp-deploy local fault latency --milliseconds 200 --up-to 2000"
    )]
    Latency {
        /// service:Operation, with * and ?
        #[arg(long, default_value = "*")]
        operation: String,
        /// How much longer, in milliseconds
        #[arg(long)]
        milliseconds: u64,
        /// At most how much longer, in milliseconds: anything in between
        #[arg(long, value_name = "MILLISECONDS")]
        up_to: Option<u64>,
        /// The same seed takes the same times
        #[arg(long)]
        seed: Option<u64>,
    },
    /// Pulls of images fail
    #[command(after_help = "Example:\n  quilt-mcp-deploy local fault refuse-pulls")]
    RefusePulls {
        /// The image as the task definition has it, with * and ?
        #[arg(long, default_value = "*")]
        image: String,
    },
    /// Tasks end some time after their start
    #[command(
        after_help = "Example:\n  quilt-mcp-deploy local fault crash-tasks --after 1.5 --exit-code 137"
    )]
    CrashTasks {
        #[command(flatten)]
        tasks: Tasks,
        /// Seconds from the start of the container
        #[arg(long, value_name = "SECONDS", default_value_t = 0.0)]
        after: f64,
        /// The exit code that is told
        #[arg(
            long,
            value_name = "CODE",
            default_value_t = 1,
            allow_negative_numbers = true
        )]
        exit_code: i32,
    },
    /// Tasks stay PENDING
    #[command(after_help = "Example:\n  quilt-mcp-deploy local fault slow-start --seconds 20")]
    SlowStart {
        #[command(flatten)]
        tasks: Tasks,
        /// How long, in seconds
        #[arg(long)]
        seconds: f64,
    },
    /// Health checks of tasks fail
    #[command(
        after_help = "Example:\n  quilt-mcp-deploy local fault unhealthy --status 503 \\\n    --revision quilt-local-mcp-server:3"
    )]
    Unhealthy {
        #[command(flatten)]
        tasks: Tasks,
        /// What the target answers; without it, nothing in time
        #[arg(long)]
        status: Option<u16>,
        /// For so many seconds from the task's start; for ever without it
        #[arg(long, value_name = "SECONDS")]
        during: Option<f64>,
    },
    /// Uploads to the registry break off
    #[command(
        after_help = "Example:\n  quilt-mcp-deploy local fault break-uploads --after-bytes 100000 --times 2"
    )]
    BreakUploads {
        /// To which repositories, with * and ?
        #[arg(long, default_value = "*")]
        repository: String,
        /// After how many bytes of a request
        #[arg(long, default_value_t = 0)]
        after_bytes: u64,
        /// How many requests, before the registry recovers; all without it
        #[arg(long)]
        times: Option<u32>,
    },
    /// The registry mounts no blobs of another repository, as ECR by default
    #[command(after_help = "Example:\n  quilt-mcp-deploy local fault refuse-mounts")]
    RefuseMounts {
        /// Into which repositories, with * and ?
        #[arg(long, default_value = "*")]
        repository: String,
    },
    /// The scan of an image finds a vulnerability
    #[command(
        after_help = "Example:\n  quilt-mcp-deploy local fault vulnerability CVE-2026-1234 \\\n    --severity critical --package openssl --installed 3.0.1 --fixed-in 3.0.2"
    )]
    Vulnerability {
        /// For example CVE-2026-1234
        name: String,
        /// How bad it is
        #[arg(long, default_value = "high", value_parser = PossibleValuesParser::new(Fault::SEVERITIES))]
        severity: String,
        /// The package that has it
        #[arg(long)]
        package: Option<String>,
        /// The package's version in the image
        #[arg(long, value_name = "VERSION", requires = "package")]
        installed: Option<String>,
        /// The package's version without it
        #[arg(long, value_name = "VERSION", requires = "package")]
        fixed_in: Option<String>,
        /// In which repositories, with * and ?
        #[arg(long, default_value = "*")]
        repository: String,
    },
    /// Images are not scanned at once
    #[command(after_help = "Example:\n  quilt-mcp-deploy local fault slow-scan --seconds 20")]
    SlowScan {
        /// How long after the push, in seconds
        #[arg(long)]
        seconds: f64,
        /// In which repositories, with * and ?
        #[arg(long, default_value = "*")]
        repository: String,
    },
    /// A CloudWatch alarm is in the state ALARM
    #[command(
        after_help = "Example:\n  quilt-mcp-deploy local fault alarm quilt-local-mcp-server-5xx"
    )]
    Alarm {
        /// As the service's deployment configuration names it
        name: String,
    },
    /// Another operator updates the service, once
    #[command(
        after_help = "Example:\n  quilt-mcp-deploy local fault other-deployment --when-running 1"
    )]
    OtherDeployment {
        /// family:number or ARN; else the last completed revision
        #[arg(long, value_name = "REVISION")]
        task_definition: Option<String>,
        /// Not before a deployment in progress runs so many tasks of its own
        #[arg(long, value_name = "TASKS")]
        when_running: Option<u32>,
        /// So many seconds after that, or after now
        #[arg(long, value_name = "SECONDS", default_value_t = 0.0)]
        after: f64,
    },
    /// Fargate retires a running task, once
    #[command(after_help = "Example:\n  quilt-mcp-deploy local fault retire-task --after 5")]
    RetireTask {
        /// In so many seconds
        #[arg(long, value_name = "SECONDS", default_value_t = 0.0)]
        after: f64,
    },
    /// The service deployment in progress shows a life-cycle stage
    #[command(after_help = "Example:\n  quilt-mcp-deploy local fault stage BAKE_TIME")]
    Stage {
        /// For example BAKE_TIME
        stage: String,
    },
    /// Show the faults that are on
    #[command(after_help = "Example:\n  quilt-mcp-deploy local fault list")]
    List,
    /// Switch every fault off, or those of one kind
    #[command(after_help = "Example:\n  quilt-mcp-deploy local fault clear throttle")]
    Clear {
        /// For example throttle
        kind: Option<String>,
    },
}

/// Which calls, and how many of them.
#[derive(Debug, Args)]
pub struct Chance {
    /// service:Operation, with * and ?
    #[arg(long, default_value = "*")]
    operation: String,
    /// The share of the calls, 0 to 1
    #[arg(long, default_value_t = 1.0)]
    probability: f64,
    /// The same seed concerns the same calls
    #[arg(long)]
    seed: Option<u64>,
}

/// Which tasks.
#[derive(Debug, Args)]
pub struct Tasks {
    /// By image, as the task definition has it, with * and ?
    #[arg(long, default_value = "*")]
    image: String,
    /// By revision, family:number with * and ?
    #[arg(long, default_value = "*")]
    revision: String,
}

impl FaultCommand {
    pub(super) async fn run(self, context: &Context) -> Result<Exit, Failure> {
        let description =
            running(context)?.ok_or(crate::config::LocalEnvironmentError::NotRunning)?;
        match self {
            Self::List => {}
            Self::Clear { kind } => {
                let path = match kind {
                    Some(kind) => format!("faults/{kind}"),
                    None => "faults".to_owned(),
                };
                control(&description, reqwest::Method::DELETE, &path, None).await?;
            }
            on => {
                if let Some(fault) = on.fault() {
                    switch_on(context, &description, &fault).await?;
                }
            }
        }
        context.print(&Faults {
            version: 1,
            faults: control(&description, reqwest::Method::GET, "faults", None).await?,
        })?;
        Ok(Exit::Done)
    }

    /// The fault to switch on; `None` for the commands about faults.
    fn fault(self) -> Option<Fault> {
        let seed = |seed: Option<u64>| seed.unwrap_or_else(any_seed);
        Some(match self {
            Self::List | Self::Clear { .. } => return None,
            Self::ExpiredCredentials => Fault::ExpiredCredentials,
            Self::Deny { operation } => Fault::Deny { operation },
            Self::Throttle(chance) => Fault::Throttle {
                operation: chance.operation,
                probability: chance.probability,
                seed: seed(chance.seed),
            },
            Self::ServerError(chance) => Fault::ServerError {
                operation: chance.operation,
                probability: chance.probability,
                seed: seed(chance.seed),
            },
            Self::CutOff {
                chance,
                carried_out,
            } => Fault::CutOff {
                operation: chance.operation,
                probability: chance.probability,
                carried_out,
                seed: seed(chance.seed),
            },
            Self::Latency {
                operation,
                milliseconds,
                up_to,
                seed: chosen,
            } => Fault::Latency {
                operation,
                milliseconds,
                up_to,
                seed: seed(chosen),
            },
            Self::RefusePulls { image } => Fault::RefusePulls { image },
            Self::CrashTasks {
                tasks,
                after,
                exit_code,
            } => Fault::CrashTasks {
                image: tasks.image,
                revision: tasks.revision,
                after_seconds: after,
                exit_code,
            },
            Self::SlowStart { tasks, seconds } => Fault::SlowStart {
                image: tasks.image,
                revision: tasks.revision,
                seconds,
            },
            Self::Unhealthy {
                tasks,
                status,
                during,
            } => Fault::Unhealthy {
                image: tasks.image,
                revision: tasks.revision,
                status,
                for_seconds: during,
            },
            Self::BreakUploads {
                repository,
                after_bytes,
                times,
            } => Fault::BreakUploads {
                repository,
                after_bytes,
                times,
            },
            Self::RefuseMounts { repository } => Fault::RefuseMounts { repository },
            Self::Vulnerability {
                name,
                severity,
                package,
                installed,
                fixed_in,
                repository,
            } => Fault::Vulnerability(Vulnerability {
                repository,
                name,
                severity,
                package,
                installed,
                fixed_in,
            }),
            Self::SlowScan {
                seconds,
                repository,
            } => Fault::SlowScan {
                repository,
                seconds,
            },
            Self::Alarm { name } => Fault::Alarm { name },
            Self::OtherDeployment {
                task_definition,
                when_running,
                after,
            } => Fault::OtherDeployment {
                task_definition,
                when_running,
                after_seconds: after,
            },
            Self::RetireTask { after } => Fault::RetireTask {
                after_seconds: after,
            },
            Self::Stage { stage } => Fault::Stage { stage },
        })
    }
}

async fn switch_on(
    context: &Context,
    description: &Description,
    fault: &Fault,
) -> Result<(), Failure> {
    let body = serde_json::to_value(fault).map_err(|error| {
        Failure::new(
            Exit::Internal,
            format!("the fault cannot be written: {error}"),
        )
    })?;
    control(description, reqwest::Method::PUT, "faults", Some(&body)).await?;
    let until = match fault {
        Fault::OtherDeployment { .. } | Fault::RetireTask { .. } => "it has happened",
        _ => "`local fault clear` or `local down`",
    };
    context
        .reporter
        .note(format!("the fault {} is on until {until}", fault.name()));
    Ok(())
}

/// The faults that are on, after what the command changed.
#[derive(Debug, Serialize, schemars::JsonSchema)]
pub(in crate::cli) struct Faults {
    version: u32,
    faults: Value,
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let faults = self
            .faults
            .as_array()
            .map(Vec::as_slice)
            .unwrap_or_default();
        if faults.is_empty() {
            return write!(f, "no fault is on");
        }
        for (position, fault) in faults.iter().enumerate() {
            let fields = fault.as_object().cloned().unwrap_or_default();
            let text: Vec<String> = fields.iter().map(field).collect();
            let end = if position + 1 < faults.len() {
                "\n"
            } else {
                ""
            };
            write!(f, "{}{end}", text.join("  "))?;
        }
        Ok(())
    }
}

fn field((name, value): (&String, &Value)) -> String {
    let value = value.as_str().map_or(value.to_string(), ToOwned::to_owned);
    if name == "fault" {
        value
    } else {
        format!("{name}={value}")
    }
}
