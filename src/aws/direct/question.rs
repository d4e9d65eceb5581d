//! What is asked, in the words of each protocol, and what a refusal says in them.

use serde_json::Value;

use super::service::{Protocol, Service};
use crate::aws::{AwsError, AwsErrorKind, kind_of_code};

/// A question: the operation, what it is about, and its parameters.
#[derive(Debug, Clone)]
pub struct Question {
    /// The service.
    pub service: Service,
    /// The IAM action, `ec2:DescribeSubnets`; its second half is the operation.
    pub action: &'static str,
    /// What it is about, for errors.
    pub resource: String,
    /// The parameters: a form's fields, or the members of a JSON object.
    pub parameters: Value,
}

impl Question {
    fn operation(&self) -> &'static str {
        self.action
            .split_once(':')
            .map_or(self.action, |(_, operation)| operation)
    }

    /// What is sent to `url`, unsigned.
    pub(super) fn request(&self, url: &str) -> Result<http::Request<Vec<u8>>, http::Error> {
        let request = http::Request::post(url);
        match self.service.protocol() {
            Protocol::Query { version } => {
                let mut form = url::form_urlencoded::Serializer::new(String::new());
                form.append_pair("Action", self.operation())
                    .append_pair("Version", version);
                for (name, value) in self.parameters.as_object().into_iter().flatten() {
                    append(&mut form, self.service, name, value);
                }
                request
                    .header(
                        "content-type",
                        "application/x-www-form-urlencoded; charset=utf-8",
                    )
                    .body(form.finish().into_bytes())
            }
            Protocol::Json { target } => request
                .header("content-type", "application/x-amz-json-1.1")
                .header("x-amz-target", format!("{target}.{}", self.operation()))
                .body(self.parameters.to_string().into_bytes()),
        }
    }

    /// A call that brought no answer.
    pub(super) fn failed(&self, kind: AwsErrorKind, message: String) -> AwsError {
        AwsError {
            action: self.action,
            resource: self.resource.clone(),
            kind,
            code: None,
            message,
            request_id: None,
        }
    }

    /// An error answer: JSON's `__type` and `message`, the Query protocols' `Error`.
    pub(super) fn refused(&self, status: u16, answer: &Value) -> AwsError {
        let error = [
            &answer["Error"],
            &answer["Errors"][0],
            &answer["Errors"]["Error"],
        ]
        .into_iter()
        .find(|error| error.is_object())
        .unwrap_or(answer);
        let text = |names: &[&str]| {
            names
                .iter()
                .find_map(|name| error[*name].as_str())
                .map(str::to_owned)
        };
        let code = text(&["Code", "__type", "code"])
            .map(|code| code.rsplit('#').next().unwrap_or_default().to_owned());
        let kind = code.as_deref().and_then(kind_of_code).unwrap_or({
            if status >= 500 {
                AwsErrorKind::Server
            } else {
                AwsErrorKind::Refused
            }
        });
        let message = text(&["Message", "message"])
            .filter(|message| !message.is_empty())
            .or_else(|| code.clone())
            .unwrap_or_else(|| format!("HTTP {status} without a reason"));
        AwsError {
            code,
            ..self.failed(kind, message)
        }
    }
}

/// A parameter as fields of a form: `Name`, `Name.1`, `Name.1.Member`; IAM's lists have `member` between.
fn append(
    form: &mut url::form_urlencoded::Serializer<'_, String>,
    service: Service,
    name: &str,
    value: &Value,
) {
    match value {
        Value::Null => {}
        Value::String(text) => drop(form.append_pair(name, text)),
        Value::Array(items) => {
            let list = match service {
                Service::Ec2 => name.to_owned(),
                _ => format!("{name}.member"),
            };
            for (position, item) in items.iter().enumerate() {
                append(form, service, &format!("{list}.{}", position + 1), item);
            }
        }
        Value::Object(members) => {
            for (member, value) in members {
                append(form, service, &format!("{name}.{member}"), value);
            }
        }
        other => drop(form.append_pair(name, &other.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aws::direct::xml;
    use serde_json::json;

    fn question(service: Service, action: &'static str, parameters: Value) -> Question {
        Question {
            service,
            action,
            resource: "it".into(),
            parameters,
        }
    }

    #[test]
    fn forms_are_as_each_dialect_has_them() {
        let parameters = json!({"Names": ["a b", "c"], "Filter": [{"Name": "x", "Value": ["1"]}]});
        for (service, action, form) in [
            (
                Service::Ec2,
                "ec2:DescribeSubnets",
                "Action=DescribeSubnets&Version=2016-11-15&Names.1=a+b&Names.2=c&Filter.1.Name=x&Filter.1.Value.1=1",
            ),
            (
                Service::Iam,
                "iam:GetRole",
                "Action=GetRole&Version=2010-05-08&Names.member.1=a+b&Names.member.2=c&Filter.member.1.Name=x&Filter.member.1.Value.member.1=1",
            ),
        ] {
            let request = question(service, action, parameters.clone())
                .request("http://127.0.0.1/")
                .unwrap();
            assert_eq!(String::from_utf8(request.into_body()).unwrap(), form);
        }
    }

    #[test]
    fn errors_are_read_in_every_dialect() {
        let iam = "<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</Code><Message>no</Message></Error></ErrorResponse>";
        let ec2 = "<Response><Errors><Error><Code>UnauthorizedOperation</Code><Message>no</Message></Error></Errors></Response>";
        for (service, answer) in [
            (Service::Iam, xml::read(iam).unwrap()),
            (Service::Ec2, xml::read(ec2).unwrap()),
            (
                Service::Ssm,
                json!({"__type": "com.amazon#AccessDeniedException", "message": "no"}),
            ),
        ] {
            let error = question(service, "x:Y", json!({})).refused(400, &answer);
            assert_eq!(error.kind, AwsErrorKind::AccessDenied, "{error}");
            assert_eq!(error.message, "no");
        }
        let silent = question(Service::Ec2, "x:Y", json!({})).refused(503, &Value::Null);
        assert_eq!(silent.kind, AwsErrorKind::Server);
        assert_eq!(silent.message, "HTTP 503 without a reason");
    }
}
