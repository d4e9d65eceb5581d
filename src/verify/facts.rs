//! What is known of an environment; AWS's own types stop before here.

use std::fmt;

use serde_json::Value;

use crate::aws::AwsError;
use crate::config::Environment;
use crate::permissions::On;
use crate::registry::Repository;
use crate::rollout::Held;
use crate::stack::StackError;

/// A fact, or why it is not known.
pub type Fetched<T> = Result<T, Missing>;

/// Why a fact is not known.
#[derive(Debug, Clone)]
pub enum Missing {
    /// AWS did not say it.
    Aws(AwsError),
    /// It could not be asked for, or is nothing that can be looked at.
    Other(String),
}

impl From<AwsError> for Missing {
    fn from(error: AwsError) -> Self {
        Self::Aws(error)
    }
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Aws(error) => error.fmt(f),
            Self::Other(reason) => f.write_str(reason),
        }
    }
}

/// Everything that is known of an environment.
#[derive(Debug, Clone)]
pub struct Facts {
    /// The environment.
    pub environment: Environment,
    /// Who asks.
    pub caller: Caller,
    /// The repository; `None` where there is none.
    pub repository: Fetched<Option<Repository>>,
    /// The image that this checkout published, where the command runs in one.
    pub checkout: Option<CheckoutImage>,
    /// The image that the service's task definition names.
    pub running: Fetched<Image>,
    /// The cluster; `None` where there is none.
    pub cluster: Fetched<Option<Cluster>>,
    /// The service; `None` where there is none.
    pub service: Fetched<Option<Service>>,
    /// The stack that releases go through, as a release would find it; `None` where they go
    /// through ECS.
    pub stack: Option<Result<Held, StackError>>,
    /// The service's task definition.
    pub task: Fetched<Task>,
    /// The container's log group.
    pub log_group: Fetched<LogGroup>,
    /// The secrets and parameters that the task definition refers to.
    pub secrets: Fetched<Vec<Secret>>,
    /// The roles of the task definition.
    pub roles: Fetched<Vec<Role>>,
    /// What IAM says that the caller may do.
    pub decisions: Fetched<Vec<Decision>>,
    /// The service's target groups.
    pub target_groups: Fetched<Vec<TargetGroup>>,
    /// The load balancers before them.
    pub balancers: Fetched<Vec<Balancer>>,
    /// The service's network.
    pub network: Fetched<Network>,
}

/// Who asks, as STS says.
#[derive(Debug, Clone)]
pub struct Caller {
    /// The account.
    pub account_id: String,
    /// The ARN.
    pub arn: String,
}

/// The image of this checkout.
#[derive(Debug, Clone)]
pub struct CheckoutImage {
    /// The tag that it has, or would have.
    pub tag: String,
    /// The image; `None` where it is not published.
    pub image: Fetched<Option<Image>>,
}

/// An image in the repository.
#[derive(Debug, Clone)]
pub struct Image {
    /// How the task definition or the tag names it.
    pub name: String,
    /// Whether it is in the environment's repository.
    pub present: bool,
    /// `linux/amd64`, as its configuration says.
    pub platform: Fetched<String>,
}

/// The ECS cluster.
#[derive(Debug, Clone)]
pub struct Cluster {
    /// `ACTIVE`, or something else.
    pub status: String,
}

/// The ECS service.
#[derive(Debug, Clone)]
pub struct Service {
    /// Its ARN.
    pub arn: String,
    /// Its cluster's ARN.
    pub cluster_arn: String,
    /// `ACTIVE`, `DRAINING` or `INACTIVE`.
    pub status: String,
    /// `ECS`, `CODE_DEPLOY` or `EXTERNAL`.
    pub controller: String,
    /// Whether the circuit breaker is on.
    pub breaker: bool,
    /// Whether the circuit breaker, or an alarm, rolls back.
    pub rolls_back: bool,
    /// The lower bound during a deployment, in percent.
    pub minimum_healthy_percent: i32,
    /// How many tasks should run.
    pub desired: i32,
    /// The task definition's ARN.
    pub task_definition: String,
    /// Where its tasks are registered.
    pub targets: Vec<Target>,
    /// The tasks' subnets.
    pub subnets: Vec<String>,
    /// The tasks' security groups.
    pub security_groups: Vec<String>,
    /// Whether tasks get a public address.
    pub public_ip: bool,
}

