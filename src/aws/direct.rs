//! The few questions to IAM, EC2, Secrets Manager, Systems Manager and CloudFormation.
//!
//! An SDK crate for each would add minutes to every build (`aws-sdk-ec2` alone is larger than
//! all that we use otherwise) for a dozen calls. The requests are signed by the SDK's own
//! signer with the credentials of the SDK's own chain; only the wire format is ours:
//! the AWS Query protocol (<https://smithy.io/2.0/aws/protocols/aws-query-protocol.html>), EC2's
//! dialect of it, and AWS JSON 1.1.

mod xml;

use std::time::{Duration, SystemTime};

use aws_config::SdkConfig;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4::SigningParams;
use backon::{ExponentialBuilder, Retryable};
use serde_json::Value;

use super::{
    ATTEMPT_DEADLINE, AwsError, AwsErrorKind, CALL_DEADLINE, credentials_error, kind_of_code,
    root_causes,
};

/// Attempts of one call, as for the SDK's own clients.
const ATTEMPTS: usize = 4;

/// A service that is asked directly.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Service {
    /// Identity and Access Management, which has one endpoint for all regions.
    Iam,
    /// Elastic Compute Cloud, for its networks.
    Ec2,
    /// Secrets Manager.
    SecretsManager,
    /// Systems Manager, for its Parameter Store.
    Ssm,
    /// CloudFormation, for the stack that holds a service.
    CloudFormation,
}

/// How a service is spoken to.
enum Protocol {
    /// A form; the version of the API goes along.
    Query { version: &'static str },
    /// JSON; the operation is a header with this prefix.
    Json { target: &'static str },
}

impl Service {
    /// Its name in ARNs, IAM actions, host names and signatures.
    fn name(self) -> &'static str {
        match self {
            Self::Iam => "iam",
            Self::Ec2 => "ec2",
            Self::SecretsManager => "secretsmanager",
            Self::Ssm => "ssm",
            Self::CloudFormation => "cloudformation",
        }
    }

    fn protocol(self) -> Protocol {
        match self {
            Self::Iam => Protocol::Query {
                version: "2010-05-08",
            },
            Self::Ec2 => Protocol::Query {
                version: "2016-11-15",
            },
            Self::SecretsManager => Protocol::Json {
                target: "secretsmanager",
            },
            Self::Ssm => Protocol::Json {
                target: "AmazonSSM",
            },
            Self::CloudFormation => Protocol::Query {
                version: "2010-05-15",
            },
        }
    }
}

/// Where a service is and for which region it wants signatures.
fn endpoint(service: Service, region: &str) -> (String, String) {
    let (suffix, global) = match region {
        region if region.starts_with("cn-") => ("amazonaws.com.cn", "cn-north-1"),
        region if region.starts_with("us-gov-") => ("amazonaws.com", "us-gov-west-1"),
        _ => ("amazonaws.com", "us-east-1"),
    };
    let name = service.name();
    match (service, global) {
        (Service::Iam, "us-east-1") => (format!("https://iam.{suffix}/"), global.to_owned()),
        (Service::Iam, "us-gov-west-1") => {
            (format!("https://iam.us-gov.{suffix}/"), global.to_owned())
        }
        (Service::Iam, _) => (format!("https://iam.{global}.{suffix}/"), global.to_owned()),
        _ => (
            format!("https://{name}.{region}.{suffix}/"),
            region.to_owned(),
        ),
    }
}

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

/// The APIs that are asked directly.
#[derive(Debug, Clone)]
pub struct Direct {
    http: Option<reqwest::Client>,
    credentials: Option<SharedCredentialsProvider>,
    region: String,
    endpoint_url: Option<String>,
}

impl Direct {
    /// With the credentials, region and endpoint of the SDK's own clients; makes no call.
    pub(super) fn new(config: &SdkConfig) -> Self {
        let http = reqwest::Client::builder()
            .timeout(ATTEMPT_DEADLINE)
            .connect_timeout(Duration::from_secs(5))
            .redirect(reqwest::redirect::Policy::none());
        Self {
            http: http.build().ok(),
            credentials: config.credentials_provider(),
            region: config
                .region()
                .map(|region| region.as_ref().to_owned())
                .unwrap_or_default(),
            endpoint_url: config.endpoint_url().map(str::to_owned),
        }
    }

    /// Asks; the answer is the JSON object, or the XML as [`xml::read`] turns it into one.
    ///
    /// # Errors
    /// [`AwsError`], after retries where AWS throttled, failed or was not reached.
    pub async fn ask(&self, question: &Question) -> Result<Value, AwsError> {
        let patience = ExponentialBuilder::default()
            .with_min_delay(Duration::from_millis(200))
            .with_jitter()
            .with_max_times(ATTEMPTS - 1);
        let asked = (|| self.attempt(question))
            .retry(patience)
            .when(|error: &AwsError| {
                matches!(
                    error.kind,
                    AwsErrorKind::Throttled | AwsErrorKind::Unreachable | AwsErrorKind::Server
                )
            });
        tokio::time::timeout(CALL_DEADLINE, asked)
            .await
            .unwrap_or_else(|_| {
                Err(question.failed(
                    AwsErrorKind::Unreachable,
                    format!("no answer within {} s", CALL_DEADLINE.as_secs()),
                ))
            })
    }

