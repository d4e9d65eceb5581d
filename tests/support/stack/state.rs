//! What the stack is, and what CloudFormation was told.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::Troubles;
use crate::support::cloudformation as template;

pub const STACK_ID: &str =
    "arn:aws:cloudformation:us-east-1:111122223333:stack/acme-staging-mcp-server/0a1b2c3d";

/// A call that arrived.
#[derive(Debug, Clone)]
pub struct Told {
    pub operation: String,
    pub form: Vec<(String, String)>,
}

/// An event of the stack.
#[derive(Debug, Clone)]
pub struct Event {
    pub logical: String,
    pub physical: String,
    pub kind: &'static str,
    pub status: String,
    pub reason: String,
    pub token: String,
}

/// The stack.
#[derive(Debug)]
pub struct State {
    /// Whether there is one.
    pub exists: bool,
    pub status: String,
    pub reason: Option<String>,
    /// How many updates it has seen; stands for the time of the last one.
    pub updates: u32,
    pub parameters: BTreeMap<String, String>,
    /// Physical ids.
    pub service: String,
    pub revision: String,
    /// Oldest first.
    pub events: Vec<Event>,
    pub told: Vec<Told>,
    pub troubles: Troubles,
    /// Whether the update under way is to be taken back.
    pub cancelled: bool,
    pub(super) token: String,
}

impl State {
    /// A stack that was created of the real template without an image, around this service.
    pub(super) fn new(service: &Value) -> Self {
        let text = |name: &str| service[name].as_str().unwrap().to_owned();
        Self {
            exists: true,
            status: "CREATE_COMPLETE".into(),
            reason: None,
            updates: 0,
            parameters: declared()
                .iter()
                .map(|(name, parameter)| (name.clone(), first_value(parameter)))
                .collect(),
            service: text("serviceArn"),
            revision: text("taskDefinition"),
            events: Vec::new(),
            told: Vec::new(),
            troubles: Troubles::default(),
            cancelled: false,
            token: String::new(),
        }
    }

    /// The calls of `operation`, oldest first.
    pub fn calls_of(&self, operation: &str) -> Vec<Told> {
        let told = self.told.iter();
        told.filter(|told| told.operation == operation)
            .cloned()
            .collect()
    }

    /// Somebody changed an alarm, or the stack's tags too, which every resource has; that failed and
    /// was taken back.
    pub fn fail_another_update(&mut self, tags: bool) {
        self.becomes("UPDATE_IN_PROGRESS", "User Initiated");
        let physical = self.revision.clone();
        let revision = (
            "TaskDefinition",
            physical.as_str(),
            "AWS::ECS::TaskDefinition",
        );
        for status in ["UPDATE_IN_PROGRESS", "UPDATE_COMPLETE"]
            .iter()
            .filter(|_| tags)
        {
            self.tell(revision, status, "");
        }
        let alarm = ("Alarm", "acme-5xx", "AWS::CloudWatch::Alarm");
        self.tell(alarm, "UPDATE_FAILED", "a metric that is none");
        self.becomes(
            "UPDATE_ROLLBACK_IN_PROGRESS",
            "The following resource(s) failed to update: [Alarm].",
        );
        self.becomes("UPDATE_ROLLBACK_COMPLETE", "");
        self.updates += 1;
    }

    /// The stack's own status, with its event.
    pub(super) fn becomes(&mut self, status: &str, reason: &str) {
        self.status = status.to_owned();
        self.reason = Some(reason.to_owned()).filter(|reason| !reason.is_empty());
        let event = (
            "acme-staging-mcp-server",
            STACK_ID,
            "AWS::CloudFormation::Stack",
        );
        self.tell(event, status, reason);
    }

    pub(super) fn tell(
        &mut self,
        (logical, physical, kind): (&str, &str, &'static str),
        status: &str,
        reason: &str,
    ) {
        self.events.push(Event {
            logical: logical.to_owned(),
            physical: physical.to_owned(),
            kind,
            status: status.to_owned(),
            reason: reason.to_owned(),
            token: self.token.clone(),
        });
    }
}

/// The parameters of the template.
pub fn declared() -> Map<String, Value> {
    let mut template = template::read("mcp-service.yaml");
    match template["Parameters"].take() {
        Value::Object(parameters) => parameters,
        other => panic!("the parameters are {other}"),
    }
}

/// What it was when the stack was created: its default, else something that the operator gave.
fn first_value(parameter: &Value) -> String {
    match &parameter["Default"] {
        Value::Null => "given".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// Whether the parameter takes the value. The local environment's registry stands for ECR's.
pub fn takes(name: &str, value: &str) -> bool {
    let value = match (name, value.split_once('/')) {
        ("ImageUri", Some((_, image))) => {
            format!("111122223333.dkr.ecr.us-east-1.amazonaws.com/{image}")
        }
        _ => value.to_owned(),
    };
    template::is_taken(&declared()[name], &value)
}
