//! The Terraform modules, judged by Terraform, by its AWS provider, by checkov, by rules of ours,
//! and by moto with the real command.

#[path = "../support/mod.rs"]
mod support;

mod example;
mod modules;
mod ownership;
mod policy;
mod stack;
mod world;
