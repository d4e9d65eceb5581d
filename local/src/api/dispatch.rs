//! From a request to an operation, and from its answer to a response.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::{self, HeaderName, HeaderValue};
use serde_json::{Value, json};

use super::error::{Answer, ApiError};
use super::input::Input;
use super::{ecr, ecs, elbv2, logs, query, sts, xml};
use crate::aws::time::http_date;
use crate::faults::Refusal;
use crate::world::World;

const X_AMZ_TARGET: HeaderName = HeaderName::from_static("x-amz-target");
const X_AMZN_REQUEST_ID: HeaderName = HeaderName::from_static("x-amzn-requestid");
const X_AMZN_ERROR_TYPE: HeaderName = HeaderName::from_static("x-amzn-errortype");

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Service {
    Ecs,
    Ecr,
    Logs,
    Elbv2,
    Sts,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Protocol {
    Json,
    Query,
}

impl Service {
    fn from_target(prefix: &str) -> Option<Self> {
        match prefix {
            "AmazonEC2ContainerServiceV20141113" => Some(Self::Ecs),
            "AmazonEC2ContainerRegistry_V20150921" => Some(Self::Ecr),
            "Logs_20140328" => Some(Self::Logs),
            _ => None,
        }
    }

    fn from_version(version: &str) -> Option<Self> {
        match version {
            "2015-12-01" => Some(Self::Elbv2),
            "2011-06-15" => Some(Self::Sts),
            _ => None,
        }
    }

    /// The name in faults and logs: the prefix of its IAM actions.
    fn name(self) -> &'static str {
        match self {
            Self::Ecs => "ecs",
            Self::Ecr => "ecr",
            Self::Logs => "logs",
            Self::Elbv2 => "elasticloadbalancing",
            Self::Sts => "sts",
        }
    }

    fn namespace(self) -> &'static str {
        match self {
            Self::Sts => "https://sts.amazonaws.com/doc/2011-06-15/",
            _ => "http://elasticloadbalancing.amazonaws.com/doc/2015-12-01/",
        }
    }

    /// `None` for an operation that is not rehearsed.
    fn call(self, world: &World, operation: &str, input: &Input) -> Option<Answer> {
        match self {
            Self::Ecs => ecs::call(world, operation, input),
            Self::Ecr => ecr::call(world, operation, input),
            Self::Logs => logs::call(world, operation, input),
            Self::Elbv2 => elbv2::call(world, operation, input),
            Self::Sts => sts::call(operation),
        }
    }
}

/// One call of an operation.
struct Call {
    service: Service,
    protocol: Protocol,
    operation: String,
    input: Result<Input, ApiError>,
}

pub(super) async fn answer(
    State(world): State<Arc<World>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let id = uuid::Uuid::new_v4().to_string();
    let mut response = match identify(&headers, &body) {
        None => {
            let error = ApiError::new(
                "UnknownOperationException",
                "The request names no service that the local environment rehearses.",
            );
            json_response(Err(error))
        }
        Some(call) => {
            let result = carry_out(&world, &headers, &call).await;
            match call.protocol {
                Protocol::Json => json_response(result),
                Protocol::Query => query_response(&call, result, &id),
            }
        }
    };
    let fields = response.headers_mut();
    for (name, value) in [(X_AMZN_REQUEST_ID, id), (header::DATE, http_date())] {
        if let Ok(value) = HeaderValue::from_str(&value) {
            fields.insert(name, value);
        }
    }
    response
}

fn identify(headers: &HeaderMap, body: &Bytes) -> Option<Call> {
    if let Some(target) = headers.get(X_AMZ_TARGET) {
        let (prefix, operation) = target.to_str().ok()?.split_once('.')?;
        let body: &[u8] = if body.is_empty() { b"{}" } else { body };
        let input = serde_json::from_slice(body).map(Input).map_err(|_| {
            ApiError::new(
                "SerializationException",
                "The request is not a JSON object.",
            )
        });
        return Some(Call {
            service: Service::from_target(prefix)?,
            protocol: Protocol::Json,
            operation: operation.to_owned(),
            input,
        });
    }
    let input = query::parse(body);
    Some(Call {
        service: Service::from_version(input.text("Version")?)?,
        protocol: Protocol::Query,
        operation: input.text("Action")?.to_owned(),
        input: Ok(input),
    })
}

