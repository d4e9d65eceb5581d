//! What a terminal shows while a run goes on.

use indicatif::{InMemoryTerm, ProgressDrawTarget};
use quilt_mcp_deploy::report::View as _;
use quilt_mcp_deploy::report::style::Style;
use quilt_mcp_deploy::report::terminal::{Terminal, TerminalStyle};

use crate::script::run;

fn terminal(screen: &InMemoryTerm, width: u16, style: Style) -> Terminal {
    let how = TerminalStyle {
        width,
        verbose: false,
        result_explains: false,
        style,
    };
    Terminal::new(ProgressDrawTarget::term_like(Box::new(screen.clone())), how)
}

/// The screen after each event, until the end: the live part is the one below the blank.
fn screens(name: &str, width: u16, style: Style) -> (Vec<String>, String) {
    let screen = InMemoryTerm::new(60, width);
    let mut terminal = terminal(&screen, width, style);
    let mut seen = Vec::new();
    for record in run(name) {
        terminal.record(&record).unwrap();
        terminal.tick(record.elapsed);
        seen.push(screen.contents());
    }
    drop(terminal);
    (seen, screen.contents())
}

const PLAIN: Style = Style {
    color: false,
    unicode: true,
};

/// Without the spinner, which turns with time.
fn still(screen: &str) -> String {
    let turns = |letter: char| ('\u{2800}'..='\u{28ff}').contains(&letter);
    screen
        .chars()
        .map(|letter| if turns(letter) { '*' } else { letter })
        .collect()
}

#[test]
fn what_is_under_way_stays_in_place() {
    for width in [80, 40] {
        let (seen, end) = screens("good", width, PLAIN);
        let before_the_end = seen
            .iter()
            .rev()
            .find(|screen| screen.contains("healthy") && screen.contains("waiting for"));
        insta::assert_snapshot!(format!("live {width}"), still(before_the_end.unwrap()));
        insta::assert_snapshot!(format!("terminal {width} good"), end);
    }
}

#[test]
fn nothing_live_remains_at_the_end() {
    for name in ["failed", "rolled back", "unknown", "refused"] {
        let (_, end) = screens(name, 80, PLAIN);
        assert!(!end.contains("waiting for 2 of 2 targets"), "{end}");
        insta::assert_snapshot!(format!("terminal 80 {name}"), end);
    }
}

#[test]
fn plain_letters_on_a_plain_terminal() {
    let (seen, _) = screens(
        "failed",
        80,
        Style {
            color: false,
            unicode: false,
        },
    );
    for screen in seen {
        assert!(screen.is_ascii(), "{screen}");
    }
}
