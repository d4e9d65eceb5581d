//! The load balancer: whether a request to the endpoint's URL reaches our target group.
//!
//! The rules are gone through as the load balancer does, for every path that clients use: so a
//! catch-all with a lower priority is found, and a rule that forgets `/mcp` itself.

use crate::config::is_loopback;
use crate::verify::{Balancer, Check, Facts, Listener, MatchedOn, Missing, Rule, pattern};

/// The longest silence before an answer: 10 s for the registry's word on the token and 110 s for a
/// query of Athena. Only events of MCP's versions with a handshake have comments before the answer
/// (docs/server.md, "Endpoints"): other clients get 504 where the load balancer waits less.
const SHORTEST_IDLE: i64 = 120;
/// With room for the network and for a server that has much to do.
const GOOD_IDLE: i64 = 300;

pub(in crate::verify) fn checks(facts: &Facts) -> Vec<Check> {
    let (groups, balancers) = match (&facts.target_groups, &facts.balancers) {
        (Err(missing), _) | (_, Err(missing)) => {
            return vec![Check::unknown("load balancer", missing)];
        }
        (Ok(groups), Ok(balancers)) => (groups, balancers),
    };
    if groups.is_empty() {
        return vec![Check::skipped(
            "load balancer",
            "the service has no target group",
        )];
    }
    let ours: Vec<&str> = groups.iter().map(|group| group.arn.as_str()).collect();
    if balancers.is_empty() {
        return vec![Check::failed(
            "load balancer",
            "no load balancer sends anything to the service's target group",
            "add a listener rule that forwards /mcp and /mcp/* to it",
        )];
    }
    let mut checks = Vec::new();
    for balancer in balancers {
        checks.push(idle_timeout(balancer));
        checks.extend(listener(facts, balancer, &ours));
    }
    checks
}

fn idle_timeout(balancer: &Balancer) -> Check {
    let name = format!("idle timeout of {}", balancer.name);
    match &balancer.idle_timeout {
        Err(missing) => Check::unknown(name, missing),
        Ok(seconds) if *seconds < SHORTEST_IDLE => Check::failed(
            name,
            format!("{seconds} s"),
            format!(
                "set idle_timeout.timeout_seconds to {GOOD_IDLE} or more: a query may take {SHORTEST_IDLE} s with the check of its token, and clients of MCP 2026-07-28, or that take plain JSON, hear nothing before the answer and get 504"
            ),
        ),
        Ok(seconds) if *seconds < GOOD_IDLE => Check::warning(
            name,
            format!("{seconds} s"),
            format!(
                "set idle_timeout.timeout_seconds to {GOOD_IDLE} or more: a query may take {SHORTEST_IDLE} s with the check of its token, which leaves little room"
            ),
        ),
        Ok(seconds) => Check::ok(name, format!("{seconds} s")),
    }
}

fn listener(facts: &Facts, balancer: &Balancer, ours: &[&str]) -> Vec<Check> {
    let name = format!("listener of {}", balancer.name);
    let listeners = match &balancer.listeners {
        Err(missing) => return vec![Check::unknown(name, missing)],
        Ok(listeners) => listeners,
    };
    let url = &facts.environment.url;
    let port = url.port_or_known_default().map_or(443, i32::from);
    let Some(listener) = listeners.iter().find(|listener| listener.port == port) else {
        return vec![Check::failed(
            name,
            format!("no listener on port {port}, where {url} leads"),
            "add the listener, or correct url in quilt-mcp.toml",
        )];
    };
    let mut checks = vec![encryption(facts, name, listener)];
    checks.push(routing(facts, listener, ours));
    checks.extend(unencrypted(listeners, ours, listener));
    checks
}

