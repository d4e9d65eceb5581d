//! The calls to CloudFormation (AWS CloudFormation API Reference, version 2010-05-15).

use serde_json::{Value, json};

use super::{COMMIT, IMAGE, LastUpdate, RELEASED_BY, Stack, StackError, StackResource, TASK_COUNT};
use crate::aws::direct::{Question, Service};
use crate::aws::{AwsError, Clients};

const UPDATE: &str = "cloudformation:UpdateStack";
/// Pages of events that are read in search of the beginning of an operation.
const PAGES_OF_EVENTS: usize = 10;

/// What an update is to change; every other parameter keeps its value.
#[derive(Debug, Clone, Copy)]
pub struct Change<'a> {
    /// The image: `REPOSITORY@DIGEST`.
    pub image: &'a str,
    /// The commit that it was built from, where known.
    pub commit: Option<&'a str>,
    /// The ARN of who releases it, where known.
    pub released_by: Option<&'a str>,
    /// What becomes of the number of tasks.
    pub count: TaskCount,
}

/// What an update makes of the number of tasks: a value of [`TASK_COUNT`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TaskCount {
    /// The template's fewest, for a service that has none.
    MinTasks,
    /// What autoscaling made of it: CloudFormation leaves a count that the template does not say
    /// out of its UpdateService.
    Unchanged,
}

impl TaskCount {
    /// For a service that wants `desired` tasks.
    pub fn after(desired: i32) -> Self {
        if desired == 0 {
            Self::MinTasks
        } else {
            Self::Unchanged
        }
    }

    fn value(self) -> &'static str {
        match self {
            Self::MinTasks => "MinTasks",
            Self::Unchanged => "Unchanged",
        }
    }
}

/// What became of an update that was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Updated {
    /// CloudFormation began it.
    Begun,
    /// The stack says all of it already.
    NothingToDo,
}

async fn ask(
    clients: &Clients,
    action: &'static str,
    stack: &str,
    parameters: Value,
) -> Result<Value, AwsError> {
    let question = Question {
        service: Service::CloudFormation,
        action,
        resource: format!("stack {stack}"),
        parameters,
    };
    clients.direct.ask(&question).await
}

impl Stack {
    /// Describes the stack `name`.
    ///
    /// # Errors
    /// [`StackError::NotFound`] and [`StackError::Aws`].
    pub async fn describe(clients: &Clients, name: &str, region: &str) -> Result<Self, StackError> {
        const ACTION: &str = "cloudformation:DescribeStacks";
        match ask(clients, ACTION, name, json!({"StackName": name})).await {
            Ok(answer) => Self::read(name, &answer["Stacks"][0])
                .ok_or_else(|| AwsError::incomplete(ACTION, name, "holds no stack").into()),
            Err(error) if is_not_found(&error) => Err(StackError::NotFound {
                stack: name.to_owned(),
                region: region.to_owned(),
            }),
            Err(error) => Err(error.into()),
        }
    }

    /// Its resources that exist.
    ///
    /// # Errors
    /// [`AwsError`].
    pub async fn resources(clients: &Clients, name: &str) -> Result<Vec<StackResource>, AwsError> {
        const ACTION: &str = "cloudformation:ListStackResources";
        let mut found = Vec::new();
        let mut next = Value::Null;
        loop {
            let parameters = json!({"StackName": name, "NextToken": next});
            let mut answer = ask(clients, ACTION, name, parameters).await?;
            let page = answer["StackResourceSummaries"].as_array();
            found.extend(page.into_iter().flatten().filter_map(|resource| {
                Some(StackResource {
                    kind: resource["ResourceType"].as_str()?.to_owned(),
                    physical_id: resource["PhysicalResourceId"].as_str()?.to_owned(),
                })
            }));
            next = answer["NextToken"].take();
            if !next.is_string() {
                return Ok(found);
            }
        }
    }

    /// Asks for an update with its own template; `token` names the operation, so that sent again it is the same one.
    ///
    /// # Errors
    /// [`AwsError`]: CloudFormation did not begin it.
    pub async fn update(
        &self,
        clients: &Clients,
        change: &Change<'_>,
        token: &str,
    ) -> Result<Updated, AwsError> {
        let parameters = json!({
            "StackName": self.name,
            "UsePreviousTemplate": true,
            "Parameters": self.changed(change),
            "Capabilities": self.capabilities,
            "ClientRequestToken": token,
        });
        match ask(clients, UPDATE, &self.name, parameters).await {
            Ok(_) => Ok(Updated::Begun),
            Err(error) if error.message.contains("No updates are to be performed") => {
                Ok(Updated::NothingToDo)
            }
            // The answer was lost and the call heard, or it was sent twice.
            Err(error) => match began(clients, &self.name, token).await {
                Ok(true) => Ok(Updated::Begun),
                Ok(false) | Err(_) => Err(error),
            },
        }
    }

    /// The parameters of an update.
    pub(super) fn changed(&self, change: &Change<'_>) -> Vec<Value> {
        let counts = [TaskCount::MinTasks, TaskCount::Unchanged].map(TaskCount::value);
        let parameter = |(key, now): &(String, String)| {
            let value = match key.as_str() {
                IMAGE => Some(change.image),
                COMMIT => Some(change.commit.unwrap_or_default()),
                RELEASED_BY => Some(change.released_by.unwrap_or_default()),
                // Of a template that is not ours it may mean something else.
                TASK_COUNT if counts.contains(&now.as_str()) => Some(change.count.value()),
                _ => None,
            };
            match value {
                Some(value) => json!({"ParameterKey": key, "ParameterValue": value}),
                None => json!({"ParameterKey": key, "UsePreviousValue": true}),
            }
        };
        self.parameters.iter().map(parameter).collect()
    }

    /// Takes back the update under way.
    ///
    /// # Errors
    /// [`AwsError`]: CloudFormation takes it back only while it is `UPDATE_IN_PROGRESS`.
    pub async fn cancel_update(clients: &Clients, name: &str) -> Result<(), AwsError> {
        let action = "cloudformation:CancelUpdateStack";
        ask(clients, action, name, json!({"StackName": name}))
            .await
            .map(drop)
    }

    /// What its events say of its last update.
    ///
    /// # Errors
    /// [`AwsError`].
    pub async fn last_update(clients: &Clients, name: &str) -> Result<LastUpdate, AwsError> {
        let mut last = LastUpdate::default();
        let mut next = Value::Null;
        for _ in 0..PAGES_OF_EVENTS {
            let mut answer = page_of_events(clients, name, next).await?;
            let page = answer["StackEvents"].as_array().cloned();
            if last.read(&page.unwrap_or_default()) {
                break;
            }
            next = answer["NextToken"].take();
            if !next.is_string() {
                break;
            }
        }
        Ok(last)
    }
}

/// Whether CloudFormation has begun the operation that `token` names.
async fn began(clients: &Clients, name: &str, token: &str) -> Result<bool, AwsError> {
    let answer = page_of_events(clients, name, Value::Null).await?;
    let events = answer["StackEvents"].as_array();
    let is_ours = |event: &Value| event["ClientRequestToken"].as_str() == Some(token);
    Ok(events.into_iter().flatten().any(is_ours))
}

async fn page_of_events(clients: &Clients, name: &str, next: Value) -> Result<Value, AwsError> {
    let action = "cloudformation:DescribeStackEvents";
    let parameters = json!({"StackName": name, "NextToken": next});
    ask(clients, action, name, parameters).await
}

/// CloudFormation has no error code of its own for it.
fn is_not_found(error: &AwsError) -> bool {
    error.code.as_deref() == Some("ValidationError") && error.message.contains("does not exist")
}
