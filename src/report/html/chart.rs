//! The run over time, as inline SVG: one lane for each thing that has states.

use std::time::Duration;

use maud::{Markup, html};

use crate::report::style::{Tone, cut};
use crate::report::table::short_id;
use crate::report::timeline::{Speaker, Timeline, Track};

/// The width of the drawing; the page scales it.
const WIDTH: f64 = 1000.0;
/// Where the lanes begin: the names stand before.
const LEFT: f64 = 216.0;
/// Where the lanes end.
const RIGHT: f64 = WIDTH - 16.0;
/// The most letters of a name before its lane.
const NAME: usize = 21;
const LANE: f64 = 20.0;
const GAP: f64 = 6.0;
/// The height of the curve of running tasks.
const CURVE: f64 = 56.0;
/// About what a letter takes in a lane.
const LETTER: f64 = 6.6;
/// The steps between the marks of the axis that people read easily, in seconds.
const STEPS: [f64; 16] = [
    0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1200.0, 1800.0,
    3600.0,
];
/// The most marks on the axis.
const MARKS: f64 = 9.0;

/// A bar of a lane.
struct Bar {
    from: Duration,
    to: Duration,
    tone: Tone,
    label: String,
    title: String,
}

/// A lane: a name and its bars.
struct Lane {
    name: String,
    bars: Vec<Bar>,
}

/// A drawing that grows downwards.
struct Drawing {
    length: f64,
    bottom: f64,
    parts: Vec<Markup>,
}

/// The drawing of a run.
pub fn chart(timeline: &Timeline) -> Markup {
    let mut drawing = Drawing {
        length: timeline.length.as_secs_f64().max(0.001),
        bottom: 26.0,
        parts: Vec::new(),
    };
    drawing.section("stages", stages(timeline));
    drawing.curve(timeline);
    drawing.section("deployment", deployment(timeline));
    drawing.section("tasks", tracks(&timeline.tasks, timeline.length, short_id));
    drawing.section(
        "targets",
        tracks(&timeline.targets, timeline.length, |name| name),
    );
    drawing.notes(timeline);
    let height = drawing.bottom + 4.0;
    html! {
        svg viewBox=(format!("0 0 {WIDTH} {height:.0}")) role="img" aria-label="The run over time" {
            (drawing.axis(height))
            @for part in &drawing.parts { (part) }
        }
    }
}

impl Drawing {
    fn x(&self, at: Duration) -> f64 {
        LEFT + (RIGHT - LEFT) * (at.as_secs_f64() / self.length).min(1.0)
    }

    fn axis(&self, height: f64) -> Markup {
        let step = STEPS
            .into_iter()
            .find(|step| self.length / step <= MARKS)
            .unwrap_or((self.length / MARKS / 3600.0).ceil() * 3600.0);
        let marks = (0..)
            .map(|index| f64::from(index) * step)
            .take_while(|at| *at <= self.length);
        html! {
            g class="axis" {
                @for at in marks {
                    @let x = self.x(Duration::from_secs_f64(at));
                    line x1=(px(x)) x2=(px(x)) y1="20" y2=(px(height)) {}
                    text x=(px(x)) y="13" text-anchor="middle" { (mark(at)) }
                }
            }
        }
    }

    fn section(&mut self, name: &str, lanes: Vec<Lane>) {
        if lanes.is_empty() {
            return;
        }
        self.heading(name);
        for lane in lanes {
            let y = self.bottom;
            let bars = lane
                .bars
                .iter()
                .map(|bar| self.bar(bar, y))
                .collect::<Vec<_>>();
            self.parts.push(html! {
                text class="name" x=(px(LEFT - 10.0)) y=(px(y + 14.0)) text-anchor="end" { (cut(&lane.name, NAME)) }
                line class="rail" x1=(px(LEFT)) x2=(px(RIGHT)) y1=(px(y + LANE / 2.0)) y2=(px(y + LANE / 2.0)) {}
                @for bar in bars { (bar) }
            });
            self.bottom += LANE + GAP;
        }
        self.bottom += GAP;
    }

    fn heading(&mut self, name: &str) {
        self.parts
            .push(html! { text class="section" x="0" y=(px(self.bottom + 14.0)) { (name) } });
    }

    fn bar(&self, bar: &Bar, y: f64) -> Markup {
        let (from, to) = (self.x(bar.from), self.x(bar.to));
        let width = (to - from).max(3.0);
        let fits = bar.label.chars().count() as f64 * LETTER + 10.0 <= width;
        html! {
            g {
                title { (bar.title) }
                rect class=(class(bar.tone)) x=(px(from)) y=(px(y)) width=(px(width)) height=(px(LANE)) rx="3" {}
                @if fits { text class="label" x=(px(from + 6.0)) y=(px(y + 14.0)) { (bar.label) } }
            }
        }
    }

