//! What pages show to be copied can be read by what it is for.

use quilt_mcp_deploy::config::Config;
use serde_json::Value;

use crate::markdown::{Block, Page, pages};

fn blocks(language: &str) -> Vec<(Page, Block)> {
    let mut found = Vec::new();
    for page in pages() {
        for block in page.blocks() {
            if block.language == language {
                found.push((Page::read(&page.path), block));
            }
        }
    }
    found
}

#[test]
fn json_is_json() {
    let blocks = blocks("json");
    assert!(blocks.len() >= 5);
    for (page, block) in blocks {
        if let Err(error) = serde_json::from_str::<Value>(&block.text) {
            panic!("{}: {error}\n{}", page.path, block.text);
        }
    }
}

#[test]
fn yaml_is_yaml() {
    let blocks = blocks("yaml");
    assert!(blocks.len() >= 2);
    for (page, block) in blocks {
        if let Err(error) = serde_saphyr::from_str::<Value>(&block.text) {
            panic!("{}: {error}\n{}", page.path, block.text);
        }
    }
}

#[test]
fn configurations_are_taken() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("quilt-mcp.toml");
    let mut taken = 0;
    for (page, block) in blocks("toml") {
        if !block.text.contains("[environments.") {
            continue;
        }
        std::fs::write(&file, &block.text).unwrap();
        let config = Config::load(Some(&file), folder.path());
        assert!(config.is_ok(), "{}: {config:?}", page.path);
        taken += 1;
    }
    assert!(taken >= 3, "only {taken} configurations were found");
}
