//! An endpoint for AWS's APIs that records what it is asked, passes it on to an emulator
//! or answers for itself, and fails chosen calls.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, Response, StatusCode, Uri};
use serde_json::{Value, json};
use tokio::net::TcpListener;

/// What happens to a call.
#[derive(Clone)]
pub enum Fault {
    /// It is answered with this status, error code and message, and never heard of behind.
    Refuse(u16, &'static str, &'static str),
    /// It is answered with what this makes, and never heard of behind.
    Answer(Arc<dyn Fn() -> Value + Send + Sync>),
    /// It is carried out, but its answer is lost: the connection breaks in the middle of it.
    LoseAnswer,
    /// It is carried out, but answered with this status.
    FailAfterwards(u16),
    /// It is carried out, and its answer is changed.
    Rewrite(Arc<dyn Fn(&mut Value) + Send + Sync>),
}

impl Fault {
    pub fn rewrite(change: impl Fn(&mut Value) + Send + Sync + 'static) -> Self {
        Self::Rewrite(Arc::new(change))
    }
}

/// A call that arrived.
#[derive(Debug, Clone)]
pub struct Call {
    /// The API operation, for example `DescribeServices`.
    pub operation: String,
    /// The same with the service that the call is signed for, for example
    /// `ecs:DescribeServices`: where IAM is asked, its action.
    pub action: String,
    /// Its parameters: of AWS's query protocol, the form's fields as they are named.
    pub parameters: Value,
}

struct Trap {
    operation: &'static str,
    times: usize,
    fault: Fault,
}

impl Trap {
    fn catches(&self, call: &Call) -> bool {
        self.operation == call.operation || self.operation == call.action
    }
}

#[derive(Default)]
struct Record {
    calls: Vec<Call>,
    traps: Vec<Trap>,
}

/// Where calls go.
#[derive(Clone)]
enum Behind {
    /// The emulator at this URL.
    Emulator(String),
    /// Nothing: STS says this account, every other operation is unknown.
    Account(&'static str),
}

#[derive(Clone)]
pub struct AwsEndpoint {
    address: SocketAddr,
    behind: Behind,
    client: reqwest::Client,
    record: Arc<Mutex<Record>>,
}

impl AwsEndpoint {
    /// Passes calls on to the emulator at `url`.
    pub async fn before(url: &str) -> Self {
        Self::start(Behind::Emulator(url.to_owned())).await
    }

    /// Knows the caller to be of `account`, and nothing else.
    pub async fn of_account(account: &'static str) -> Self {
        Self::start(Behind::Account(account)).await
    }

    async fn start(behind: Behind) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = Self {
            address: listener.local_addr().unwrap(),
            behind,
            client: reqwest::Client::builder().no_proxy().build().unwrap(),
            record: Arc::default(),
        };
        let router = Router::new().fallback(answer).with_state(endpoint.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        endpoint
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The next `times` calls of `operation`, or of one service's (`service:Operation`), meet
    /// `fault`, before any older trap.
    pub fn trap(&self, operation: &'static str, times: usize, fault: Fault) {
        self.record().traps.push(Trap {
            operation,
            times,
            fault,
        });
    }

    /// ECS puts a new PRIMARY where the revision changes; moto leaves the old one there.
    pub fn name_deployments_as_ecs_does(&self) {
        for (operation, services) in [
            ("UpdateService", "/service"),
            ("DescribeServices", "/services/0"),
        ] {
            let rename = Fault::rewrite(move |answer| {
                if let Some(service) = answer.pointer_mut(services) {
                    name_deployment(service);
                }
            });
            self.trap(operation, usize::MAX, rename);
        }
    }

    /// The calls of `operation`, oldest first.
    pub fn calls_of(&self, operation: &str) -> Vec<Call> {
        let record = self.record();
        let calls = record.calls.iter();
        calls
            .filter(|call| call.operation == operation)
            .cloned()
            .collect()
    }

    /// The operations asked for that do more than look, oldest first.
    pub fn changes(&self) -> Vec<String> {
        let looks = ["Describe", "List", "Get"];
        let mut operations = self.operations();
        operations.retain(|operation| !looks.iter().any(|look| operation.starts_with(look)));
        operations
    }

    /// Every operation asked for, oldest first.
    pub fn operations(&self) -> Vec<String> {
        let record = self.record();
        let calls = record.calls.iter();
        calls.map(|call| call.operation.clone()).collect()
    }

    /// Every service and operation asked for (`service:Operation`), each once, in order of name.
    pub fn actions(&self) -> BTreeSet<String> {
        let record = self.record();
        let calls = record.calls.iter();
        calls.map(|call| call.action.clone()).collect()
    }

    /// Forgets the calls so far.
    pub fn forget(&self) {
        self.record().calls.clear();
    }

    fn record(&self) -> MutexGuard<'_, Record> {
        self.record.lock().unwrap()
    }

    fn note(&self, call: Call) -> Option<Fault> {
        let mut record = self.record();
        let sprung = record
            .traps
            .iter_mut()
            .rev()
            .find(|trap| trap.times > 0 && trap.catches(&call));
        let fault = sprung.map(|trap| {
            trap.times -= 1;
            trap.fault.clone()
        });
        record.calls.push(call);
        fault
    }

