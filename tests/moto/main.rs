//! The command against moto: AWS's APIs as software that we did not write understands them.
//!
//! moto keeps task definitions, services and repositories, but runs no task and has no
//! registry: what a deployment becomes is the local environment's to rehearse, not its.

#[path = "../support/mod.rs"]
mod support;

mod look;
mod publish;
mod refusals;
mod register;
mod rollout;
mod stack;
mod update_service;
mod world;
