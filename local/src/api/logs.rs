//! CloudWatch Logs: reading what the tasks wrote.

use serde_json::{Value, json};

use super::error::{Answer, ApiError};
use super::input::Input;
use super::page::page;
use crate::aws::{Moment, names};
use crate::logs::{Event, Group, Stream};
use crate::world::World;

/// The most events of one answer.
const MOST_EVENTS: usize = 10_000;

pub(super) fn call(world: &World, operation: &str, input: &Input) -> Option<Answer> {
    Some(match operation {
        "CreateLogGroup" => create_group(world, input),
        "DescribeLogGroups" => describe_groups(world, input),
        "DescribeLogStreams" => in_group(world, input, describe_streams),
        "GetLogEvents" => in_group(world, input, get_events),
        "FilterLogEvents" => in_group(world, input, filter_events),
        _ => return None,
    })
}

fn create_group(world: &World, input: &Input) -> Answer {
    let name = input.required("logGroupName")?;
    match world.logs.create_group(name, Moment::now()) {
        Ok(true) => Ok(json!({})),
        Ok(false) => Err(ApiError::new(
            "ResourceAlreadyExistsException",
            "The specified log group already exists",
        )),
        Err(error) => Err(ApiError::new(
            "ServiceUnavailableException",
            error.to_string(),
        )),
    }
}

fn describe_groups(world: &World, input: &Input) -> Answer {
    let prefix = input.text("logGroupNamePrefix").unwrap_or_default();
    let groups: Vec<Value> = world.logs.read(|groups| {
        groups
            .iter()
            .filter(|(name, _)| name.starts_with(prefix))
            .map(|(name, group)| {
                json!({
                    "logGroupName": name,
                    "creationTime": group.created_at.0,
                    "metricFilterCount": 0,
                    "arn": format!("{}:*", names::log_group(name)),
                    "logGroupArn": names::log_group(name),
                    "logGroupClass": "STANDARD",
                    "storedBytes": group.streams.values().map(bytes).sum::<usize>(),
                })
            })
            .collect()
    });
    let (groups, next) = page(groups, input, "limit", 50)?;
    Ok(json!({ "logGroups": groups, "nextToken": next }))
}

fn bytes(stream: &Stream) -> usize {
    stream.events.iter().map(|event| event.message.len()).sum()
}

/// Finds the group by its name or its ARN.
fn in_group(world: &World, input: &Input, look: fn(&str, &Group, &Input) -> Answer) -> Answer {
    let name = match (input.text("logGroupName"), input.text("logGroupIdentifier")) {
        (Some(name), _) => name,
        (None, Some(identifier)) => identifier
            .split(":log-group:")
            .last()
            .unwrap_or(identifier)
            .trim_end_matches(":*"),
        (None, None) => return Err(ApiError::invalid("Log group name must be provided")),
    };
    world.logs.read(|groups| match groups.get(name) {
        Some(group) => look(name, group, input),
        None => Err(missing("The specified log group does not exist.")),
    })
}

fn missing(message: &str) -> ApiError {
    ApiError::new("ResourceNotFoundException", message)
}

fn describe_streams(group_name: &str, group: &Group, input: &Input) -> Answer {
    let prefix = input.text("logStreamNamePrefix").unwrap_or_default();
    let last = |stream: &Stream| stream.events.back().map(|event| event.timestamp);
    let mut streams: Vec<(&String, &Stream)> = group
        .streams
        .iter()
        .filter(|(name, _)| name.starts_with(prefix))
        .collect();
    if input.text("orderBy") == Some("LastEventTime") {
        streams.sort_by_key(|(_, stream)| last(stream));
    }
    if input.flag("descending") == Some(true) {
        streams.reverse();
    }
    let streams: Vec<Value> = streams
        .into_iter()
        .map(|(name, stream)| {
            json!({
                "logStreamName": name,
                "creationTime": stream.created_at.0,
                "firstEventTimestamp": stream.events.front().map(|event| event.timestamp.0),
                "lastEventTimestamp": last(stream).map(|moment| moment.0),
                "lastIngestionTime": last(stream).map(|moment| moment.0),
                "arn": format!("{}:log-stream:{name}", names::log_group(group_name)),
                "storedBytes": 0,
            })
        })
        .collect();
    let (streams, next) = page(streams, input, "limit", 50)?;
    Ok(json!({ "logStreams": streams, "nextToken": next }))
}

/// From `startTime` on, up to but without `endTime`.
fn in_time(event: &Event, input: &Input) -> bool {
    input
        .number("startTime")
        .is_none_or(|start| event.timestamp.0 >= start)
        && input
            .number("endTime")
            .is_none_or(|end| event.timestamp.0 < end)
}

fn limit(input: &Input) -> usize {
    input
        .number("limit")
        .and_then(|limit| usize::try_from(limit).ok())
        .filter(|limit| (1..=MOST_EVENTS).contains(limit))
        .unwrap_or(MOST_EVENTS)
}

