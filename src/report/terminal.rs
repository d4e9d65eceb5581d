//! A terminal: what is under way stays in place and changes; what is done scrolls by; at
//! the end a table remains.

use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::line::{line, stopped, under_way};
use super::lines::told;
use super::style::{Style, Tone, columns, cut};
use super::table::{short_id, table};
use super::timeline::{Timeline, Track};
use super::{Event, Record, ReportError, StoppedGroup, View};
use crate::printable::one_line;

/// How many tasks, and how many targets, are shown while they change.
const SHOWN: usize = 6;

/// How a terminal is drawn on.
#[derive(Debug, Clone, Copy)]
pub struct TerminalStyle {
    /// Its columns.
    pub width: u16,
    /// Whether every step scrolls by.
    pub verbose: bool,
    /// Whether the diagnosis is left to the result on stdout.
    pub result_explains: bool,
    /// Colours and characters.
    pub style: Style,
}

/// A live view on a terminal.
pub struct Terminal {
    screen: MultiProgress,
    head: Option<ProgressBar>,
    rows: Vec<ProgressBar>,
    how: TerminalStyle,
    timeline: Timeline,
    /// Whether the live part is over until the next stage.
    closed: bool,
    /// Whether the table of the rollout was shown.
    tabled: bool,
}

impl Terminal {
    /// A live view on `target`.
    pub fn new(target: ProgressDrawTarget, how: TerminalStyle) -> Self {
        Self {
            screen: MultiProgress::with_draw_target(target),
            head: None,
            rows: Vec::new(),
            how,
            timeline: Timeline::default(),
            closed: false,
            tabled: false,
        }
    }

    fn say(&self, text: &str) {
        // A closed terminal is no reason to stop a release.
        let _ = self.screen.println(self.how.style.letters(text));
    }

    fn draw(&mut self, elapsed: Duration) {
        if self.closed || self.timeline.stage().is_none() {
            return;
        }
        let head = self
            .head
            .get_or_insert_with(|| head(&self.screen, self.how.style));
        head.set_message(
            self.how
                .style
                .letters(&head_line(&self.timeline, elapsed))
                .into_owned(),
        );
        let lines = live_rows(&self.timeline, self.how);
        while self.rows.len() < lines.len() {
            let bar = ProgressBar::new_spinner().with_style(row_style());
            self.rows.push(self.screen.add(bar));
        }
        for (index, row) in self.rows.iter().enumerate() {
            row.set_message(lines.get(index).cloned().unwrap_or_default());
        }
    }

    fn clear(&mut self) {
        for row in self.rows.drain(..) {
            row.finish_and_clear();
            self.screen.remove(&row);
        }
        if let Some(head) = self.head.take() {
            head.finish_and_clear();
            self.screen.remove(&head);
        }
    }

    /// Leaves the table of the rollout where the live part was.
    fn close(&mut self) {
        self.clear();
        self.closed = true;
        if !self.tabled
            && let Some(table) = final_table(&self.timeline, self.how.width)
        {
            self.tabled = true;
            self.say(&format!("\n{table}\n"));
        }
    }

    fn explain(&self, group: &StoppedGroup) {
        if !self.how.result_explains {
            self.say(&stopped(group, self.how.style).join("\n"));
        }
    }

    fn scrolls(&self, event: &Event) -> bool {
        match event {
            Event::Deployment { .. }
            | Event::ServiceDeployment { .. }
            | Event::Task { .. }
            | Event::Target { .. } => self.how.verbose,
            Event::Verdict { .. } => !self.how.result_explains,
            _ => true,
        }
    }
}

impl View for Terminal {
    fn record(&mut self, record: &Record) -> Result<(), ReportError> {
        self.timeline.push(record);
        let event = &record.event;
        match event {
            Event::StageStarted { .. } => self.closed = false,
            Event::StageFinished { .. } => self.clear(),
            Event::Stopped(group) => {
                self.close();
                self.explain(group);
            }
            Event::Verdict { .. } => self.close(),
            Event::Result { error, .. } => {
                self.close();
                if let Some(error) = error {
                    self.say(&told(error, self.how.style));
                }
            }
            _ => {}
        }
        if self.scrolls(event)
            && let Some(text) = line(event, self.how.style)
        {
            self.say(&text);
        }
        self.draw(record.elapsed);
        Ok(())
    }

