//! What an expert would look at first, from ECS's words (Amazon ECS Developer Guide, "Amazon
//! ECS stopped tasks error messages").

use super::HealthCheck;
use crate::rollout::observation::StopCode;

/// Linux's exit code of a process that was killed (128 + SIGKILL).
const KILLED: i32 = 137;
/// The server's exit code for a configuration that it refuses (`EX_CONFIG` of sysexits).
const CONFIGURATION: i32 = 78;

/// How a task ended.
pub(super) struct Ending<'a> {
    pub(super) stop_code: Option<&'a StopCode>,
    pub(super) reason: &'a str,
    pub(super) container_reason: Option<&'a str>,
    pub(super) exit_code: Option<i32>,
    pub(super) log: &'a [String],
    pub(super) checks: &'a [HealthCheck],
}

/// What the ending usually means, and where to look.
pub(super) fn hint(ending: &Ending<'_>) -> Option<String> {
    let text = format!(
        "{} {}",
        ending.reason,
        ending.container_reason.unwrap_or_default()
    );
    let says = |word: &str| text.to_lowercase().contains(word);
    if says("cannotpull") {
        return Some(pull_hint(&text));
    }
    if says("resourceinitializationerror") {
        return Some(initialization_hint(&text));
    }
    if says("exec format error") || logs_say(ending, "exec format error") {
        return Some(
            "the image is for another processor architecture than the task: build it for linux/amd64"
                .into(),
        );
    }
    if says("outofmemory") || ending.exit_code == Some(KILLED) {
        return Some("the container was killed (137): most often it needed more memory than the task definition gives it; ECS says OutOfMemoryError then".into());
    }
    if says("health check") {
        return Some(health_check_hint(ending));
    }
    if ending.exit_code == Some(CONFIGURATION) {
        return Some(
            "the server refused its configuration: the log below lists the variables".into(),
        );
    }
    (ending.stop_code == Some(&StopCode::EssentialContainerExited)
        && ending.exit_code.is_some_and(|code| code != 0))
    .then(|| "the server ended by itself: the log below has its last words".into())
}

fn logs_say(ending: &Ending<'_>, words: &str) -> bool {
    ending.log.iter().any(|line| line.contains(words))
}

/// Which permission, which tag, or which way to the registry.
fn pull_hint(text: &str) -> String {
    let image = image_in(text).map_or_else(String::new, |image| format!(" {image}"));
    let lower = text.to_lowercase();
    if ["denied", "403", "not authorized", "unauthorized", "401"]
        .iter()
        .any(|word| lower.contains(word))
    {
        format!(
            "the execution role may not pull{image}: it needs ecr:GetAuthorizationToken on *, and ecr:BatchGetImage, ecr:GetDownloadUrlForLayer and ecr:BatchCheckLayerAvailability on the repository; in another account the repository's policy must allow it too"
        )
    } else if ["not found", "manifest unknown", "404"]
        .iter()
        .any(|word| lower.contains(word))
    {
        format!(
            "the image{image} is not in the repository: was it expired by a life-cycle rule, or published to another environment?"
        )
    } else if ["timeout", "no such host", "dial tcp", "connection refused"]
        .iter()
        .any(|word| lower.contains(word))
    {
        "the task has no way to the registry: its subnet needs a NAT gateway, a public address, or the VPC endpoints ecr.api, ecr.dkr and s3, and its security group must let HTTPS out".into()
    } else {
        format!(
            "the image{image} could not be pulled: check that it is in the repository, and that the execution role may call ecr:GetAuthorizationToken, ecr:BatchGetImage and ecr:GetDownloadUrlForLayer"
        )
    }
}

/// Which secret, which log group, or which way to AWS's endpoints.
fn initialization_hint(text: &str) -> String {
    let lower = text.to_lowercase();
    let arn = arn_in(text).map_or_else(String::new, |arn| format!(" {arn}"));
    if lower.contains("secret") || lower.contains("ssm") || lower.contains("parameter") {
        if lower.contains("accessdenied") || lower.contains("not authorized") {
            format!(
                "the execution role may not read the secret{arn}: it needs secretsmanager:GetSecretValue or ssm:GetParameters on it, and kms:Decrypt where it has a key of its own"
            )
        } else {
            format!(
                "the secret{arn} could not be read: check that it exists in this region, that the JSON key named in the task definition is in it, and the subnet's way to Secrets Manager or SSM"
            )
        }
    } else if lower.contains("log") {
        format!(
            "the log group{arn} could not be used: create it, or let the execution role call logs:CreateLogStream and logs:PutLogEvents on it"
        )
    } else {
        "the task could not be set up: check the secrets and the log group that the task definition names, the execution role's permissions, and the subnet's way to AWS's endpoints".into()
    }
}