async fn carry_out(world: &World, headers: &HeaderMap, call: &Call) -> Answer {
    let name = format!("{}:{}", call.service.name(), call.operation);
    let result = attempt(world, headers, call, &name).await;
    match &result {
        Ok(_) => tracing::debug!(operation = name, "answered"),
        Err(error) => {
            tracing::info!(
                operation = name,
                code = error.code,
                message = error.message,
                "refused"
            );
        }
    }
    result
}

async fn attempt(world: &World, headers: &HeaderMap, call: &Call, name: &str) -> Answer {
    tokio::time::sleep(world.faults.latency(name)).await;
    if !headers.contains_key(header::AUTHORIZATION) {
        return Err(missing_token(call.protocol));
    }
    match world.faults.refusal(name) {
        Some(Refusal::ExpiredCredentials) => return Err(expired_token(call.protocol)),
        Some(Refusal::Throttled) => return Err(throttled(call.protocol)),
        None => {}
    }
    let input = call.input.as_ref().map_err(Clone::clone)?;
    call.service
        .call(world, &call.operation, input)
        .unwrap_or_else(|| {
            tracing::warn!(
                operation = name,
                "the local environment does not rehearse it"
            );
            Err(unknown_operation(call))
        })
}

fn missing_token(protocol: Protocol) -> ApiError {
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

fn throttled(protocol: Protocol) -> ApiError {
    match protocol {
        Protocol::Json => ApiError::new("ThrottlingException", "Rate exceeded"),
        Protocol::Query => ApiError::new("Throttling", "Rate exceeded"),
    }
}

fn unknown_operation(call: &Call) -> ApiError {
    match call.protocol {
        Protocol::Json => ApiError::new(
            "UnknownOperationException",
            format!(
                "The local environment does not rehearse {}:{}.",
                call.service.name(),
                call.operation
            ),
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

fn json_response(result: Answer) -> Response {
    let content_type = (header::CONTENT_TYPE, "application/x-amz-json-1.1");
    match result {
        Ok(value) => ([content_type], without_nulls(value).to_string()).into_response(),
        Err(error) => {
            let body = json!({ "__type": error.code, "message": error.message });
            let kind = (X_AMZN_ERROR_TYPE, error.code);
            (error.status, [content_type], [kind], body.to_string()).into_response()
        }
    }
}

fn query_response(call: &Call, result: Answer, id: &str) -> Response {
    let namespace = call.service.namespace();
    let operation = &call.operation;
    let metadata = json!({ "RequestId": id });
    let (status, text) = match result {
        Ok(value) => {
            let content = xml::element(&format!("{operation}Result"), &value);
            let metadata = xml::element("ResponseMetadata", &metadata);
            let text = format!(
                "<{operation}Response xmlns=\"{namespace}\">{content}{metadata}</{operation}Response>"
            );
            (StatusCode::OK, text)
        }
        Err(error) => {
            let detail = json!({
                "Type": "Sender", "Code": error.code, "Message": error.message,
            });
            let text = format!(
                "<ErrorResponse xmlns=\"{namespace}\">{}{}</ErrorResponse>",
                xml::element("Error", &detail),
                xml::element("RequestId", &Value::from(id)),
            );
            (error.status, text)
        }
    };
    (status, [(header::CONTENT_TYPE, "text/xml")], text).into_response()
}

/// AWS leaves out what has no value.
fn without_nulls(value: Value) -> Value {
    match value {
        Value::Object(map) => map
            .into_iter()
            .filter(|(_, value)| !value.is_null())
            .map(|(key, value)| (key, without_nulls(value)))
            .collect(),
        Value::Array(items) => items.into_iter().map(without_nulls).collect(),
        other => other,
    }
}
