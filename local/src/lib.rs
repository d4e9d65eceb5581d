//! The local environment: one process that rehearses, on loopback, the AWS services which a release
//! of Quilt's MCP server touches, truthfully enough to practise the release and its failures.
//!
//! [`serve()`] runs it; [`describe`] tells where a running one listens; [`exec_task`] is what the
//! program that embeds this crate calls in the process that becomes a task.
//!
//! Data flows one way. `state` is a plain value. The `ecs` scheduler is a pure function of that
//! value and the time, and asks for effects; the `engine` carries them out with a `runtime` and
//! writes what happened back into the state. The `api`, the `registry` and the
//! `load_balancer` read and change the same value, each behind its own listener.

mod api;
mod aws;
mod calls;
mod description;
mod ecs;
mod engine;
mod error;
mod faults;
mod incidents;
mod listener;
mod load_balancer;
mod lock;
mod logs;
mod options;
mod registry;
mod runtime;
mod secrets;
mod serve;
mod state;
mod world;

pub use description::{Description, describe, is_locked};
pub use error::Error;
pub use faults::{Fault, Vulnerability, any_seed};
pub use options::{Options, Ports, RuntimeKind};
pub use runtime::launcher::exec_task;
pub use serve::serve;
