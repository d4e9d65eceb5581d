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
use super::{ecr, ecs, elbv2, logs, query, refusal, sts, xml};
use crate::aws::time::http_date;
use crate::calls::Outcome;
use crate::faults::CutOff;
use crate::listener;
use crate::world::World;

const X_AMZ_TARGET: HeaderName = HeaderName::from_static("x-amz-target");
const X_AMZN_REQUEST_ID: HeaderName = HeaderName::from_static("x-amzn-requestid");
const X_AMZN_ERROR_TYPE: HeaderName = HeaderName::from_static("x-amzn-errortype");

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Service {
    Ecs,
    Ecr,
    Logs,
    Elbv2,
    Sts,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Protocol {
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
    pub(super) fn name(self) -> &'static str {
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
pub(super) struct Call {
    pub service: Service,
    pub protocol: Protocol,
    pub operation: String,
    pub input: Result<Input, ApiError>,
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
            let Some(result) = carry_out(&world, &headers, &call).await else {
                return listener::CutOff.into_response();
            };
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

/// Carries a call out, as far as the faults let it; `None` when the connection shall end instead.
async fn carry_out(world: &World, headers: &HeaderMap, call: &Call) -> Option<Answer> {
    let name = format!("{}:{}", call.service.name(), call.operation);
    let fate = world.faults.fate(&name);
    let note = |outcome| {
        world
            .calls
            .note(call.service.name(), &call.operation, outcome);
    };
    tokio::time::sleep(fate.delay).await;
    if fate.cut_off == Some(CutOff::Before) {
        note(Outcome::Faulted("cut-off".to_owned()));
        return None;
    }
    let result = match fate.refusal {
        _ if !headers.contains_key(header::AUTHORIZATION) => {
            Err(refusal::missing_token(call.protocol))
        }
        Some(kind) => Err(refusal::by_fault(kind, call)),
        None => attempt(world, call, &name),
    };
    match &result {
        Ok(_) => tracing::debug!(operation = name, "answered"),
        Err(error) => {
            let (code, message) = (error.code, &error.message);
            tracing::info!(operation = name, code, message, "refused");
        }
    }
    note(match &result {
        _ if fate.cut_off.is_some() => Outcome::Faulted("cut-off".to_owned()),
        Ok(_) => Outcome::Answered,
        Err(error) if fate.refusal.is_some() => Outcome::Faulted(error.code.to_owned()),
        Err(error) => Outcome::Refused(error.code.to_owned()),
    });
    fate.cut_off.is_none().then_some(result)
}

fn attempt(world: &World, call: &Call, name: &str) -> Answer {
    let input = call.input.as_ref().map_err(Clone::clone)?;
    call.service
        .call(world, &call.operation, input)
        .unwrap_or_else(|| {
            tracing::warn!(
                operation = name,
                "the local environment does not rehearse it"
            );
            Err(refusal::unknown_operation(call))
        })
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
                "Type": if error.status.is_server_error() { "Receiver" } else { "Sender" },
                "Code": error.code, "Message": error.message,
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