/// Which path, which code, and what the server logged.
fn health_check_hint(ending: &Ending<'_>) -> String {
    if ending.reason.contains("container health checks") {
        return "the container's own health check command never succeeded: run it by hand in the image, and give it time in startPeriod".into();
    }
    let mut hint = match ending.checks {
        [] => "the task ran but its health check never passed".to_owned(),
        checks => {
            let asked: Vec<String> = checks
                .iter()
                .map(|check| {
                    let port = match check.port.as_str() {
                        // Elastic Load Balancing's word for the port that the target is registered with.
                        "traffic-port" => "the container's port".to_owned(),
                        port => format!("port {port}"),
                    };
                    format!("GET {} on {port} to answer {}", check.path, check.expects)
                })
                .collect();
            format!("the load balancer expects {}", asked.join(" and "))
        }
    };
    if let Some(codes) = codes_in(ending.reason) {
        hint.push_str(&format!(", the task answered {codes}"));
    }
    hint.push_str(
        ": compare with what the log below says the server serves, and with the security group that lets the load balancer in",
    );
    hint
}

/// ECS writes the codes as `[502]` at the end of `Health checks failed with these codes: [502]`.
fn codes_in(reason: &str) -> Option<&str> {
    let (_, rest) = reason.split_once("codes: [")?;
    rest.split(']').next()
}

fn image_in(text: &str) -> Option<&str> {
    words(text).find(|word| word.contains(".dkr.ecr.") || word.contains("@sha256:"))
}

fn arn_in(text: &str) -> Option<&str> {
    words(text).find(|word| word.starts_with("arn:aws"))
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split([' ', ',', '"', '\'', '(', ')'])
        .map(|word| word.trim_end_matches([':', '.']))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(stop_code: StopCode, reason: &str, exit_code: Option<i32>) -> Option<String> {
        hint(&Ending {
            stop_code: Some(&stop_code),
            reason,
            container_reason: None,
            exit_code,
            log: &[],
            checks: &[HealthCheck {
                path: "/healthz".into(),
                port: "traffic-port".into(),
                expects: "200".into(),
            }],
        })
    }

    #[test]
    fn are_those_of_an_expert() {
        use StopCode::{EssentialContainerExited, ServiceSchedulerInitiated, TaskFailedToStart};
        let exited = "Essential container in task exited";
        for (code, reason, exit, says) in [
            (
                TaskFailedToStart,
                "CannotPullContainerError: pull image manifest has been retried 5 time(s): failed to resolve ref 1.dkr.ecr.us-east-1.amazonaws.com/mcp@sha256:aa: 403 Forbidden",
                None,
                &[
                    "1.dkr.ecr.us-east-1.amazonaws.com/mcp@sha256:aa",
                    "ecr:BatchGetImage",
                ][..],
            ),
            (
                TaskFailedToStart,
                "CannotPullContainerError: 1.dkr.ecr.us-east-1.amazonaws.com/mcp:1.2: not found",
                None,
                &["mcp:1.2 is not in the repository"],
            ),
            (
                TaskFailedToStart,
                "CannotPullContainerError: Error response from daemon: dial tcp 52.1.2.3:443: i/o timeout",
                None,
                &["ecr.dkr", "NAT gateway"],
            ),
            (
                TaskFailedToStart,
                "ResourceInitializationError: unable to pull secrets or registry auth: AccessDeniedException: not authorized on resource: arn:aws:secretsmanager:us-east-1:1:secret:mcp-x, retried 1 time",
                None,
                &[
                    "arn:aws:secretsmanager:us-east-1:1:secret:mcp-x",
                    "secretsmanager:GetSecretValue",
                ],
            ),
            (
                TaskFailedToStart,
                "ResourceInitializationError: failed to validate logger args: The specified log group does not exist",
                None,
                &["log group", "logs:CreateLogStream"],
            ),
            (EssentialContainerExited, exited, Some(137), &["memory"]),
            (
                EssentialContainerExited,
                exited,
                Some(78),
                &["configuration"],
            ),
            (EssentialContainerExited, exited, Some(1), &["last words"]),
            (
                ServiceSchedulerInitiated,
                "Task failed ELB health checks in (target-group tg)  due to (reason Health checks failed with these codes: [502])",
                None,
                &[
                    "GET /healthz on the container's port to answer 200",
                    "answered 502",
                ],
            ),
            (
                ServiceSchedulerInitiated,
                "Task failed container health checks",
                None,
                &["startPeriod"],
            ),
            (
                EssentialContainerExited,
                "exec /quilt-mcp-server: exec format error",
                Some(1),
                &["linux/amd64"],
            ),
        ] {
            let hint = of(code, reason, exit).unwrap();
            for words in says {
                assert!(hint.contains(words), "{hint} does not say {words}");
            }
        }
        assert_eq!(
            of(StopCode::UserInitiated, "Task stopped by user", None),
            None
        );
        assert_eq!(of(EssentialContainerExited, exited, Some(0)), None);
    }
}
