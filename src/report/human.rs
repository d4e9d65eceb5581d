//! Events for a person on a terminal, or for the log of a CI job: on stderr.

use std::io::{IsTerminal, Write};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::{Event, Reporter};
use crate::arn::last_part;

/// Lines on stderr, with a live last line on a terminal.
pub struct HumanReporter {
    live: Option<ProgressBar>,
    verbose: bool,
}

impl HumanReporter {
    /// A reporter for this process's stderr; `verbose` shows every step of a stage.
    pub fn new(verbose: bool) -> Self {
        let live = std::io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::new_spinner().with_style(
                ProgressStyle::with_template("  {spinner} {wide_msg}")
                    .unwrap_or_else(|_| ProgressStyle::default_spinner()),
            );
            bar.set_draw_target(ProgressDrawTarget::stderr());
            bar
        });
        Self { live, verbose }
    }

    fn line(&self, text: &str) {
        match &self.live {
            Some(bar) => bar.suspend(|| write_line(text)),
            None => write_line(text),
        }
    }

    fn passing(&self, text: String) {
        match &self.live {
            Some(bar) => {
                bar.enable_steady_tick(Duration::from_millis(120));
                bar.set_message(text);
            }
            None if self.verbose => self.line(&format!("  {text}")),
            None => {}
        }
    }
}

/// A closed stderr is no reason to stop a release.
fn write_line(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

impl Reporter for HumanReporter {
    fn event(&self, event: Event) {
        match event {
            Event::StageStarted { stage } => self.passing(format!("{} …", stage.as_str())),
            Event::StageFinished { stage, elapsed, outcome } => {
                self.line(&format!("{:<8} {:>6.1} s  {outcome}", stage.as_str(), elapsed.as_secs_f64()));
            }
            Event::Progress { stage, message } => self.passing(format!("{}: {message}", stage.as_str())),
            Event::Deployment { running, pending, desired, failed, rollout } => self.line(&format!(
                "  deployment  {running} running, {pending} pending, {failed} failed of {desired}; {rollout}"
            )),
            Event::Task { id, status, reason } => {
                let reason = reason.map(|reason| format!(": {reason}")).unwrap_or_default();
                self.line(&format!("  task        {} {status}{reason}", id.get(..8).unwrap_or(&id)));
            }
            Event::Target { address, state, reason } => {
                let reason = reason.map(|reason| format!(" ({reason})")).unwrap_or_default();
                self.line(&format!("  target      {address} {state}{reason}"));
            }
            Event::ServiceEvent { message } => self.line(&format!("  ecs         {message}")),
            Event::Waiting { waiting_for } => self.passing(format!("waiting for {waiting_for}")),
            Event::RolloutStarted { deployment, revision, .. } => {
                self.line(&format!("  deployment  {deployment} of {}", last_part(&revision)));
            }
            Event::ServiceDeployment { status, .. } => self.line(&format!("  deployment  {status}")),
            Event::RollbackStarted { to, reason } => {
                self.line(&format!("  rollback    to {}: {reason}", last_part(&to)));
            }
            Event::OtherDeployment { id, revision } => {
                self.line(&format!("  another     deployment {id} of {}", last_part(&revision)));
            }
            Event::Verdict { explanation, .. } => self.line(&explanation),
            Event::Stopped { count, stop_code, reason, .. } => {
                self.line(&format!("  stopped     {count} task(s): {stop_code}: {reason}"));
            }
            Event::Check { name, outcome, detail, .. } => {
                self.line(&format!("  {:<8} {name}: {detail}", outcome.as_str()));
            }
            Event::LogLine { task, message, .. } => self.line(&format!("{task}  {message}")),
            Event::Result { .. } => {}
            Event::Warning { message } => self.line(&format!("warning: {message}")),
        }
    }
}

impl Drop for HumanReporter {
    fn drop(&mut self) {
        if let Some(bar) = &self.live {
            bar.finish_and_clear();
        }
    }
}