    async fn pass_on(&self, uri: &Uri, headers: HeaderMap, body: Bytes) -> (u16, HeaderMap, Bytes) {
        match &self.behind {
            Behind::Account(account) => identity(account, &body),
            Behind::Emulator(url) => {
                let path = uri.path_and_query().map_or("/", |path| path.as_str());
                let request = self.client.post(format!("{url}{path}")).headers(headers);
                let answer = request.body(body).send().await.unwrap();
                let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
                (status, headers, answer.bytes().await.unwrap())
            }
        }
    }
}

async fn answer(
    State(endpoint): State<AwsEndpoint>,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response<Body> {
    let operation = operation(&headers, &body);
    let json = serde_json::from_slice::<Value>(&body).ok();
    let is_json = json.is_some();
    let call = Call {
        action: format!("{}:{operation}", service(&headers)),
        operation,
        parameters: json.unwrap_or_else(|| form(&body)),
    };
    let fault = endpoint.note(call);
    if let Some(Fault::Refuse(status, code, message)) = fault {
        return refusal(status, code, message, is_json);
    }
    if let Some(Fault::Answer(make)) = fault {
        return respond(200, &HeaderMap::new(), make().to_string().into());
    }
    let (status, headers, body) = endpoint.pass_on(&uri, headers, body).await;
    match fault {
        Some(Fault::FailAfterwards(status)) => {
            refusal(status, "ServerException", "it was too much", is_json)
        }
        Some(Fault::LoseAnswer) => {
            let half = body.slice(..body.len() / 2);
            let broken = Err(std::io::Error::other("the wire breaks"));
            let parts = futures::stream::iter([Ok(half), broken]);
            Response::new(Body::from_stream(parts))
        }
        Some(Fault::Rewrite(change)) => {
            let mut value: Value = serde_json::from_slice(&body).unwrap();
            change(&mut value);
            respond(status, &headers, value.to_string().into())
        }
        Some(Fault::Refuse(..) | Fault::Answer(_)) | None => respond(status, &headers, body),
    }
}

/// Gives the service's first deployment the revision that the service has, and a name of its own.
pub fn name_deployment(service: &mut Value) {
    let Some(revision) = service["taskDefinition"].as_str().map(str::to_owned) else {
        return;
    };
    if let Some(deployment) = service.pointer_mut("/deployments/0") {
        let number = revision.rsplit(':').next().unwrap();
        deployment["id"] = json!(format!("ecs-svc/{number}"));
        deployment["taskDefinition"] = json!(revision);
    }
}

fn form(body: &[u8]) -> Value {
    let fields = url::form_urlencoded::parse(body).into_owned();
    fields.map(|(name, value)| (name, json!(value))).collect()
}

/// The service in the signature's scope: `Credential=KEY/DATE/REGION/SERVICE/aws4_request`.
fn service(headers: &HeaderMap) -> &str {
    let signature = headers.get("authorization");
    let signature = signature.and_then(|value| value.to_str().ok());
    let scope = signature.and_then(|value| value.split("Credential=").nth(1));
    scope
        .and_then(|scope| scope.split('/').nth(3))
        .unwrap_or("unknown")
}

/// In AWS's JSON protocol a header names the operation, in its query protocol a parameter does.
fn operation(headers: &HeaderMap, body: &[u8]) -> String {
    if let Some(target) = headers.get("x-amz-target") {
        let target = target.to_str().unwrap();
        return target.rsplit('.').next().unwrap().to_owned();
    }
    let action = String::from_utf8_lossy(body);
    let action = action
        .split('&')
        .find_map(|pair| pair.strip_prefix("Action="));
    action.unwrap_or("unknown").to_owned()
}

fn identity(account: &str, body: &[u8]) -> (u16, HeaderMap, Bytes) {
    if !String::from_utf8_lossy(body).contains("Action=GetCallerIdentity") {
        let unknown = json!({"__type": "UnknownOperationException"}).to_string();
        return (400, HeaderMap::new(), unknown.into());
    }
    let xml = format!(
        "<GetCallerIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">\
         <GetCallerIdentityResult><Arn>arn:aws:sts::{account}:assumed-role/deployer/ci</Arn>\
         <UserId>AROAEXAMPLE:ci</UserId><Account>{account}</Account></GetCallerIdentityResult>\
         <ResponseMetadata><RequestId>r-1</RequestId></ResponseMetadata></GetCallerIdentityResponse>"
    );
    (200, HeaderMap::new(), xml.into())
}

/// AWS's errors, in its JSON protocol and in its query protocol.
fn refusal(status: u16, code: &str, message: &str, is_json: bool) -> Response<Body> {
    let body = if is_json {
        json!({"__type": code, "message": message}).to_string()
    } else {
        format!(
            "<ErrorResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><Error>\
             <Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error>\
             <RequestId>r-1</RequestId></ErrorResponse>"
        )
    };
    respond(status, &HeaderMap::new(), body.into())
}

fn respond(status: u16, headers: &HeaderMap, body: Bytes) -> Response<Body> {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = StatusCode::from_u16(status).unwrap();
    for name in ["content-type", "date", "x-amzn-requestid"] {
        if let Some(value) = headers.get(name) {
            response.headers_mut().insert(name, value.clone());
        }
    }
    response
}