fn encryption(facts: &Facts, name: String, listener: &Listener) -> Check {
    let url = &facts.environment.url;
    match (url.scheme(), listener.protocol.as_str()) {
        ("https", "HTTPS") => {
            let policy = listener.ssl_policy.as_deref().unwrap_or("unknown");
            // The policies named like this let TLS 1.0 and 1.1 in.
            if ["2016-08", "TLS-1-0", "TLS-1-1"]
                .iter()
                .any(|old| policy.contains(old))
            {
                Check::warning(
                    name,
                    format!(
                        "HTTPS on port {}, policy {policy}, which lets TLS before 1.2 in",
                        listener.port
                    ),
                    "choose ELBSecurityPolicy-TLS13-1-2-2021-06 or newer",
                )
            } else {
                Check::ok(
                    name,
                    format!("HTTPS on port {}, policy {policy}", listener.port),
                )
            }
        }
        ("http", "HTTP") if is_loopback(url) => Check::ok(
            name,
            format!("HTTP on port {}, on this machine only", listener.port),
        ),
        (scheme, protocol) => Check::failed(
            name,
            format!(
                "port {} speaks {protocol}, but the url says {scheme}",
                listener.port
            ),
            "make it an HTTPS listener with a certificate: tokens travel over it",
        ),
    }
}

/// What becomes of a request.
enum Way<'a> {
    Ours(Option<i32>),
    Elsewhere(&'a Rule),
    /// A rule before ours decides by something that we cannot know.
    Depends(&'a Rule),
}

fn routing(facts: &Facts, listener: &Listener, ours: &[&str]) -> Check {
    let name = format!("rule on port {}", listener.port);
    let rules = match &listener.rules {
        Err(missing) => return Check::unknown(name, missing),
        Ok(rules) => rules,
    };
    let url = &facts.environment.url;
    let host = url.host_str().unwrap_or_default();
    let base = url.path().trim_end_matches('/');
    let paths = [
        base.to_owned(),
        format!("{base}/"),
        format!("{base}/platform/mcp"),
    ];
    let mut priority = None;
    for path in &paths {
        match way(rules, host, path, ours) {
            Way::Ours(number) => priority = number,
            Way::Elsewhere(rule) => {
                return Check::failed(
                    name,
                    format!("{host}{path} goes to {}: {}", shown(rule), rule.action),
                    remedy(rules, rule, ours, base),
                );
            }
            Way::Depends(rule) => {
                return Check::unknown(
                    name,
                    &Missing::Other(format!(
                        "{host}{path} may go to {}, depending on {}",
                        shown(rule),
                        undecided(rule)
                    )),
                );
            }
        }
    }
    Check::ok(
        name,
        match priority {
            Some(priority) => format!("priority {priority} sends {base} and {base}/* here"),
            None => "the default action sends everything here".to_owned(),
        },
    )
}

/// Goes through the rules as the load balancer does.
fn way<'a>(rules: &'a [Rule], host: &str, path: &str, ours: &[&str]) -> Way<'a> {
    static NOWHERE: Rule = Rule {
        priority: None,
        conditions: Vec::new(),
        forwards_to: Vec::new(),
        action: String::new(),
    };
    let is_ours = |rule: &Rule| {
        rule.forwards_to
            .iter()
            .any(|group| ours.contains(&group.as_str()))
    };
    let mut sorted: Vec<&Rule> = rules.iter().collect();
    sorted.sort_by_key(|rule| rule.priority.unwrap_or(i32::MAX));
    let mut depends = None;
    for rule in sorted {
        match matching(rule, host, path) {
            Some(false) => {}
            None => depends = depends.or((!is_ours(rule)).then_some(rule)),
            Some(true) if is_ours(rule) => {
                return depends.map_or(Way::Ours(rule.priority), Way::Depends);
            }
            Some(true) => return Way::Elsewhere(rule),
        }
    }
    Way::Elsewhere(&NOWHERE)
}

/// Whether a rule takes a POST of `path` on `host`; `None` where that depends on something else.
fn matching(rule: &Rule, host: &str, path: &str) -> Option<bool> {
    let mut sure = true;
    for condition in &rule.conditions {
        let holds = match condition {
            MatchedOn::Host(patterns) => patterns.iter().any(|one| pattern::host(one, host)),
            MatchedOn::Path(patterns) => patterns.iter().any(|one| pattern::path(one, path)),
            MatchedOn::Method(methods) => methods.iter().any(|method| method == "POST"),
            MatchedOn::Other(_) => {
                sure = false;
                continue;
            }
        };
        if !holds {
            return Some(false);
        }
    }
    sure.then_some(true)
}

