//! Asking AWS, everything at once that does not wait for another answer.

pub(crate) mod balancer;
mod image;
mod network;
mod permissions;
pub(crate) mod resources;
pub(crate) mod service;

use futures::join;

use super::facts::{Caller, CheckoutImage, Facts, Fetched, Missing, Service};
use crate::aws::Clients;
use crate::config::Environment;
use crate::image::Tag;
use crate::registry::Ecr;
use crate::rollout::Held;
use crate::stack::StackError;

/// Asks for everything that the checks look at, once [`Clients::guard_account`] has passed. `checkout` is the tag of this checkout's image.
pub async fn gather(clients: &Clients, environment: &Environment, checkout: Option<Tag>) -> Facts {
    // Without an ARN nothing can be simulated, and the check says so.
    let caller = Caller {
        account_id: environment.account_id.clone(),
        arn: clients
            .caller()
            .map(|caller| caller.arn.clone())
            .unwrap_or_default(),
    };
    let ecr = Ecr::new(&clients.ecr);
    let repository = async {
        let found = ecr.repository(&environment.repository).await;
        found.map_err(Missing::from)
    };
    let (repository, cluster, service) = join!(
        repository,
        service::cluster(clients, environment),
        service::service(clients, environment),
    );
    let balancing = async {
        let groups = balancer::target_groups(clients, present(&service)).await;
        let balancers = balancer::balancers(clients, &groups).await;
        (groups, balancers)
    };
    let of_task = async {
        let task = match present(&service) {
            Ok(service) => service::task(clients, &service.task_definition).await,
            Err(missing) => Err(missing),
        };
        let (log_group, secrets, roles, running, decisions) = join!(
            resources::log_group(clients, environment, &task),
            resources::secrets(clients, &task),
            resources::roles(clients, &task),
            image::running(&ecr, environment, &repository, &task),
            permissions::decisions(clients, environment, &caller, &service, &task),
        );
        (task, log_group, secrets, roles, running, decisions)
    };
    let of_stack = stack(clients, environment, present(&service));
    let of_checkout = async {
        let tag = checkout?;
        Some(CheckoutImage {
            image: image::tagged(&ecr, &repository, &tag).await,
            tag: tag.to_string(),
        })
    };
    let (balancing, of_task, stack, checkout, network) = join!(
        balancing,
        of_task,
        of_stack,
        of_checkout,
        network::network(clients, present(&service)),
    );
    let (target_groups, balancers) = balancing;
    let (task, log_group, secrets, roles, running, decisions) = of_task;
    Facts {
        environment: environment.clone(),
        caller,
        repository,
        checkout,
        running,
        cluster,
        service,
        stack,
        task,
        log_group,
        secrets,
        roles,
        decisions,
        target_groups,
        balancers,
        network,
    }
}

/// The stack, as a release of this service would find it.
async fn stack(
    clients: &Clients,
    environment: &Environment,
    service: Fetched<&Service>,
) -> Option<Result<Held, StackError>> {
    let name = environment.deploy_through.stack()?;
    let running = service.map_or("", |service| service.task_definition.as_str());
    Some(Held::find(clients, environment, name, running).await)
}

/// The service, or why what hangs on it is not known.
fn present(service: &Fetched<Option<Service>>) -> Fetched<&Service> {
    match service {
        Ok(Some(service)) => Ok(service),
        Ok(None) => Err(Missing::Other("there is no service".into())),
        Err(_) => Err(unseen("service")),
    }
}

/// What depends on something that is reported unknown by itself.
fn unseen(what: &str) -> Missing {
    Missing::Other(format!("the {what} could not be looked at"))
}
