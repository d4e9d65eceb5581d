//! Asking AWS about the service; its own types stop here.

use std::collections::BTreeMap;

use aws_config::default_provider::region::DefaultRegionChain;
use aws_sdk_ecs::types::{ContainerDefinition, Service as EcsService, ServiceField};
use url::Url;

use super::{Seen, SeenContainer, SeenListener, ServiceError, ServiceName};
use crate::aws::{AwsError, Clients, described_service};
use crate::init::Draft;
use crate::verify::gather::{balancer, service as verify_service};
use crate::verify::{Fetched, Missing, Rule, Target};

/// The server's own variables that say something of the endpoint. Others are none of our business.
const TELLING: [&str; 3] = ["MCP_PUBLIC_URL", "MCP_ALLOWED_ORIGINS", "QUILT_CATALOG_URL"];
/// CloudFormation's own tag on what a stack holds.
const STACK: &str = "aws:cloudformation:stack-name";

/// Looks at a service.
///
/// # Errors
/// [`ServiceError`] when it is not there or AWS does not tell of it.
pub async fn look(
    name: &ServiceName,
    region: Option<&str>,
    profile: Option<&str>,
    endpoint: Option<&Url>,
) -> Result<Seen, ServiceError> {
    let region = match region.or(name.region.as_deref()) {
        Some(region) => region.to_owned(),
        None => default_region(profile)
            .await
            .ok_or_else(|| ServiceError::NoRegion(name.clone()))?,
    };
    let clients = clients(&region, profile, endpoint).await?;
    let service = service(&clients, name, &region).await?;
    let task_definition = service.task_definition().unwrap_or_default();
    let containers = containers(&clients, task_definition).await?;
    let (target_container, listeners) = balancing(&clients, &service).await?;
    Ok(Seen {
        arn: service.service_arn().unwrap_or_default().to_owned(),
        region,
        cluster: name.cluster.clone(),
        service: name.service.clone(),
        stack: service
            .tags()
            .iter()
            .find(|tag| tag.key() == Some(STACK))
            .and_then(|tag| tag.value())
            .map(str::to_owned),
        target_container,
        containers,
        listeners,
    })
}

/// As the AWS CLI finds it: variables, then the profile.
async fn default_region(profile: Option<&str>) -> Option<String> {
    let mut chain = DefaultRegionChain::builder();
    if let Some(profile) = profile {
        chain = chain.profile_name(profile);
    }
    let region = chain.build().region().await?;
    Some(region.as_ref().to_owned())
}

/// Clients for an environment of which nothing is known yet but the way to AWS.
async fn clients(
    region: &str,
    profile: Option<&str>,
    endpoint: Option<&Url>,
) -> Result<Clients, ServiceError> {
    let mut draft = Draft::sample();
    draft.set("region", region);
    let mut environment = draft.environment("being-looked-at").map_err(Box::new)?;
    environment.profile = profile.map(str::to_owned);
    environment.endpoint_url = endpoint.cloned();
    Ok(Clients::connect(&environment).await)
}

async fn service(
    clients: &Clients,
    name: &ServiceName,
    region: &str,
) -> Result<EcsService, ServiceError> {
    let answer = clients
        .ecs
        .describe_services()
        .cluster(&name.cluster)
        .services(&name.service)
        .include(ServiceField::Tags)
        .send()
        .await;
    described_service(answer, name.to_string())?
        .filter(|service| service.status() != Some("INACTIVE"))
        .ok_or_else(|| ServiceError::Absent {
            name: name.clone(),
            region: region.to_owned(),
        })
}

async fn containers(clients: &Clients, arn: &str) -> Result<Vec<SeenContainer>, AwsError> {
    let answer = clients
        .ecs
        .describe_task_definition()
        .task_definition(arn)
        .send()
        .await
        .map_err(|error| AwsError::new("ecs:DescribeTaskDefinition", arn, &error))?;
    let containers = answer
        .task_definition()
        .map(|task| task.container_definitions())
        .unwrap_or_default();
    Ok(containers.iter().map(container).collect())
}

fn container(container: &ContainerDefinition) -> SeenContainer {
    let variables: BTreeMap<String, String> = container
        .environment()
        .iter()
        .filter_map(|pair| Some((pair.name()?.to_owned(), pair.value()?.to_owned())))
        .filter(|(name, _)| TELLING.contains(&name.as_str()))
        .collect();
    SeenContainer {
        name: container.name().unwrap_or_default().to_owned(),
        image: container.image().unwrap_or_default().to_owned(),
        variables,
    }
}

/// The container that the load balancer knows, and the listeners that lead to it.
async fn balancing(
    clients: &Clients,
    service: &EcsService,
) -> Result<(Option<String>, Vec<SeenListener>), ServiceError> {
    let service = verify_service::read(service);
    let groups = known(balancer::target_groups(clients, Ok(&service)).await)?;
    let mut listeners = Vec::new();
    for balancer in known(balancer::balancers(clients, &Ok(groups)).await)? {
        for listener in known(balancer.listeners)? {
            let leads_here = |rule: &Rule| {
                let ours = |group: &String| {
                    let is_it = |target: &Target| target.target_group == *group;
                    service.targets.iter().any(is_it)
                };
                rule.forwards_to.iter().any(ours)
            };
            let rules = known(listener.rules)?;
            listeners.push(SeenListener {
                port: listener.port,
                https: listener.protocol == "HTTPS",
                rules: rules.into_iter().filter(leads_here).collect(),
            });
        }
    }
    let container = service.targets.first();
    Ok((container.map(|target| target.container.clone()), listeners))
}

/// What is not there to be asked about is as good as nothing; what AWS refuses is an error.
fn known<T: Default>(fetched: Fetched<T>) -> Result<T, ServiceError> {
    match fetched {
        Ok(value) => Ok(value),
        Err(Missing::Aws(error)) => Err(error.into()),
        Err(Missing::Other(_)) => Ok(T::default()),
    }
}