    fn tick(&mut self, elapsed: Duration) {
        self.draw(elapsed);
    }

    fn print(&mut self, _: &str) -> Result<(), ReportError> {
        self.close();
        Ok(())
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        self.clear();
    }
}

fn head(screen: &MultiProgress, style: Style) -> ProgressBar {
    let spinner = ProgressStyle::with_template("  {spinner} {wide_msg}")
        .unwrap_or_else(|_| ProgressStyle::default_spinner());
    let spinner = if style.unicode {
        spinner
    } else {
        spinner.tick_chars("|/-\\ ")
    };
    let bar = screen.insert(0, ProgressBar::new_spinner().with_style(spinner));
    bar.enable_steady_tick(Duration::from_millis(120));
    bar
}

fn row_style() -> ProgressStyle {
    ProgressStyle::with_template("{wide_msg}").unwrap_or_else(|_| ProgressStyle::default_spinner())
}

fn head_line(timeline: &Timeline, elapsed: Duration) -> String {
    let began = timeline.stage().map_or(elapsed, |span| span.began);
    let seconds = elapsed.saturating_sub(began).as_secs();
    format!("{seconds} s  {}", under_way(timeline))
}

/// The lines below the head: the deployment, its tasks and its targets as they are now.
fn live_rows(timeline: &Timeline, how: TerminalStyle) -> Vec<String> {
    let width = usize::from(how.width).saturating_sub(1);
    let row = |who: &str, what: &str, state: &str| {
        let text = format!("    {who:<11} {what}");
        let text = cut(&text, width.saturating_sub(columns(state) + 1));
        let state = how.style.paint(Tone::of_state(state), state);
        how.style.letters(&format!("{text} {state}")).into_owned()
    };
    let mut rows = Vec::new();
    if let (Some(counts), Some(state)) = (timeline.counts.last(), timeline.deployment.last()) {
        let failed = if counts.failed > 0 {
            format!(", {} failed", counts.failed)
        } else {
            String::new()
        };
        let what = format!(
            "{}/{} running, {} pending{failed}",
            counts.running, counts.desired, counts.pending
        );
        let state = timeline.service_deployment.last().unwrap_or(state);
        rows.push(row("deployment", &what, &state.state));
    }
    for (who, tracks) in [("task", &timeline.tasks), ("target", &timeline.targets)] {
        let skipped = tracks.len().saturating_sub(SHOWN);
        for track in tracks.iter().skip(skipped) {
            let name = if who == "task" {
                short_id(&track.name)
            } else {
                &track.name
            };
            rows.push(row(
                who,
                &one_line(name),
                track.last().map_or("", |last| &last.state),
            ));
        }
        if skipped > 0 {
            rows.push(row("", &format!("and {skipped} earlier {who}s"), ""));
        }
    }
    rows
}

/// What remains of a rollout on the screen: its tasks and targets as they ended.
pub fn final_table(timeline: &Timeline, width: u16) -> Option<String> {
    if timeline.tasks.is_empty() && timeline.targets.is_empty() {
        return None;
    }
    let mut parts = Vec::new();
    let row = |name: &str, track: &Track| {
        let last = track.last()?;
        Some([
            one_line(name),
            last.state.clone(),
            format!("{:.1} s", last.since.as_secs_f64()),
            one_line(last.reason.as_deref().unwrap_or_default()),
        ])
    };
    for (kind, tracks) in [("task", &timeline.tasks), ("target", &timeline.targets)] {
        let name = |track: &Track| match kind {
            "task" => short_id(&track.name).to_owned(),
            _ => track.name.clone(),
        };
        let rows: Vec<[String; 4]> = tracks
            .iter()
            .filter_map(|track| row(&name(track), track))
            .collect();
        if !rows.is_empty() {
            parts.push(table([kind, "state", "after", "reason"], rows, width));
        }
    }
    Some(parts.join("\n\n"))
}