fn get_events(_: &str, group: &Group, input: &Input) -> Answer {
    let name = input.required("logStreamName")?;
    let stream = group
        .streams
        .get(name)
        .ok_or_else(|| missing("The specified log stream does not exist."))?;
    let events: Vec<&Event> = stream
        .events
        .iter()
        .filter(|event| in_time(event, input))
        .collect();
    let limit = limit(input);
    let (start, end) = match cursor(input)? {
        Some(Cursor::Forward(from)) => {
            let start = events.partition_point(|event| event.sequence < from);
            (start, (start + limit).min(events.len()))
        }
        Some(Cursor::Backward(to)) => {
            let end = events.partition_point(|event| event.sequence < to);
            (end.saturating_sub(limit), end)
        }
        None if input.flag("startFromHead") == Some(true) => (0, limit.min(events.len())),
        None => (events.len().saturating_sub(limit), events.len()),
    };
    let page = &events[start..end];
    let after = stream.events.back().map_or(0, |event| event.sequence + 1);
    // An empty page stays where it is: the same token again means that there is no more.
    let (backward, forward) = match (page.first(), page.last(), cursor(input)?) {
        (Some(first), Some(last), _) => (first.sequence, last.sequence + 1),
        (_, _, Some(Cursor::Forward(at) | Cursor::Backward(at))) => (at, at),
        _ => (after, after),
    };
    let shown: Vec<Value> = page
        .iter()
        .map(|event| {
            json!({
                "timestamp": event.timestamp.0,
                "message": event.message,
                "ingestionTime": event.timestamp.0,
            })
        })
        .collect();
    Ok(json!({
        "events": shown,
        "nextForwardToken": format!("f/{forward:056}/s"),
        "nextBackwardToken": format!("b/{backward:056}/s"),
    }))
}

enum Cursor {
    Forward(u64),
    Backward(u64),
}

fn cursor(input: &Input) -> Result<Option<Cursor>, ApiError> {
    let Some(token) = input.text("nextToken") else {
        return Ok(None);
    };
    let invalid = || ApiError::invalid("The specified nextToken is invalid.");
    let position = |text: &str| {
        text.trim_end_matches("/s")
            .parse::<u64>()
            .map_err(|_| invalid())
    };
    match token.split_once('/') {
        Some(("f", rest)) => Ok(Some(Cursor::Forward(position(rest)?))),
        Some(("b", rest)) => Ok(Some(Cursor::Backward(position(rest)?))),
        _ => Err(invalid()),
    }
}

fn filter_events(_: &str, group: &Group, input: &Input) -> Answer {
    let pattern = Pattern::parse(input.text("filterPattern").unwrap_or_default())?;
    let names = input.texts("logStreamNames");
    let prefix = input.text("logStreamNamePrefix").unwrap_or_default();
    let mut found: Vec<(&String, &Event)> = group
        .streams
        .iter()
        .filter(|(name, _)| names.is_empty() || names.contains(&name.as_str()))
        .filter(|(name, _)| name.starts_with(prefix))
        .flat_map(|(name, stream)| stream.events.iter().map(move |event| (name, event)))
        .filter(|(_, event)| in_time(event, input) && pattern.matches(&event.message))
        .collect();
    found.sort_by_key(|(name, event)| (event.timestamp, *name, event.sequence));
    let events: Vec<Value> = found
        .into_iter()
        .map(|(name, event)| {
            json!({
                "logStreamName": name,
                "timestamp": event.timestamp.0,
                "message": event.message,
                "ingestionTime": event.timestamp.0,
                "eventId": format!("{:020}{:016}{:020}", event.timestamp.0, hash(name), event.sequence),
            })
        })
        .collect();
    let (events, next) = page(events, input, "limit", MOST_EVENTS)?;
    Ok(json!({ "events": events, "searchedLogStreams": [], "nextToken": next }))
}

/// Tells streams apart in event ids.
fn hash(name: &str) -> u64 {
    name.bytes()
        .fold(17_u64, |hash, byte| hash.wrapping_mul(31) ^ u64::from(byte))
        % 10_u64.pow(16)
}

/// A filter pattern for unstructured lines: terms that must occur, `?terms` of which one must, and
/// `-terms` that must not.
/// <https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntax.html>
#[derive(Debug, Default)]
struct Pattern {
    all: Vec<String>,
    any: Vec<String>,
    none: Vec<String>,
}

impl Pattern {
    fn parse(text: &str) -> Result<Self, ApiError> {
        let text = text.trim();
        if text.starts_with(['{', '[', '%']) {
            return Err(ApiError::invalid(
                "Invalid filter pattern: the local environment rehearses patterns of terms only",
            ));
        }
        let mut pattern = Self::default();
        let mut rest = text;
        while !rest.is_empty() {
            let (kind, term) = match rest.chars().next() {
                Some('?') => (&mut pattern.any, &rest[1..]),
                Some('-') => (&mut pattern.none, &rest[1..]),
                _ => (&mut pattern.all, rest),
            };
            let (term, after) = match term.strip_prefix('"') {
                Some(quoted) => quoted
                    .split_once('"')
                    .ok_or_else(|| ApiError::invalid("Invalid filter pattern: an open quote"))?,
                None => term.split_once(' ').unwrap_or((term, "")),
            };
            kind.push(term.to_owned());
            rest = after.trim_start();
        }
        Ok(pattern)
    }

    fn matches(&self, message: &str) -> bool {
        let occurs = |term: &String| message.contains(term.as_str());
        self.all.iter().all(occurs)
            && (self.any.is_empty() || self.any.iter().any(occurs))
            && !self.none.iter().any(occurs)
    }
}

#[cfg(test)]
mod tests {
    use super::Pattern;

    #[test]
    fn patterns() {
        let cases = [
            ("", "anything", true),
            ("error", "an error here", true),
            ("error", "an ERROR here", false),
            ("error here", "here is an error", true),
            ("\"error here\"", "here is an error", false),
            ("?warn ?error", "an error", true),
            ("?warn ?error", "fine", false),
            ("error -health", "error in health", false),
        ];
        for (pattern, line, expected) in cases {
            let parsed = Pattern::parse(pattern).unwrap();
            assert_eq!(parsed.matches(line), expected, "{pattern} {line}");
        }
        assert!(Pattern::parse("{ $.level = error }").is_err());
        assert!(Pattern::parse("\"open").is_err());
    }
}
