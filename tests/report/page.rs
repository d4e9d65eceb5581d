//! The page that goes with an incident.

use quilt_mcp_deploy::report::html::{Page, page};

use crate::script::{RUNS, show, timeline};

fn html(name: &str) -> String {
    page(&timeline(name)).into_string()
}

#[test]
fn a_page_tells_a_run() {
    for name in RUNS {
        let text = html(name);
        // The style sheet is a file of its own, and the version changes.
        let (head, rest) = text.split_once("<style>").unwrap();
        let (_, rest) = rest.split_once("</style>").unwrap();
        let text = format!("{head}{rest}")
            .replace(env!("CARGO_PKG_VERSION"), "VERSION")
            .replace("><", ">\n<");
        insta::assert_snapshot!(format!("page {name}"), text);
    }
}

#[test]
fn a_page_needs_nothing_and_runs_nothing() {
    for name in RUNS {
        let text = html(name);
        for forbidden in [
            "<script", "<link", "<img", "src=", "href=", "url(", "@import", "http://", "onload",
        ] {
            assert!(!text.contains(forbidden), "{name}: {forbidden}");
        }
        assert!(text.contains("default-src 'none'"));
    }
    assert!(
        html("failed").contains("&lt;script&gt;alert('x')"),
        "the log line is shown as it is"
    );
}

#[test]
fn a_page_is_written_whole_or_not_at_all() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("report.html");
    std::fs::write(&file, "an older one").unwrap();
    show("failed", &mut Page::new(file.clone()).unwrap());
    assert_eq!(std::fs::read_to_string(&file).unwrap(), html("failed"));
    assert_eq!(
        std::fs::read_dir(folder.path()).unwrap().count(),
        1,
        "nothing is left beside it"
    );
}

#[test]
fn a_place_where_no_page_can_be_is_refused_before_anything_is_done() {
    let folder = tempfile::tempdir().unwrap();
    for place in [
        folder.path().to_owned(),
        folder.path().join("missing/report.html"),
    ] {
        let Err(error) = Page::new(place.clone()) else {
            panic!("{place:?} was taken");
        };
        assert!(error.to_string().contains("cannot be written"), "{error}");
    }
}