    /// How many tasks ran, below how many should.
    fn curve(&mut self, timeline: &Timeline) {
        let most = timeline
            .counts
            .iter()
            .map(|counts| counts.running.max(counts.desired))
            .max();
        let Some(most) = most.filter(|most| *most > 0) else {
            return;
        };
        self.heading("running");
        let top = self.bottom;
        let y = |count: i32| top + CURVE - (CURVE - 4.0) * f64::from(count) / f64::from(most);
        let path = |count: &dyn Fn(usize) -> i32| {
            let mut path = String::new();
            for (index, counts) in timeline.counts.iter().enumerate() {
                let x = self.x(counts.at);
                let y = y(count(index));
                path.push_str(&match index {
                    0 => format!("M{x:.1} {y:.1}"),
                    _ => format!("H{x:.1}V{y:.1}"),
                });
            }
            path + &format!("H{RIGHT:.1}")
        };
        let running = path(&|index| timeline.counts[index].running);
        let desired = path(&|index| timeline.counts[index].desired);
        let first = self.x(timeline.counts[0].at);
        let floor = top + CURVE;
        self.parts.push(html! {
            text class="name" x=(px(LEFT - 10.0)) y=(px(y(most) + 5.0)) text-anchor="end" { (most) }
            text class="name" x=(px(LEFT - 10.0)) y=(px(floor)) text-anchor="end" { "0" }
            path class="area" d=(format!("{running}V{floor:.1}H{first:.1}Z")) {}
            path class="running" d=(running) {}
            path class="desired" d=(desired) { title { "desired" } }
        });
        self.bottom += CURVE + 2.0 * GAP;
    }

    fn notes(&mut self, timeline: &Timeline) {
        if timeline.notes.is_empty() {
            return;
        }
        self.heading("events");
        let y = self.bottom + LANE / 2.0;
        let marks = timeline.notes.iter().map(|note| {
            let tone = match note.speaker {
                Speaker::Ecs => Tone::Busy,
                Speaker::Warning | Speaker::Other => Tone::Warning,
                Speaker::Rollback => Tone::Bad,
            };
            html! {
                circle class=(class(tone)) cx=(px(self.x(note.at))) cy=(px(y)) r="5" {
                    title { (mark(note.at.as_secs_f64())) " " (note.speaker.as_str()) ": " (note.message) }
                }
            }
        });
        let marks: Vec<Markup> = marks.collect();
        self.parts.push(html! {
            line class="rail" x1=(px(LEFT)) x2=(px(RIGHT)) y1=(px(y)) y2=(px(y)) {}
            @for mark in marks { (mark) }
        });
        self.bottom += LANE + GAP;
    }
}

fn stages(timeline: &Timeline) -> Vec<Lane> {
    let lane = |span: &crate::report::timeline::StageSpan| {
        let name = span.stage.as_str();
        let to = span.ended.unwrap_or(timeline.length);
        let seconds = to.saturating_sub(span.began).as_secs_f64();
        let (tone, outcome) = match &span.outcome {
            Some(outcome) => (Tone::Good, outcome.as_str()),
            None => (Tone::Bad, "did not end well"),
        };
        Lane {
            name: name.to_owned(),
            bars: vec![Bar {
                from: span.began,
                to,
                tone,
                label: format!("{seconds:.1} s"),
                title: format!("{name}, {seconds:.1} s: {outcome}"),
            }],
        }
    };
    timeline.stages.iter().map(lane).collect()
}

fn deployment(timeline: &Timeline) -> Vec<Lane> {
    [
        ("rollout state", &timeline.deployment),
        ("service deployment", &timeline.service_deployment),
    ]
    .into_iter()
    .filter(|(_, track)| !track.states.is_empty())
    .map(|(name, track)| Lane {
        name: name.to_owned(),
        bars: bars(track, timeline.length),
    })
    .collect()
}

fn tracks(tracks: &[Track], length: Duration, name: impl Fn(&str) -> &str) -> Vec<Lane> {
    let lane = |track: &Track| Lane {
        name: name(&track.name).to_owned(),
        bars: bars(track, length),
    };
    tracks.iter().map(lane).collect()
}

fn bars(track: &Track, length: Duration) -> Vec<Bar> {
    let bar = |(index, state): (usize, &crate::report::timeline::State)| {
        let next = track.states.get(index + 1).map(|next| next.since);
        // What has stopped is over: a mark, and no bar until the end.
        let stopped = next.is_none() && state.state == "STOPPED";
        let reason = state
            .reason
            .as_deref()
            .map(|reason| format!(": {reason}"))
            .unwrap_or_default();
        Bar {
            from: state.since,
            to: if stopped {
                state.since
            } else {
                next.unwrap_or(length)
            },
            tone: if stopped {
                Tone::Bad
            } else {
                Tone::of_state(&state.state)
            },
            label: state.state.clone(),
            title: format!(
                "{} from {}{reason}",
                state.state,
                mark(state.since.as_secs_f64())
            ),
        }
    };
    track.states.iter().enumerate().map(bar).collect()
}

/// The class of a tone in the page's style sheet.
pub fn class(tone: Tone) -> &'static str {
    match tone {
        Tone::Good => "good",
        Tone::Busy | Tone::Plain | Tone::Strong => "busy",
        Tone::Warning => "warning",
        Tone::Bad => "bad",
        Tone::Faint => "faint",
    }
}

/// A time since the start, as people read it.
pub fn mark(seconds: f64) -> String {
    if seconds < 60.0 {
        let text = format!("{seconds:.1}");
        return format!("{} s", text.strip_suffix(".0").unwrap_or(&text));
    }
    let whole = seconds as u64;
    match (whole / 3600, whole % 3600 / 60, whole % 60) {
        (0, minutes, 0) => format!("{minutes} min"),
        (0, minutes, seconds) => format!("{minutes} min {seconds} s"),
        (hours, minutes, _) => format!("{hours} h {minutes} min"),
    }
}

fn px(value: f64) -> String {
    format!("{value:.1}")
}
