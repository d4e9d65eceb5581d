//! The list of IAM actions (`terraform/modules/github-oidc/actions.json`) against the calls that the
//! commands really make: nothing is missing, and nothing is there that no command uses.

#[path = "../support/mod.rs"]
mod support;

mod commands;
mod recorder;
mod registry;
mod table;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

type Actions = BTreeSet<String>;

const LIST: &str = include_str!("../../terraform/modules/github-oidc/actions.json");

/// What each command needs, by the list.
fn listed() -> BTreeMap<String, Actions> {
    let list: Vec<Value> = serde_json::from_str(LIST).unwrap();
    let entries = list.iter().map(|entry| {
        let needs = entry["needs"].as_object().unwrap().values();
        let actions = needs.flat_map(|actions| actions.as_array().unwrap());
        let actions = actions.map(|action| action.as_str().unwrap().to_owned());
        (
            entry["command"].as_str().unwrap().to_owned(),
            actions.collect(),
        )
    });
    entries.collect()
}
