//! The CloudFormation templates, held against the Terraform modules property by property, and judged
//! by cfn-lint, checkov and moto.

#[path = "../support/mod.rs"]
mod support;

#[path = "../terraform/stack.rs"]
#[allow(dead_code, reason = "the Terraform suite uses the rest")]
mod quilt;

mod attributes;
mod command;
mod difference;
mod documents;
mod equivalence;
mod evaluate;
mod lint;
mod module;
mod parameters;
mod releases;
mod scenarios;
mod stack;
mod translate;

use support::cloudformation as template;
