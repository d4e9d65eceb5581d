//! Everything the local environment knows, as one plain value that can be written to disk.

pub(crate) mod ecr;
pub(crate) mod ecs;
pub(crate) mod elb;
mod recovery;
mod seed;
pub(crate) mod store;

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use ecr::Repository;
use ecs::{Service, Task, TaskDefinition};
use elb::LoadBalancing;

/// Raised when an older version's state can no longer be read.
pub(crate) const FORMAT: u32 = 2;

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct State {
    pub format: u32,
    /// The ports of the last life, in the order of [`crate::Ports`].
    pub addresses: Addresses,
    /// In the order of registration.
    pub task_definitions: Vec<TaskDefinition>,
    pub services: Vec<Service>,
    /// In the order of creation; stopped ones are kept for a while.
    pub tasks: Vec<Task>,
    pub load_balancing: LoadBalancing,
    pub repositories: Vec<Repository>,
    pub cluster_tags: Vec<Tag>,
    /// Names of the CloudWatch alarms that fire. A new life starts without any.
    #[serde(skip)]
    pub alarms: BTreeSet<String>,
}

/// Where the listeners are, and where the registry was in former lives: an image reference that was
/// registered then still means this registry.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Addresses {
    pub endpoint: u16,
    pub registry: u16,
    pub load_balancer: u16,
    pub quilt_registry: u16,
    pub former_registries: Vec<u16>,
}

impl Addresses {
    pub(crate) fn registry_host(&self) -> String {
        format!("127.0.0.1:{}", self.registry)
    }

    pub(crate) fn quilt_registry_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.quilt_registry)
    }

    pub(crate) fn load_balancer_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.load_balancer)
    }

    /// Whether `host` (`host:port`) is this registry, now or in a former life.
    pub(crate) fn is_our_registry(&self, host: &str) -> bool {
        let Some((name, port)) = host.rsplit_once(':') else {
            return false;
        };
        let Ok(port) = port.parse::<u16>() else {
            return false;
        };
        matches!(name, "127.0.0.1" | "localhost")
            && (port == self.registry || self.former_registries.contains(&port))
    }
}

/// A tag of an AWS resource, in the form that ECS reads and writes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Tag {
    pub key: String,
    #[serde(default)]
    pub value: String,
}

impl Tag {
    pub(crate) fn new(key: &str, value: &str) -> Self {
        Self {
            key: key.to_owned(),
            value: value.to_owned(),
        }
    }
}

/// Adds `new` to `tags`; a tag whose key is there already gets the new value.
pub(crate) fn merge_tags(tags: &mut Vec<Tag>, new: Vec<Tag>) {
    for tag in new {
        match tags.iter_mut().find(|old| old.key == tag.key) {
            Some(old) => old.value = tag.value,
            None => tags.push(tag),
        }
    }
}

impl State {
    pub(crate) fn service(&self, name: &str) -> Option<&Service> {
        self.services.iter().find(|service| service.name == name)
    }

    pub(crate) fn service_mut(&mut self, name: &str) -> Option<&mut Service> {
        self.services
            .iter_mut()
            .find(|service| service.name == name)
    }

    pub(crate) fn task(&self, id: &str) -> Option<&Task> {
        self.tasks.iter().find(|task| task.id == id)
    }

    pub(crate) fn task_mut(&mut self, id: &str) -> Option<&mut Task> {
        self.tasks.iter_mut().find(|task| task.id == id)
    }

    pub(crate) fn task_definition(&self, arn: &str) -> Option<&TaskDefinition> {
        self.task_definitions
            .iter()
            .find(|definition| definition.arn() == arn)
    }

    pub(crate) fn repository(&self, name: &str) -> Option<&Repository> {
        self.repositories
            .iter()
            .find(|repository| repository.name == name)
    }

    pub(crate) fn repository_mut(&mut self, name: &str) -> Option<&mut Repository> {
        self.repositories
            .iter_mut()
            .find(|repository| repository.name == name)
    }
}
