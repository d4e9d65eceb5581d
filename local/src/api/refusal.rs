//! What AWS's front doors answer in place of an operation: for want of credentials, permission,
//! quota or health, and for operations that are not rehearsed.

use http::StatusCode;

use super::dispatch::{Call, Protocol, Service};
use super::error::ApiError;
use crate::aws::names;
use crate::faults::Refusal;

/// What a fault has AWS answer.
pub(super) fn by_fault(refusal: Refusal, call: &Call) -> ApiError {
    match refusal {
        Refusal::ExpiredCredentials => expired_token(call.protocol),
        Refusal::Denied => denied(call),
        Refusal::Throttled => throttled(call.protocol),
        Refusal::ServerError => server_error(call),
    }
}

pub(super) fn missing_token(protocol: Protocol) -> ApiError {
    match protocol {
        Protocol::Json => ApiError::new(
            "MissingAuthenticationTokenException",
            "Missing Authentication Token",
        ),
        Protocol::Query => ApiError::new(
            "MissingAuthenticationToken",
            "Request is missing Authentication Token",
        )
        .with_status(StatusCode::FORBIDDEN),
    }
}

fn expired_token(protocol: Protocol) -> ApiError {
    let message = "The security token included in the request is expired";
    match protocol {
        Protocol::Json => ApiError::new("ExpiredTokenException", message),
        Protocol::Query => {
            ApiError::new("ExpiredToken", message).with_status(StatusCode::FORBIDDEN)
        }
    }
}

/// IAM's sentence.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html>
fn denied(call: &Call) -> ApiError {
    let action = format!("{}:{}", call.service.name(), call.operation);
    let message = format!(
        "User: {} is not authorized to perform: {action} on resource: {} because no identity-based policy allows the {action} action",
        names::caller(),
        resource(call),
    );
    match call.protocol {
        Protocol::Json => ApiError::new("AccessDeniedException", message),
        Protocol::Query => {
            ApiError::new("AccessDenied", message).with_status(StatusCode::FORBIDDEN)
        }
    }
}

/// The resource that the call names, where IAM knows it by one.
fn resource(call: &Call) -> String {
    let Ok(input) = &call.input else {
        return "*".to_owned();
    };
    let first = |member: &str| {
        let value = input.get(member)?;
        let value = value.as_str().or_else(|| value.get(0)?.as_str())?;
        Some(value.to_owned())
    };
    let arn = |value: String, name: fn(&str) -> String| {
        if value.starts_with("arn:") {
            value
        } else {
            name(&value)
        }
    };
    let found = match call.service {
        Service::Ecs => first("serviceDeploymentArn")
            .or_else(|| first("serviceDeploymentArns"))
            .or_else(|| first("serviceRevisionArns"))
            .or_else(|| {
                Some(arn(
                    first("services").or_else(|| first("service"))?,
                    names::service,
                ))
            })
            .or_else(|| Some(arn(first("tasks").or_else(|| first("task"))?, names::task))),
        Service::Ecr => first("repositoryName").map(|name| names::repository(&name)),
        Service::Logs => first("logGroupName").map(|name| names::log_group(&name)),
        _ => None,
    };
    found.unwrap_or_else(|| "*".to_owned())
}

fn throttled(protocol: Protocol) -> ApiError {
    match protocol {
        Protocol::Json => ApiError::new("ThrottlingException", "Rate exceeded"),
        Protocol::Query => ApiError::new("Throttling", "Rate exceeded"),
    }
}

fn server_error(call: &Call) -> ApiError {
    let (code, status) = match call.service {
        Service::Ecs | Service::Ecr => ("ServerException", StatusCode::INTERNAL_SERVER_ERROR),
        _ => match call.protocol {
            Protocol::Json => (
                "ServiceUnavailableException",
                StatusCode::SERVICE_UNAVAILABLE,
            ),
            Protocol::Query => ("ServiceUnavailable", StatusCode::SERVICE_UNAVAILABLE),
        },
    };
    ApiError::new(code, "Service Unavailable. Please try again later.").with_status(status)
}

pub(super) fn unknown_operation(call: &Call) -> ApiError {
    let name = format!("{}:{}", call.service.name(), call.operation);
    match call.protocol {
        Protocol::Json => ApiError::new(
            "UnknownOperationException",
            format!("The local environment does not rehearse {name}."),
        ),
        Protocol::Query => ApiError::new(
            "InvalidAction",
            format!(
                "Could not find operation {}: the local environment does not rehearse it.",
                call.operation
            ),
        ),
    }
}
