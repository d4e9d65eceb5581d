//! The page.

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::chart::{chart, class, mark};
use crate::arn::last_part;
use crate::printable::one_line;
use crate::report::StoppedGroup;
use crate::report::style::Tone;
use crate::report::timeline::{Timeline, Track};

/// Nothing is fetched and nothing runs, whatever a log line says.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'";

/// The page of a run.
pub fn page(timeline: &Timeline) -> Markup {
    let title = title(timeline);
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(POLICY);
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) }
                style { (PreEscaped(include_str!("style.css"))) }
            }
            body {
                main {
                    (head(timeline))
                    (facts(timeline))
                    section { h2 { "Timeline" } div class="chart" { (chart(timeline)) } (legend()) }
                    (diagnosis(timeline))
                    (checks(timeline))
                    (states(timeline))
                    (notes(timeline))
                }
                footer {
                    "quilt-mcp-deploy " (env!("CARGO_PKG_VERSION"))
                    @if let Some(began) = timeline.began { ", run of " (began.strftime("%F %T UTC")) }
                }
            }
        }
    }
}

fn title(timeline: &Timeline) -> String {
    match &timeline.release {
        Some(release) => format!(
            "{} in {}: {}",
            last_part(&release.revision),
            release.environment,
            outcome(timeline).1
        ),
        None => format!("quilt-mcp-deploy: {}", outcome(timeline).1),
    }
}

/// What became of the run: how it is coloured and one or two words.
fn outcome(timeline: &Timeline) -> (Tone, String) {
    let code = timeline.ended.as_ref().map(|ended| ended.exit_code);
    match (&timeline.verdict, code) {
        (Some(verdict), _) => (
            Tone::of_state(&verdict.verdict),
            verdict.verdict.replace('_', " "),
        ),
        (None, Some(0)) => (Tone::Good, "done".into()),
        (None, Some(130 | 143)) => (Tone::Warning, "interrupted".into()),
        (None, Some(_)) => (Tone::Bad, "failed".into()),
        (None, None) => (Tone::Busy, "under way".into()),
    }
}

fn head(timeline: &Timeline) -> Markup {
    let (tone, word) = outcome(timeline);
    let error = timeline
        .ended
        .as_ref()
        .and_then(|ended| ended.error.as_ref());
    let name = timeline
        .release
        .as_ref()
        .map_or("quilt-mcp-deploy", |release| last_part(&release.revision));
    html! {
        header class=(class(tone)) {
            p class="pill" { (word) }
            h1 { (name) }
            @if let Some(verdict) = &timeline.verdict { p class="lead" { (verdict.explanation) } }
            @if let Some(error) = error {
                p class="lead" { (error.message) }
                @if let Some(hint) = &error.hint { p { (hint) } }
            }
        }
    }
}

fn facts(timeline: &Timeline) -> Markup {
    let release = timeline.release.as_ref();
    let ended = timeline.ended.as_ref();
    let rows: [(&str, Option<String>); 10] = [
        (
            "environment",
            release.map(|release| release.environment.clone()),
        ),
        ("service", release.map(|release| release.service.clone())),
        (
            "revision",
            release.map(|release| last_part(&release.revision).to_owned()),
        ),
        (
            "ran before",
            release
                .and_then(|release| release.previous_revision.as_deref())
                .map(|arn| last_part(arn).to_owned()),
        ),
        ("commit", release.and_then(|release| release.commit.clone())),
        ("image", release.and_then(|release| release.image.clone())),
        (
            "deployment",
            release.map(|release| release.deployment.clone()),
        ),
        (
            "began",
            timeline
                .began
                .map(|began| began.strftime("%F %T UTC").to_string()),
        ),
        ("took", Some(mark(timeline.length.as_secs_f64()))),
        ("exit code", ended.map(|ended| ended.exit_code.to_string())),
    ];
    html! {
        dl {
            @for (name, value) in rows {
                @if let Some(value) = value { div class=[(name == "image").then_some("whole")] { dt { (name) } dd { (value) } } }
            }
        }
    }
}

fn legend() -> Markup {
    let entries = [
        (Tone::Good, "healthy, done"),
        (Tone::Busy, "under way"),
        (Tone::Warning, "stopping, rolling back"),
        (Tone::Bad, "failed, unhealthy"),
        (Tone::Faint, "draining"),
    ];
    html! {
        p class="legend" {
            @for (tone, text) in entries { span class=(class(tone)) { (text) } }
        }
    }
}

fn diagnosis(timeline: &Timeline) -> Markup {
    if timeline.stopped.is_empty() {
        return html! {};
    }
    html! {
        section {
            h2 { "Diagnosis" }
            @for stopped in &timeline.stopped { (group(stopped)) }
        }
    }
}

fn group(stopped: &StoppedGroup) -> Markup {
    html! {
        article {
            h3 { (stopped.headline()) }
            p { (stopped.reason) }
            @if let Some(reason) = &stopped.container_reason { p { "Container: " (reason) } }
            @if let Some(hint) = &stopped.hint { p class="hint" { (hint) } }
            @if !stopped.log.is_empty() {
                h4 { "Last log lines" }
                pre { @for line in &stopped.log { (one_line(line)) "\n" } }
            }
        }
    }
}

fn checks(timeline: &Timeline) -> Markup {
    if timeline.checks.is_empty() {
        return html! {};
    }
    html! {
        section {
            h2 { "Checks" }
            div class="wide" { table {
                thead { tr { th { "outcome" } th { "check" } th { "seen" } th { "remedy" } } }
                tbody {
                    @for check in &timeline.checks {
                        tr {
                            td { span class={ "state " (class(Tone::of_state(check.outcome.as_str()))) } { (check.outcome.as_str()) } }
                            td { (check.name) }
                            td { (check.detail) }
                            td { @if let Some(remedy) = &check.remedy { (remedy) } }
                        }
                    }
                }
            } }
        }
    }
}

fn states(timeline: &Timeline) -> Markup {
    let tracks = [("task", &timeline.tasks), ("target", &timeline.targets)];
    let rows: Vec<(&str, &Track)> = tracks
        .into_iter()
        .flat_map(|(kind, tracks)| tracks.iter().map(move |track| (kind, track)))
        .collect();
    if rows.is_empty() {
        return html! {};
    }
    html! {
        section {
            h2 { "Tasks and targets" }
            div class="wide" { table {
                thead { tr { th {} th { "name" } th { "states" } th { "last reason" } } }
                tbody {
                    @for (kind, track) in rows {
                        tr {
                            td class="kind" { (kind) }
                            td class="code" { (track.name) }
                            td {
                                @for state in &track.states {
                                    span class={ "state " (class(Tone::of_state(&state.state))) } {
                                        (state.state) " " small { (mark(state.since.as_secs_f64())) }
                                    }
                                    " "
                                }
                            }
                            td { @if let Some(reason) = track.last().and_then(|last| last.reason.as_ref()) { (reason) } }
                        }
                    }
                }
            } }
        }
    }
}

fn notes(timeline: &Timeline) -> Markup {
    if timeline.notes.is_empty() {
        return html! {};
    }
    html! {
        section {
            h2 { "Events" }
            div class="wide" { table {
                thead { tr { th { "after" } th { "by" } th { "what" } } }
                tbody {
                    @for note in &timeline.notes {
                        tr {
                            td class="number kind" { (mark(note.at.as_secs_f64())) }
                            td class="kind" { (note.speaker.as_str()) }
                            td { (note.message) }
                        }
                    }
                }
            } }
        }
    }
}