    async fn attempt(&self, question: &Question) -> Result<Value, AwsError> {
        let request = self.signed(question).await?;
        let http = self.http.as_ref().ok_or_else(|| {
            question.failed(
                AwsErrorKind::Unreachable,
                "the HTTP client cannot be set up".into(),
            )
        })?;
        let lost = |error: reqwest::Error| {
            question.failed(AwsErrorKind::Unreachable, root_causes(&error.without_url()))
        };
        let request = reqwest::Request::try_from(request).map_err(lost)?;
        let answer = http.execute(request).await.map_err(lost)?;
        let status = answer.status();
        let id = ["x-amzn-requestid", "x-amz-request-id"]
            .iter()
            .find_map(|name| answer.headers().get(*name))
            .and_then(|id| id.to_str().ok())
            .map(str::to_owned);
        let body = answer.text().await.map_err(lost)?;
        let read = match question.service.protocol() {
            Protocol::Query { .. } => xml::read(&body),
            Protocol::Json { .. } => serde_json::from_str(&body).map_err(|error| error.to_string()),
        };
        if !status.is_success() {
            return Err(AwsError {
                request_id: id,
                ..question.refused(status.as_u16(), &read.unwrap_or_default())
            });
        }
        read.map_err(|error| {
            AwsError::incomplete(
                question.action,
                &question.resource,
                &format!("cannot be read: {error}"),
            )
        })
    }

    async fn signed(&self, question: &Question) -> Result<http::Request<Vec<u8>>, AwsError> {
        let (default, region) = endpoint(question.service, &self.region);
        let url = self.endpoint_url.clone().unwrap_or(default);
        let provider = self.credentials.as_ref().ok_or_else(|| {
            question.failed(
                AwsErrorKind::CredentialsMissing,
                "there is no provider of credentials".into(),
            )
        })?;
        let identity = provider
            .provide_credentials()
            .await
            .map_err(|error| {
                let reason = root_causes(credentials_error(&error).unwrap_or(&error));
                question.failed(AwsErrorKind::CredentialsMissing, reason)
            })?
            .into();
        let unsignable = |reason: String| question.failed(AwsErrorKind::Refused, reason);
        let mut request = question
            .request(&url)
            .map_err(|error| unsignable(error.to_string()))?;
        let parameters = SigningParams::builder()
            .identity(&identity)
            .region(&region)
            .name(question.service.name())
            .time(SystemTime::now())
            .settings(SigningSettings::default())
            .build()
            .map_err(|error| unsignable(error.to_string()))?
            .into();
        let headers: Vec<(String, String)> = request
            .headers()
            .iter()
            .filter_map(|(name, value)| Some((name.to_string(), value.to_str().ok()?.to_owned())))
            .collect();
        let signable = SignableRequest::new(
            "POST",
            url.as_str(),
            headers
                .iter()
                .map(|(name, value)| (name.as_str(), value.as_str())),
            SignableBody::Bytes(request.body()),
        )
        .map_err(|error| unsignable(error.to_string()))?;
        let (instructions, _) = sign(signable, &parameters)
            .map_err(|error| unsignable(error.to_string()))?
            .into_parts();
        instructions.apply_to_request_http1x(&mut request);
        Ok(request)
    }
}

impl Question {
    fn operation(&self) -> &'static str {
        self.action
            .split_once(':')
            .map_or(self.action, |(_, operation)| operation)
    }

    fn request(&self, url: &str) -> Result<http::Request<Vec<u8>>, http::Error> {
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

    fn failed(&self, kind: AwsErrorKind, message: String) -> AwsError {
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
    fn refused(&self, status: u16, answer: &Value) -> AwsError {
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

    #[test]
    fn endpoints_follow_the_partition() {
        for (service, region, url, signed_for) in [
            (
                Service::Iam,
                "eu-west-1",
                "https://iam.amazonaws.com/",
                "us-east-1",
            ),
            (
                Service::Iam,
                "us-gov-east-1",
                "https://iam.us-gov.amazonaws.com/",
                "us-gov-west-1",
            ),
            (
                Service::Iam,
                "cn-northwest-1",
                "https://iam.cn-north-1.amazonaws.com.cn/",
                "cn-north-1",
            ),
            (
                Service::Ec2,
                "eu-west-1",
                "https://ec2.eu-west-1.amazonaws.com/",
                "eu-west-1",
            ),
            (
                Service::CloudFormation,
                "eu-west-1",
                "https://cloudformation.eu-west-1.amazonaws.com/",
                "eu-west-1",
            ),
            (
                Service::Ssm,
                "cn-north-1",
                "https://ssm.cn-north-1.amazonaws.com.cn/",
                "cn-north-1",
            ),
        ] {
            assert_eq!(
                endpoint(service, region),
                (url.to_owned(), signed_for.to_owned())
            );
        }
    }
}
