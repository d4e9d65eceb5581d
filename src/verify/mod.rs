//! `verify`: whether an environment is ready for a release, found out without changing anything.
//!
//! [`gather()`] asks AWS, everything at once, and makes [`Facts`] of the answers; each check is
//! a pure function of them. What could not be asked is a fact too: a check that cannot be made
//! says why and is not a pass.

mod checks;
mod facts;
pub(crate) mod gather;
pub(crate) mod pattern;

pub use facts::{
    Balancer, Caller, CheckoutImage, Cluster, Container, Decision, Facts, Fetched, Image, Listener,
    LogGroup, MatchedOn, Missing, Network, Role, RouteTable, Rule, Secret, SecurityGroup, Service,
    Subnet, Target, TargetGroup, Task, Verdict,
};
pub use gather::gather;

pub use crate::report::{Check, CheckOutcome};

impl Check {
    fn ok(name: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::new(name, CheckOutcome::Ok, detail, None)
    }

    fn skipped(name: impl Into<String>, why: impl Into<String>) -> Self {
        Self::new(name, CheckOutcome::Skipped, why, None)
    }

    fn warning(
        name: impl Into<String>,
        detail: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self::new(name, CheckOutcome::Warning, detail, Some(remedy.into()))
    }

    fn failed(
        name: impl Into<String>,
        detail: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self::new(name, CheckOutcome::Failed, detail, Some(remedy.into()))
    }

    /// The facts that the check needs could not be had.
    fn unknown(name: impl Into<String>, missing: &Missing) -> Self {
        let remedy = match missing {
            Missing::Aws(error) => error.hint(),
            Missing::Other(_) => None,
        };
        Self::new(name, CheckOutcome::Unknown, missing.to_string(), remedy)
    }

    fn new(
        name: impl Into<String>,
        outcome: CheckOutcome,
        detail: impl Into<String>,
        remedy: Option<String>,
    ) -> Self {
        Self {
            name: name.into(),
            outcome,
            detail: detail.into(),
            remedy,
        }
    }
}

/// Makes every check, in the order in which a release meets what they are about.
pub fn check(facts: &Facts) -> Vec<Check> {
    [
        checks::identity::checks(facts),
        checks::image::checks(facts),
        checks::service::checks(facts),
        checks::stack::checks(facts),
        checks::task::checks(facts),
        checks::roles::checks(facts),
        checks::permissions::checks(facts),
        checks::target_group::checks(facts),
        checks::listener::checks(facts),
        checks::network::checks(facts),
    ]
    .concat()
}
