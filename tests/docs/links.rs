//! Every link of every page leads somewhere.

use std::collections::BTreeSet;
use std::path::Path;

use crate::markdown::{Page, files, pages, root};

/// How pages in `docs/` name a file outside, so that the link works in the book as well.
const OURS: &str = "https://github.com/quiltdata/quilt-mcp-deploy/blob/main/";

#[test]
fn every_link_leads_somewhere() {
    let mut wrong = Vec::new();
    let mut followed = 0;
    for page in pages() {
        for link in page.links() {
            followed += 1;
            if let Err(why) = follow(&page, &link) {
                wrong.push(format!("{}: {link}: {why}", page.path));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(followed > 100, "only {followed} links were found");
    println!("{followed} links");
}

fn follow(page: &Page, link: &str) -> Result<(), String> {
    if let Some(path) = link.strip_prefix(OURS) {
        let (path, _) = path.split_once('#').unwrap_or((path, ""));
        return exists(Path::new(path));
    }
    if link.contains("://") || link.starts_with("mailto:") {
        // Not ours to keep alive; but nobody should be sent over plain http.
        return match link.starts_with("http://") {
            true => Err("not https".to_owned()),
            false => Ok(()),
        };
    }
    let (path, anchor) = link.split_once('#').unwrap_or((link, ""));
    let target = match path {
        "" => page.path.clone().into(),
        path => page.resolve(path),
    };
    if page.path.starts_with("docs/") && !target.starts_with("docs") {
        return Err(format!("leads out of the book: write {OURS}…"));
    }
    exists(&target)?;
    let target = target.to_str().unwrap();
    if !anchor.is_empty()
        && !Page::read(target)
            .anchors()
            .iter()
            .any(|known| known == anchor)
    {
        return Err(format!("{target} has no heading {anchor}"));
    }
    Ok(())
}

fn exists(path: &Path) -> Result<(), String> {
    match root().join(path).exists() {
        true => Ok(()),
        false => Err("there is no such file".to_owned()),
    }
}

#[test]
fn the_book_has_every_page() {
    let summary = Page::read("docs/SUMMARY.md");
    let listed: BTreeSet<String> = summary
        .links()
        .iter()
        .map(|link| summary.resolve(link).to_str().unwrap().to_owned())
        .collect();
    let written: BTreeSet<String> = files(".md")
        .into_iter()
        .filter(|path| path.starts_with("docs/") && path != "docs/SUMMARY.md")
        .collect();
    assert_eq!(listed, written);
}
