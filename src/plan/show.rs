//! A plan for people.

use std::fmt;

use super::{Action, Image, Plan, TemplateState};
use crate::arn::last_part;
use crate::report::table::short_digest;

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "service   {} in {}", self.service, self.cluster)?;
        writeln!(f, "running   {}", self.running)?;
        writeln!(f, "release   {}", self.release)?;
        if let Some(template) = &self.template {
            writeln!(f, "template  {}", template.line())?;
        }
        if let Some(stack) = &self.stack {
            writeln!(f, "through   {stack}")?;
        }
        self.show_changes(f)?;
        writeln!(f, "\n{}", self.deployment_line())?;
        if let Some(other) = &self.deployment.in_flight {
            writeln!(
                f,
                "in flight: {} to {}, {} of {} tasks run",
                last_part(&other.id),
                last_part(&other.task_definition),
                other.running,
                other.desired
            )?;
        }
        if self.has_changes && !self.deployment.rolls_back {
            writeln!(
                f,
                "ECS's circuit breaker does not roll this service back by itself"
            )?;
        }
        Ok(())
    }
}

impl TemplateState {
    fn line(&self) -> String {
        let name = last_part(&self.arn);
        if !self.tagged {
            format!("{name}, which runs: no revision is tagged ManagedBy=terraform")
        } else if self.newer_than_running {
            format!("{name}, newer than what runs: its changes come along")
        } else {
            name.to_owned()
        }
    }
}

impl Plan {
    fn show_changes(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.changes.is_empty() {
            return writeln!(f, "\nno changes of the task definition");
        }
        let mut shown: Option<&Option<String>> = None;
        for change in &self.changes {
            if shown != Some(&change.container) {
                match &change.container {
                    Some(container) => writeln!(f, "\ncontainer {container}")?,
                    None => writeln!(f, "\ntask")?,
                }
                shown = Some(&change.container);
            }
            writeln!(f, "  {change}")?;
        }
        Ok(())
    }

    fn deployment_line(&self) -> String {
        let plan = &self.deployment;
        let tasks = if plan.desired == plan.desired_after {
            format!("{} tasks", plan.desired)
        } else {
            format!("{} tasks instead of {}", plan.desired_after, plan.desired)
        };
        match plan.action {
            Action::Nothing => "no changes: the service runs this release".into(),
            Action::Attach => "no changes: this release is being deployed".into(),
            Action::Start => format!(
                "would deploy {}, which is registered, with {tasks}",
                self.release
                    .revision
                    .as_deref()
                    .map_or("the revision", last_part)
            ),
            Action::RegisterAndStart => {
                format!("would register a revision and deploy it with {tasks}")
            }
            Action::UpdateStack => {
                "would give the stack this image: CloudFormation registers a revision and deploys it".into()
            }
            Action::Refuse => match &self.stack {
                Some(stack) if stack.status.is_under_way() => {
                    format!("would refuse: {stack} is busy")
                }
                _ => "would refuse: another deployment is under way".into(),
            },
        }
    }
}

impl fmt::Display for Image {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts = vec![
            self.revision
                .as_deref()
                .map_or("a new revision", last_part)
                .to_owned(),
        ];
        match (&self.digest, &self.image) {
            (Some(digest), _) => parts.push(short_digest(digest)),
            (None, Some(image)) => parts.push(image.clone()),
            (None, None) => {}
        }
        if let Some(tag) = &self.tags.image_tag {
            parts.push(format!("tag {tag}"));
        }
        if let Some(commit) = &self.tags.commit {
            parts.push(format!("commit {}", commit.get(..12).unwrap_or(commit)));
        }
        f.write_str(&parts.join(", "))
    }
}
