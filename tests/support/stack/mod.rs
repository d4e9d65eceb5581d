//! A stand-in for CloudFormation with one stack, which holds the service of a local environment:
//! it has tasks, and no emulator's CloudFormation does.
//!
//! What CloudFormation is told, it does: it registers the revision and calls UpdateService at the
//! local environment, follows the deployment, and returns as the AWS CloudFormation User Guide
//! describes ("Stack status codes", "Understand update behaviors"). Every other call goes
//! through to the local environment.

mod ecs;
mod state;
mod update;
mod wire;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State as Shared;
use axum::http::{HeaderMap, Response};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

pub use self::ecs::Ecs;
pub use self::state::State;

/// The name of the stack.
pub const STACK: &str = "acme-staging-mcp-server";

/// What the stack's operations are to meet.
#[derive(Debug, Clone, Copy, Default)]
pub struct Troubles {
    /// The answer to the next UpdateStack is lost, once it is heard.
    pub lose_answer: bool,
    /// The task definition cannot be registered.
    pub no_registration: bool,
    /// What was updated cannot be taken back.
    pub no_return: bool,
    /// CloudFormation does not begin with the resources.
    pub idle: bool,
}

/// A running stand-in; ends when dropped.
pub struct StandIn {
    address: SocketAddr,
    behind: Behind,
    runtime: Runtime,
}

/// What answers and updates share.
#[derive(Clone)]
struct Behind {
    ecs: Ecs,
    state: Arc<Mutex<State>>,
    upstream: String,
    client: reqwest::Client,
}

impl StandIn {
    /// Before the local environment at `upstream`, whose service is in the stack.
    pub fn before(upstream: &str) -> Self {
        let runtime = Runtime::new().unwrap();
        let (address, behind) = runtime.block_on(async {
            let client = reqwest::Client::builder().no_proxy().build().unwrap();
            let ecs = Ecs::at(upstream, client.clone());
            let service = ecs.service().await;
            let behind = Behind {
                state: Arc::new(Mutex::new(State::new(&service))),
                upstream: upstream.to_owned(),
                client,
                ecs,
            };
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap();
            let router = Router::new().fallback(answer).with_state(behind.clone());
            tokio::spawn(async move { axum::serve(listener, router).await });
            (address, behind)
        });
        Self {
            address,
            behind,
            runtime,
        }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// quilt-mcp.toml with an environment `staging` whose releases go through `stack`.
    pub fn configuration(&self, load_balancer: &str, service: &str, stack: &str) -> String {
        format!(
            "[environments.staging]\naccount_id = \"111122223333\"\nregion = \"us-east-1\"\n\
             endpoint_url = \"{}\"\nrepository = \"quilt-local-mcp-server\"\n\
             cluster = \"quilt-local\"\nservice = \"{service}\"\nurl = \"{}/mcp/\"\n\
             bake_seconds = 1\ntimeout_seconds = 240\n\
             deploy_through = \"cloudformation\"\nstack = \"{stack}\"\n",
            self.url(),
            load_balancer.trim_end_matches('/')
        )
    }

    /// The stack, to look at and to change.
    pub fn stack(&self) -> MutexGuard<'_, State> {
        self.behind.state()
    }

    /// ECS never gives a deployment up by itself: who cancels the update is the command.
    pub fn turn_breaker_off(&self) {
        let breaker = serde_json::json!({"enable": false, "rollback": false});
        let configuration = serde_json::json!({"deploymentCircuitBreaker": breaker});
        self.update_service(serde_json::json!({"deploymentConfiguration": configuration}));
    }

    /// Somebody's UpdateService behind the stack's back; gives the service.
    pub fn update_service(&self, parameters: serde_json::Value) -> serde_json::Value {
        let ecs = self.behind.ecs.clone();
        self.runtime.block_on(async move {
            ecs.update_service(parameters).await;
            ecs.service().await
        })
    }
}

impl Behind {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

async fn answer(Shared(behind): Shared<Behind>, headers: HeaderMap, body: Bytes) -> Response<Body> {
    let form: Vec<(String, String)> = url::form_urlencoded::parse(&body).into_owned().collect();
    let is_ours = form
        .iter()
        .any(|(name, value)| name == "Version" && value == "2010-05-15");
    if is_ours {
        return wire::answer(&behind, &form);
    }
    let request = behind.client.post(&behind.upstream).headers(headers);
    let answer = request.body(body).send().await.unwrap();
    let mut response = Response::builder().status(answer.status().as_u16());
    for name in ["content-type", "date", "x-amzn-requestid"] {
        if let Some(value) = answer.headers().get(name) {
            response = response.header(name, value.clone());
        }
    }
    response
        .body(Body::from(answer.bytes().await.unwrap()))
        .unwrap()
}
