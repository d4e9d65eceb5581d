use rand::Rng;
use uuid::Uuid;

/// The account that the local environment plays.
pub(crate) const ACCOUNT: &str = "111122223333";
/// The region that it plays.
pub(crate) const REGION: &str = "us-east-1";
/// Name of the cluster.
pub(crate) const CLUSTER: &str = "quilt-local";
/// Name of the service, of its task definitions' family and of its repository.
pub(crate) const SERVICE: &str = "quilt-local-mcp-server";
/// Name of the container.
pub(crate) const CONTAINER: &str = "mcp-server";
/// The port on which the container listens.
pub(crate) const CONTAINER_PORT: u16 = 8000;
/// The log group of the tasks.
pub(crate) const LOG_GROUP: &str = "/quilt/quilt-local/mcp-server";

/// `arn:aws:SERVICE:REGION:ACCOUNT:RESOURCE`.
pub(crate) fn arn(service: &str, resource: &str) -> String {
    format!("arn:aws:{service}:{REGION}:{ACCOUNT}:{resource}")
}

pub(crate) fn role(name: &str) -> String {
    format!("arn:aws:iam::{ACCOUNT}:role/{name}")
}

/// The user that every caller of the local environment is.
pub(crate) fn caller() -> String {
    format!("arn:aws:iam::{ACCOUNT}:user/local")
}

pub(crate) fn cluster() -> String {
    arn("ecs", &format!("cluster/{CLUSTER}"))
}

pub(crate) fn service(name: &str) -> String {
    arn("ecs", &format!("service/{CLUSTER}/{name}"))
}

pub(crate) fn task(id: &str) -> String {
    arn("ecs", &format!("task/{CLUSTER}/{id}"))
}

pub(crate) fn container(task: &str, id: &str) -> String {
    arn("ecs", &format!("container/{CLUSTER}/{task}/{id}"))
}

pub(crate) fn task_definition(family: &str, revision: u32) -> String {
    arn("ecs", &format!("task-definition/{family}:{revision}"))
}

pub(crate) fn service_deployment(service: &str, id: &str) -> String {
    arn(
        "ecs",
        &format!("service-deployment/{CLUSTER}/{service}/{id}"),
    )
}

pub(crate) fn service_revision(service: &str, id: &str) -> String {
    arn("ecs", &format!("service-revision/{CLUSTER}/{service}/{id}"))
}

pub(crate) fn repository(name: &str) -> String {
    arn("ecr", &format!("repository/{name}"))
}

pub(crate) fn log_group(name: &str) -> String {
    arn("logs", &format!("log-group:{name}"))
}

/// 32 hexadecimal digits: a task's id, and other ids of ECS.
pub(crate) fn hex32() -> String {
    Uuid::new_v4().simple().to_string()
}

/// 16 hexadecimal digits: the ids in ELBv2's ARNs.
pub(crate) fn hex16() -> String {
    hex32().split_off(16)
}

/// For example `eni-0` with 16 more hexadecimal digits: EC2's ids.
pub(crate) fn ec2(prefix: &str) -> String {
    format!("{prefix}-0{}", hex16())
}

/// 19 decimal digits: what follows `ecs-svc/`, and the ids of service revisions.
pub(crate) fn digits() -> String {
    rand::rng()
        .random_range(1_000_000_000_000_000_000_u64..10_000_000_000_000_000_000)
        .to_string()
}

/// A deployment's id, which is the `startedBy` of its tasks.
pub(crate) fn deployment() -> String {
    format!("ecs-svc/{}", digits())
}

/// 21 characters, as ECS's ids of service deployments.
pub(crate) fn service_deployment_id() -> String {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    let mut random = rand::rng();
    (0..21)
        .map(|_| char::from(ALPHABET[random.random_range(0..ALPHABET.len())]))
        .collect()
}

/// The last part of an ARN: what follows the last `/`, or all of a plain name.
pub(crate) fn last_part(arn_or_name: &str) -> &str {
    arn_or_name.rsplit('/').next().unwrap_or(arn_or_name)
}
