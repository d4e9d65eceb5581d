//! The JSON Schema of everything that programs read from stdout.

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema};
use serde::Serialize;

use super::{
    build, completions, connect, deploy, history, images, init, local, logs, man, policy, promote,
    prune, publish, rollback, rollout, smoke, stop, verify, watch,
};
use crate::plan::Plan;
use crate::report::{ErrorReport, Record};
use crate::status::Status;

/// What `--output json` prints for a command that failed.
#[derive(Serialize, JsonSchema)]
struct Failed {
    /// The version of this object.
    version: u32,
    /// What went wrong.
    error: ErrorReport,
    /// What the command prints when it does not fail, where it got so far.
    #[serde(skip_serializing_if = "Option::is_none")]
    result: Option<serde_json::Value>,
}

/// Each schema with the name of the command that prints it; `error` is for every command
/// that failed, `event` for a line of `--output ndjson`.
pub fn schemas() -> Vec<(&'static str, Schema)> {
    vec![
        ("build", of::<build::BuildResult>("What `build` prints")),
        (
            "completions",
            of::<completions::CompletionsResult>("What `completions` prints"),
        ),
        (
            "connect",
            of::<connect::ConnectResult>("What `connect` prints"),
        ),
        ("deploy", of::<deploy::DeployResult>("What `deploy` prints")),
        ("error", of::<Failed>("What a command that failed prints")),
        ("event", of::<Record>("A line of `--output ndjson`")),
        (
            "history",
            of::<history::HistoryResult>("What `history` prints"),
        ),
        ("images", of::<images::ImagesResult>("What `images` prints")),
        ("init", of::<init::InitResult>("What `init` prints")),
        (
            "local-calls",
            of::<local::CallsResult>("What `local calls` prints"),
        ),
        (
            "local-fault",
            of::<local::FaultsResult>("What `local fault` prints"),
        ),
        (
            "local-status",
            of::<local::LocalStatus>("What `local up`, `down` and `status` print"),
        ),
        (
            "logs",
            of::<logs::LogsResult<'_>>("What `logs` prints, without --follow"),
        ),
        ("man", of::<man::ManResult>("What `man` prints")),
        ("plan", of::<Plan>("What `plan` prints")),
        ("policy", of::<policy::PolicyResult>("What `policy` prints")),
        (
            "promote",
            of::<promote::PromoteResult>("What `promote` prints"),
        ),
        ("prune", of::<prune::PruneResult>("What `prune` prints")),
        (
            "publish",
            of::<publish::PublishResult>("What `publish` prints"),
        ),
        ("quilt-mcp.toml", crate::config::schema()),
        (
            "rollback",
            of::<rollback::RollbackResult>("What `rollback` prints"),
        ),
        (
            "rollout",
            of::<rollout::RolloutResult>("What `rollout` prints"),
        ),
        ("smoke", of::<smoke::SmokeResult>("What `smoke` prints")),
        ("status", of::<Status>("What `status` prints")),
        ("stop", of::<stop::StopResult>("What `stop` prints")),
        ("verify", of::<verify::VerifyResult>("What `verify` prints")),
        ("watch", of::<watch::WatchResult>("What `watch` prints")),
    ]
}

fn of<T: JsonSchema>(title: &str) -> Schema {
    let mut schema = SchemaSettings::draft2020_12()
        .for_serialize()
        .into_generator()
        .into_root_schema_for::<T>();
    schema.insert("title".into(), title.into());
    schema
}
