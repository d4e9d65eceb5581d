//! From an operation's answer to a response, in the protocol of the service.

use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::{self, HeaderName};
use serde_json::{Value, json};

use super::dispatch::Call;
use super::error::Answer;
use super::xml;

const X_AMZN_ERROR_TYPE: HeaderName = HeaderName::from_static("x-amzn-errortype");

/// AWS JSON 1.1. <https://smithy.io/2.0/aws/protocols/aws-json-1_1-protocol.html>
pub(super) fn json(result: Answer) -> Response {
    let content_type = (header::CONTENT_TYPE, "application/x-amz-json-1.1");
    match result {
        Ok(value) => ([content_type], without_nulls(value).to_string()).into_response(),
        Err(error) => {
            let body = json!({ "__type": error.code, "message": error.message });
            let kind = (X_AMZN_ERROR_TYPE, error.code.to_string());
            (error.status, [content_type], [kind], body.to_string()).into_response()
        }
    }
}

/// AWS Query. <https://smithy.io/2.0/aws/protocols/aws-query-protocol.html>
pub(super) fn query(call: &Call, result: Answer, id: &str) -> Response {
    let namespace = call.service.namespace();
    let operation = &call.operation;
    match result {
        Ok(value) => {
            let content = xml::element(&format!("{operation}Result"), &value, "member");
            let metadata = json!({ "RequestId": id });
            let metadata = xml::element("ResponseMetadata", &metadata, "member");
            let text = format!(
                "<{operation}Response xmlns=\"{namespace}\">{content}{metadata}</{operation}Response>"
            );
            xml_response(StatusCode::OK, text)
        }
        Err(error) => {
            let fault = if error.status.is_server_error() {
                "Receiver"
            } else {
                "Sender"
            };
            let detail = json!({ "Type": fault, "Code": error.code, "Message": error.message });
            let text = format!(
                "<ErrorResponse xmlns=\"{namespace}\">{}{}</ErrorResponse>",
                xml::element("Error", &detail, "member"),
                xml::element("RequestId", &Value::from(id), "member"),
            );
            xml_response(error.status, text)
        }
    }
}

/// EC2's Query: no result element, and lists of `item`s.
/// <https://smithy.io/2.0/aws/protocols/aws-ec2-query-protocol.html>
pub(super) fn ec2(call: &Call, result: Answer, id: &str) -> Response {
    let namespace = call.service.namespace();
    match result {
        Ok(mut value) => {
            if let Value::Object(members) = &mut value {
                members.insert("requestId".to_owned(), Value::from(id));
            }
            let name = format!("{}Response", call.operation);
            let text = xml::element(&name, &value, "item");
            let open = format!("<{name}>");
            let text = text.replacen(&open, &format!("<{name} xmlns=\"{namespace}\">"), 1);
            xml_response(StatusCode::OK, text)
        }
        Err(error) => {
            let detail = json!({
                "Errors": [{ "Code": error.code, "Message": error.message }],
                "RequestID": id,
            });
            xml_response(error.status, xml::element("Response", &detail, "Error"))
        }
    }
}

fn xml_response(status: StatusCode, text: String) -> Response {
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