/// A target group as the service uses it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The target group's ARN.
    pub target_group: String,
    /// The container that is registered.
    pub container: String,
    /// Its port.
    pub port: i32,
}

/// A task definition.
#[derive(Debug, Clone)]
pub struct Task {
    /// Its ARN.
    pub arn: String,
    /// Its family.
    pub family: String,
    /// `X86_64`, `ARM64`, or nothing, which means X86_64.
    pub architecture: Option<String>,
    /// Its containers.
    pub containers: Vec<Container>,
    /// The role that pulls, logs and reads secrets.
    pub execution_role: Option<String>,
    /// The role of the server itself.
    pub task_role: Option<String>,
}

impl Task {
    /// The container of this name.
    pub fn container(&self, name: &str) -> Option<&Container> {
        let named = |container: &&Container| container.name == name;
        self.containers.iter().find(named)
    }

    /// The ARNs of its roles.
    pub fn roles(&self) -> impl Iterator<Item = &String> {
        [&self.execution_role, &self.task_role]
            .into_iter()
            .flatten()
    }
}

/// A container of a task definition.
#[derive(Debug, Clone)]
pub struct Container {
    /// Its name.
    pub name: String,
    /// Its image.
    pub image: String,
    /// The ports that it listens on.
    pub ports: Vec<i32>,
    /// The log driver.
    pub log_driver: Option<String>,
    /// The `awslogs-group`.
    pub log_group: Option<String>,
    /// The `awslogs-region`.
    pub log_region: Option<String>,
    /// Whether `awslogs-create-group` is set.
    pub creates_log_group: bool,
    /// Its secrets: the variable and `valueFrom`.
    pub secrets: Vec<(String, String)>,
}

/// A log group.
#[derive(Debug, Clone)]
pub struct LogGroup {
    /// Its name.
    pub name: String,
    /// Whether it is there.
    pub exists: bool,
    /// For how many days lines are kept; `None` is for ever.
    pub retention_days: Option<i32>,
}

/// A secret or parameter; never its value.
#[derive(Debug, Clone)]
pub struct Secret {
    /// The variable that it becomes.
    pub variable: String,
    /// `valueFrom` of the task definition.
    pub reference: String,
    /// Whether it can be used.
    pub state: Fetched<Verdict>,
}

/// Whether something that is referred to can be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It is there.
    Usable,
    /// It is not there.
    Absent,
    /// It is there, but.
    Unusable(String),
}

/// A role of the task definition.
#[derive(Debug, Clone)]
pub struct Role {
    /// `execution` or `task`.
    pub purpose: &'static str,
    /// Its ARN.
    pub arn: String,
    /// Its trust policy; `None` where there is no such role.
    pub trust: Fetched<Option<Value>>,
}

/// IAM's word on one action.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// The action.
    pub action: String,
    /// What it was asked on.
    pub on: On,
    /// The ARN that it was asked on.
    pub resource: String,
    /// Whether it is allowed; `None` where a condition's value was missing.
    pub allowed: Option<bool>,
}

/// A target group.
#[derive(Debug, Clone)]
pub struct TargetGroup {
    /// Its ARN.
    pub arn: String,
    /// Its name.
    pub name: String,
    /// `ip`, `instance`, `lambda` or `alb`.
    pub target_type: String,
    /// `HTTP`, `HTTPS`, `TCP` and so on.
    pub protocol: String,
    /// `HTTP1`, `HTTP2` or `GRPC`.
    pub protocol_version: String,
    /// The health check's path.
    pub health_path: String,
    /// The health check's port, or `traffic-port`.
    pub health_port: String,
    /// The health check's protocol.
    pub health_protocol: String,
    /// The codes that are healthy.
    pub matcher: String,
    /// The load balancers that use it.
    pub balancers: Vec<String>,
    /// Its attributes.
    pub attributes: Fetched<Vec<(String, String)>>,
}