fn shown(rule: &Rule) -> String {
    match rule.priority {
        Some(priority) => format!("the rule of priority {priority}"),
        None => "the default action".to_owned(),
    }
}

fn undecided(rule: &Rule) -> String {
    let others: Vec<&str> = rule
        .conditions
        .iter()
        .filter_map(|condition| match condition {
            MatchedOn::Other(field) => Some(field.as_str()),
            _ => None,
        })
        .collect();
    others.join(", ")
}

fn remedy(rules: &[Rule], taken_by: &Rule, ours: &[&str], base: &str) -> String {
    let our_rule = rules.iter().find(|rule| {
        rule.forwards_to
            .iter()
            .any(|group| ours.contains(&group.as_str()))
    });
    match (our_rule.and_then(|rule| rule.priority), taken_by.priority) {
        (None, _) => {
            format!("add a rule that forwards {base} and {base}/* to the service's target group")
        }
        (Some(own), Some(other)) if other < own => format!(
            "give the service's rule (now {own}) a priority below {other}: the first rule that matches takes the request"
        ),
        (Some(own), _) => format!(
            "let the rule of priority {own} match the host, {base} and {base}/*: the second pattern does not match the first path"
        ),
    }
}

/// A listener without TLS that sends to the service, instead of redirecting.
fn unencrypted(listeners: &[Listener], ours: &[&str], endpoint: &Listener) -> Option<Check> {
    let open = listeners.iter().find(|listener| {
        listener.protocol == "HTTP"
            && listener.port != endpoint.port
            && listener.rules.as_ref().is_ok_and(|rules| {
                rules.iter().any(|rule| {
                    rule.forwards_to
                        .iter()
                        .any(|group| ours.contains(&group.as_str()))
                })
            })
    })?;
    Some(Check::warning(
        format!("listener on port {}", open.port),
        "it sends to the service without TLS",
        "redirect to HTTPS there: a token that is sent once unencrypted is lost",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verify::CheckOutcome;
    use crate::verify::checks::example::{expect, rule};

    const OURS: &str = "arn:ours";

    fn with_rules(rules: Vec<Rule>) -> impl Fn(&mut Facts) {
        move |facts| {
            let balancer = &mut facts.balancers.as_mut().unwrap()[0];
            balancer.listeners.as_mut().unwrap()[0].rules = Ok(rules.clone());
        }
    }

    fn paths(values: &[&str]) -> MatchedOn {
        MatchedOn::Path(values.iter().map(|&value| value.to_owned()).collect())
    }

    fn host(value: &str) -> MatchedOn {
        MatchedOn::Host(vec![value.to_owned()])
    }

    #[test]
    fn requests_reach_the_service_or_the_reason_is_said() {
        let both = || vec![host("mcp.example.com"), paths(&["/mcp", "/mcp/*"])];
        let catalog = |priority| rule(Some(priority), vec![host("*.example.com")], "arn:catalog");
        let fallback = || rule(None, vec![], "arn:catalog");
        let source = MatchedOn::Other("source-ip".into());
        for (rules, outcome, says) in [
            (
                vec![rule(Some(20), both(), OURS), catalog(25), fallback()],
                CheckOutcome::Ok,
                "priority 20",
            ),
            (
                vec![catalog(25), fallback(), rule(Some(20), both(), OURS)],
                CheckOutcome::Ok,
                "priority 20",
            ),
            (
                vec![catalog(10), rule(Some(20), both(), OURS), fallback()],
                CheckOutcome::Failed,
                "a priority below 10",
            ),
            (
                vec![
                    rule(Some(20), vec![paths(&["/mcp/*"])], OURS),
                    catalog(25),
                    fallback(),
                ],
                CheckOutcome::Failed,
                "the second pattern does not match",
            ),
            (
                vec![rule(Some(20), vec![paths(&["/mcp"])], OURS), fallback()],
                CheckOutcome::Failed,
                "mcp.example.com/mcp/ goes to the default action",
            ),
            (
                vec![
                    rule(
                        Some(20),
                        vec![host("other.example.com"), paths(&["/mcp*"])],
                        OURS,
                    ),
                    fallback(),
                ],
                CheckOutcome::Failed,
                "match the host",
            ),
            (
                vec![catalog(25), fallback()],
                CheckOutcome::Failed,
                "add a rule",
            ),
            (vec![], CheckOutcome::Failed, "add a rule"),
            (
                vec![rule(None, vec![], OURS)],
                CheckOutcome::Ok,
                "default action",
            ),
            (
                vec![
                    rule(
                        Some(5),
                        vec![source.clone(), host("*.example.com")],
                        "arn:other",
                    ),
                    rule(Some(20), both(), OURS),
                ],
                CheckOutcome::Unknown,
                "depending on source-ip",
            ),
            (
                vec![
                    rule(
                        Some(5),
                        vec![source, host("other.example.com")],
                        "arn:other",
                    ),
                    rule(Some(20), both(), OURS),
                ],
                CheckOutcome::Ok,
                "priority 20",
            ),
            (
                vec![
                    rule(
                        Some(5),
                        vec![MatchedOn::Method(vec!["GET".into()])],
                        "arn:other",
                    ),
                    rule(Some(20), both(), OURS),
                ],
                CheckOutcome::Ok,
                "priority 20",
            ),
        ] {
            let check = expect(
                checks,
                with_rules(rules.clone()),
                "rule on port 443",
                outcome,
            );
            let told = format!("{} {}", check.detail, check.remedy.unwrap_or_default());
            assert!(told.contains(says), "{told}\n{rules:#?}");
        }
    }

    #[test]
    fn listeners_encrypt() {
        let with = |change: fn(&mut Listener)| {
            move |facts: &mut Facts| {
                change(
                    &mut facts.balancers.as_mut().unwrap()[0]
                        .listeners
                        .as_mut()
                        .unwrap()[0],
                );
            }
        };
        let name = "listener of alb";
        expect(checks, |_| {}, name, CheckOutcome::Ok);
        expect(
            checks,
            with(|l| l.protocol = "HTTP".into()),
            name,
            CheckOutcome::Failed,
        );
        expect(checks, with(|l| l.port = 8443), name, CheckOutcome::Failed);
        expect(
            checks,
            with(|l| l.ssl_policy = Some("ELBSecurityPolicy-2016-08".into())),
            name,
            CheckOutcome::Warning,
        );
        let open = |facts: &mut Facts| {
            let listeners = facts.balancers.as_mut().unwrap()[0]
                .listeners
                .as_mut()
                .unwrap();
            let mut plain = listeners[0].clone();
            (plain.port, plain.protocol) = (80, "HTTP".into());
            listeners.push(plain);
        };
        expect(checks, open, "listener on port 80", CheckOutcome::Warning);
    }

    #[test]
    fn the_longest_call_is_waited_for() {
        for (seconds, outcome) in [
            (4000, CheckOutcome::Ok),
            (300, CheckOutcome::Ok),
            (299, CheckOutcome::Warning),
            (120, CheckOutcome::Warning),
            (119, CheckOutcome::Failed),
            (60, CheckOutcome::Failed),
        ] {
            let change = |facts: &mut Facts| {
                facts.balancers.as_mut().unwrap()[0].idle_timeout = Ok(seconds);
            };
            expect(checks, change, "idle timeout of alb", outcome);
        }
    }

    #[test]
    fn a_target_group_without_a_load_balancer_fails() {
        let none = |facts: &mut Facts| facts.balancers = Ok(Vec::new());
        expect(checks, none, "load balancer", CheckOutcome::Failed);
    }
}
