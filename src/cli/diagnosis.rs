//! A diagnosis as people read it.

use std::fmt;

use crate::report::line::brief;
use crate::report::table::{labelled, width_of};
use crate::rollout::Diagnosis;

impl fmt::Display for Diagnosis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = width_of(f);
        let mut lines = Vec::new();
        let entry = |name: &str, value: &str| labelled(&format!("  {name:<10} "), value, width);
        for group in &self.stopped {
            let exit_code = group.exit_code.map(|code| code.to_string());
            let tasks = if group.count == 1 { "task" } else { "tasks" };
            let headline = format!("{} {tasks} stopped: {}", group.count, group.stop_code);
            lines.push(labelled("", &headline, width));
            let facts = [
                ("reason", Some(&group.reason)),
                ("container", group.container_reason.as_ref()),
                ("exit code", exit_code.as_ref()),
                ("hint", group.hint.as_ref()),
            ];
            for (name, value) in facts {
                if let Some(value) = value {
                    lines.push(entry(name, value));
                }
            }
            for (index, line) in group.log.iter().enumerate() {
                lines.push(entry(if index == 0 { "last log" } else { "" }, line));
            }
        }
        for target in &self.targets {
            lines.push(entry("target", target));
        }
        for failure in &self.stack {
            lines.push(entry("stack", &failure.to_string()));
        }
        for (index, event) in self.events.iter().enumerate() {
            lines.push(entry(if index == 0 { "events" } else { "" }, &brief(event)));
        }
        lines.iter().try_for_each(|line| writeln!(f, "{line}"))
    }
}
