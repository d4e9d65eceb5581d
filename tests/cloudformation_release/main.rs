//! Releases through a stack by the real binary: real tasks in a local environment, and a stand-in
//! for CloudFormation before it.

#[path = "../support/mod.rs"]
mod support;

mod failures;
mod refusals;
mod releases;
mod scene;
