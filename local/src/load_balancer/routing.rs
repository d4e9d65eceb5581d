//! Which target, or which answer, a request gets.

use std::net::SocketAddrV4;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::pattern;
use crate::state::elb::{Action, Health, LoadBalancing, Target, TargetGroup};
use crate::world::World;

/// What is to be done with a request.
pub(super) enum Route {
    Target(Chosen),
    /// The rule's target group has no target that may get requests.
    NoTarget,
    Fixed {
        status: u16,
        content_type: String,
        body: String,
    },
}

/// A target that was chosen for one request.
pub(super) struct Chosen {
    pub address: SocketAddrV4,
    pub idle_timeout: Duration,
    pub lease: Lease,
}

/// Counts the request as in flight for as long as it lives: a draining target waits for it.
pub(super) struct Lease {
    in_flight: Arc<AtomicUsize>,
    world: Arc<World>,
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.in_flight.fetch_sub(1, Ordering::SeqCst);
        self.world.changed.notify_one();
    }
}

/// Applies the listener's rules to the path. Choosing a target and counting the request are one step
/// under the state's lock, so no target can be taken for idle between the two.
pub(super) fn route(world: &Arc<World>, path: &str) -> Route {
    world.touch(|state| {
        let balancing = &mut state.load_balancing;
        let idle_timeout = Duration::from_secs(balancing.idle_timeout_seconds);
        match action(balancing, path).clone() {
            Action::FixedResponse {
                status,
                content_type,
                body,
            } => Route::Fixed {
                status,
                content_type,
                body,
            },
            Action::Forward { target_group } => {
                let group = balancing.target_group_mut(&target_group);
                let Some(target) = group.and_then(choose) else {
                    return Route::NoTarget;
                };
                target.sent += 1;
                target.in_flight.fetch_add(1, Ordering::SeqCst);
                Route::Target(Chosen {
                    address: target.socket(),
                    idle_timeout,
                    lease: Lease {
                        in_flight: Arc::clone(&target.in_flight),
                        world: Arc::clone(world),
                    },
                })
            }
        }
    })
}

fn action<'a>(balancing: &'a LoadBalancing, path: &str) -> &'a Action {
    balancing
        .rules
        .iter()
        .filter(|rule| {
            rule.path_patterns
                .iter()
                .any(|pattern| pattern::matches(pattern, path))
        })
        .min_by_key(|rule| rule.priority)
        .map_or(&balancing.default_action, |rule| &rule.action)
}

/// The least busy of the healthy targets. A group with unhealthy targets only fails open, as on AWS:
/// all of them get requests.
fn choose(group: &mut TargetGroup) -> Option<&mut Target> {
    let any_healthy = group
        .targets
        .iter()
        .any(|target| target.health == Health::Healthy);
    group
        .targets
        .iter_mut()
        .filter(|target| match target.health {
            Health::Healthy => true,
            Health::Unhealthy(_) => !any_healthy,
            Health::Registering | Health::Checking | Health::Draining { .. } => false,
        })
        .min_by_key(|target| (target.in_flight.load(Ordering::SeqCst), target.sent))
}
