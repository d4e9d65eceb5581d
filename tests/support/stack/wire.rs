//! CloudFormation on the wire: forms in, XML out (AWS CloudFormation API Reference, 2010-05-15).

use std::collections::BTreeMap;

use axum::body::Body;
use axum::http::Response;

use super::state::{STACK_ID, State, Told, takes};
use super::{Behind, STACK, update};

type Form = [(String, String)];
/// The members of the result, or code and message of the refusal.
type Answer = Result<String, (&'static str, String)>;

pub(super) fn answer(behind: &Behind, form: &Form) -> Response<Body> {
    let operation = field(form, "Action").unwrap_or_default().to_owned();
    let answer = carry_out(behind, &operation, form);
    let mut state = behind.state();
    state.told.push(Told {
        operation: operation.clone(),
        form: form.to_vec(),
    });
    let loses = operation == "UpdateStack" && std::mem::take(&mut state.troubles.lose_answer);
    if loses {
        let broken = Err::<axum::body::Bytes, _>(std::io::Error::other("the wire breaks"));
        return Response::new(Body::from_stream(futures::stream::iter([broken])));
    }
    let (status, body) = match answer {
        Ok(members) => (200, result(&operation, &members)),
        Err((code, message)) => (400, refusal(code, &message)),
    };
    let response = Response::builder().status(status);
    let response = response.header("content-type", "text/xml");
    response.body(Body::from(body)).unwrap()
}

fn result(operation: &str, members: &str) -> String {
    let inner = match operation {
        "CancelUpdateStack" => String::new(),
        _ => element(&format!("{operation}Result"), members),
    };
    format!(
        "<{operation}Response xmlns=\"http://cloudformation.amazonaws.com/doc/2010-05-15/\">{inner}\
         <ResponseMetadata><RequestId>r-1</RequestId></ResponseMetadata></{operation}Response>"
    )
}

fn refusal(code: &str, message: &str) -> String {
    format!(
        "<ErrorResponse xmlns=\"http://cloudformation.amazonaws.com/doc/2010-05-15/\"><Error>\
         <Type>Sender</Type>{}{}</Error><RequestId>r-1</RequestId></ErrorResponse>",
        element("Code", code),
        element("Message", message)
    )
}

fn carry_out(behind: &Behind, operation: &str, form: &Form) -> Answer {
    let mut state = behind.state();
    let name = field(form, "StackName").unwrap_or_default();
    if name != STACK || !state.exists {
        return invalid(format!("Stack with id {name} does not exist"));
    }
    match operation {
        "DescribeStacks" => Ok(element("Stacks", &member(&describe(&state)))),
        "ListStackResources" => Ok(resources(&state, field(form, "NextToken"))),
        "DescribeStackEvents" => Ok(events(&state)),
        "UpdateStack" => {
            let parameters = wanted(&mut state, form)?;
            if let Some(parameters) = parameters {
                // Before the answer, so that the next look sees it.
                state.becomes("UPDATE_IN_PROGRESS", "User Initiated");
                tokio::spawn(update::carry_out(behind.clone(), parameters));
            }
            Ok(element("StackId", STACK_ID))
        }
        "CancelUpdateStack" => {
            if state.status != "UPDATE_IN_PROGRESS" {
                return invalid(format!(
                    "CancelUpdateStack cannot be called from current stack status {}",
                    state.status
                ));
            }
            state.cancelled = true;
            Ok(String::new())
        }
        other => invalid(format!("Could not find operation {other}")),
    }
}

/// The parameters of an update that is taken; none where it was taken before.
fn wanted(
    state: &mut State,
    form: &Form,
) -> Result<Option<BTreeMap<String, String>>, (&'static str, String)> {
    let token = field(form, "ClientRequestToken").unwrap_or_default();
    if !token.is_empty() && token == state.token {
        return Ok(None);
    }
    let updatable = [
        "CREATE_COMPLETE",
        "UPDATE_COMPLETE",
        "UPDATE_ROLLBACK_COMPLETE",
    ];
    if !updatable.contains(&state.status.as_str()) {
        return invalid(format!(
            "Stack:{STACK_ID} is in {} state and can not be updated.",
            state.status
        ));
    }
    if field(form, "UsePreviousTemplate") != Some("true") {
        return invalid("Either Template URL or Template Body must be specified.".into());
    }
    if field(form, "Capabilities.member.1") != Some("CAPABILITY_NAMED_IAM") {
        let needed = "Requires capabilities : [CAPABILITY_NAMED_IAM]".to_owned();
        return Err(("InsufficientCapabilitiesException", needed));
    }
    let given = given(form);
    let mut parameters = BTreeMap::new();
    for (key, previous) in &state.parameters {
        let value = match given.get(key.as_str()) {
            Some(Some(value)) if !takes(key, value) => {
                return invalid(format!("Parameter {key} failed to satisfy constraint"));
            }
            Some(Some(value)) => value.clone(),
            Some(None) => previous.clone(),
            None => return invalid(format!("Parameters: [{key}] must have values")),
        };
        parameters.insert(key.clone(), value);
    }
    let foreign = given
        .keys()
        .find(|key| !state.parameters.contains_key(**key));
    if let Some(key) = foreign {
        return invalid(format!("Parameters: [{key}] do not exist in the template"));
    }
    if parameters == state.parameters {
        return invalid("No updates are to be performed.".into());
    }
    state.token = token.to_owned();
    state.updates += 1;
    Ok(Some(parameters))
}

/// The parameters of a request; none where the previous value is to stay.
fn given(form: &Form) -> BTreeMap<&str, Option<String>> {
    let mut given = BTreeMap::new();
    for position in 1.. {
        let of = |member: &str| field(form, &format!("Parameters.member.{position}.{member}"));
        let Some(key) = of("ParameterKey") else { break };
        let value = match of("UsePreviousValue") {
            Some("true") => None,
            _ => Some(of("ParameterValue").unwrap_or_default().to_owned()),
        };
        given.insert(key, value);
    }
    given
}

fn describe(state: &State) -> String {
    let parameters: String = state
        .parameters
        .iter()
        .map(|(key, value)| {
            member(&(element("ParameterKey", key) + &element("ParameterValue", value)))
        })
        .collect();
    let mut members = element("StackId", STACK_ID)
        + &element("StackName", STACK)
        + &element("StackStatus", &state.status)
        + &list("Parameters", &parameters)
        + &list("Capabilities", &member("CAPABILITY_NAMED_IAM"));
    if let Some(reason) = &state.reason {
        members += &element("StackStatusReason", reason);
    }
    if state.updates > 0 {
        let at = format!("2026-11-23T16:00:{:02}.000Z", state.updates);
        members += &element("LastUpdatedTime", &at);
    }
    members
}

/// The resources, on two pages.
fn resources(state: &State, next: Option<&str>) -> String {
    let resource = |logical: &str, kind: &str, physical: &str| {
        let members = element("LogicalResourceId", logical)
            + &element("ResourceType", kind)
            + &element("PhysicalResourceId", physical)
            + &element("ResourceStatus", "UPDATE_COMPLETE");
        member(&members)
    };
    let summaries = match next {
        None => resource("LogGroup", "AWS::Logs::LogGroup", "/quilt/acme"),
        Some(_) => {
            resource("Service", "AWS::ECS::Service", &state.service)
                + &resource(
                    "TaskDefinition",
                    "AWS::ECS::TaskDefinition",
                    &state.revision,
                )
        }
    };
    let summaries = list("StackResourceSummaries", &summaries);
    match next {
        None => summaries + &element("NextToken", "more"),
        Some(_) => summaries,
    }
}

fn events(state: &State) -> String {
    let events: String = state
        .events
        .iter()
        .rev()
        .map(|event| {
            let members = element("StackId", STACK_ID)
                + &element("LogicalResourceId", &event.logical)
                + &element("PhysicalResourceId", &event.physical)
                + &element("ResourceType", event.kind)
                + &element("ResourceStatus", &event.status)
                + &element("ResourceStatusReason", &event.reason)
                + &element("ClientRequestToken", &event.token);
            member(&members)
        })
        .collect();
    list("StackEvents", &events)
}

fn field<'a>(form: &'a Form, name: &str) -> Option<&'a str> {
    let found = form.iter().find(|(known, _)| known == name);
    found.map(|(_, value)| value.as_str())
}

fn invalid<T>(message: String) -> Result<T, (&'static str, String)> {
    Err(("ValidationError", message))
}

/// An element; lists and structures are given as XML, text is escaped.
fn element(name: &str, content: &str) -> String {
    if content.starts_with('<') {
        return list(name, content);
    }
    let content = content.replace('&', "&amp;").replace('<', "&lt;");
    format!("<{name}>{content}</{name}>")
}

fn list(name: &str, members: &str) -> String {
    format!("<{name}>{members}</{name}>")
}

fn member(content: &str) -> String {
    element("member", content)
}