/// A load balancer.
#[derive(Debug, Clone)]
pub struct Balancer {
    /// Its ARN.
    pub arn: String,
    /// Its name.
    pub name: String,
    /// Its security groups.
    pub security_groups: Vec<String>,
    /// Seconds without a byte until a connection is cut.
    pub idle_timeout: Fetched<i64>,
    /// Its listeners.
    pub listeners: Fetched<Vec<Listener>>,
}

/// A listener.
#[derive(Debug, Clone)]
pub struct Listener {
    /// Its port.
    pub port: i32,
    /// `HTTP` or `HTTPS`.
    pub protocol: String,
    /// The security policy, for HTTPS.
    pub ssl_policy: Option<String>,
    /// Its rules.
    pub rules: Fetched<Vec<Rule>>,
}

/// A listener's rule.
#[derive(Debug, Clone, Default)]
pub struct Rule {
    /// Its number; the default rule has none and comes last.
    pub priority: Option<i32>,
    /// What requests must match, all of it.
    pub conditions: Vec<MatchedOn>,
    /// The target groups that it forwards to; none for redirects and fixed responses.
    pub forwards_to: Vec<String>,
    /// What it does, in a word.
    pub action: String,
}

/// A condition of a rule: any of its values must match.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MatchedOn {
    /// The host, with wildcards.
    Host(Vec<String>),
    /// The path, with wildcards.
    Path(Vec<String>),
    /// The method.
    Method(Vec<String>),
    /// Something that the request's host, path and method do not decide.
    Other(String),
}

/// The service's network.
#[derive(Debug, Clone)]
pub struct Network {
    /// Its subnets.
    pub subnets: Vec<Subnet>,
    /// The security groups of its tasks.
    pub security_groups: Fetched<Vec<SecurityGroup>>,
    /// The services that the VPC has endpoints of, `com.amazonaws.eu-west-1.ecr.api`.
    pub endpoints: Fetched<Vec<String>>,
}

/// A subnet and its way out.
#[derive(Debug, Clone)]
pub struct Subnet {
    /// Its id.
    pub id: String,
    /// Its routes, where they can be seen.
    pub routes: Fetched<RouteTable>,
}

/// A route table, as far as the way to everywhere goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RouteTable {
    /// Where `0.0.0.0/0` goes: `nat-…`, `igw-…`, `tgw-…`; `None` without such a route.
    pub default_route: Option<String>,
    /// Whether that route leads nowhere, because its target is gone.
    pub blackhole: bool,
}

/// A security group's ingress.
#[derive(Debug, Clone)]
pub struct SecurityGroup {
    /// Its id.
    pub id: String,
    /// What it lets in.
    pub ingress: Vec<Ingress>,
}

/// What a security group lets in.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Ingress {
    /// `tcp`, or `-1` for everything.
    pub protocol: String,
    /// The first and last port; all of them where there is none.
    pub ports: Option<(i64, i64)>,
    /// The security groups that may come.
    pub groups: Vec<String>,
    /// The addresses that may come.
    pub addresses: Vec<String>,
    /// The prefix lists that may come.
    pub prefix_lists: Vec<String>,
}

impl Facts {
    /// The container that runs the server, where the task definition has it.
    pub fn container(&self) -> Option<&Container> {
        let task = self.task.as_ref().ok()?;
        task.container(&self.environment.container)
    }

    /// The actions that AWS denied while facts were gathered, each once.
    pub fn denied(&self) -> Vec<&'static str> {
        let mut denied = Vec::new();
        let mut note = |missing: Option<&Missing>| {
            if let Some(Missing::Aws(error)) = missing
                && error.kind == crate::aws::AwsErrorKind::AccessDenied
                && !denied.contains(&error.action)
            {
                denied.push(error.action);
            }
        };
        note(self.repository.as_ref().err());
        note(self.running.as_ref().err());
        note(self.cluster.as_ref().err());
        note(self.service.as_ref().err());
        note(self.task.as_ref().err());
        note(self.log_group.as_ref().err());
        note(self.target_groups.as_ref().err());
        note(self.balancers.as_ref().err());
        if let Some(Err(StackError::Aws(error))) = &self.stack {
            note(Some(&error.clone().into()));
        }
        if let Some(checkout) = &self.checkout {
            note(checkout.image.as_ref().err());
        }
        denied
    }
}
