//! The repository's pages, as far as its tests read them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use pulldown_cmark::{CodeBlockKind, Event, Options, Parser, Tag, TagEnd};

/// A page of this repository.
pub struct Page {
    /// From the repository's root, with `/`.
    pub path: String,
    text: String,
}

/// A fenced block.
pub struct Block {
    /// What stands behind the fence.
    pub language: String,
    pub text: String,
}

/// The repository's root.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every page that git knows or would add.
pub fn pages() -> Vec<Page> {
    files(".md")
        .into_iter()
        .map(|path| Page::read(&path))
        .collect()
}

/// The paths of all files with this ending that git knows or would add.
pub fn files(ending: &str) -> Vec<String> {
    let listed = std::process::Command::new("git")
        .current_dir(root())
        .args(["ls-files", "--cached", "--others", "--exclude-standard"])
        .output()
        .unwrap();
    assert!(listed.status.success(), "{listed:?}");
    let mut files: Vec<String> = String::from_utf8(listed.stdout)
        .unwrap()
        .lines()
        .filter(|path| path.ends_with(ending) && root().join(path).is_file())
        .map(str::to_owned)
        .collect();
    files.sort();
    files.dedup();
    files
}

impl Page {
    pub fn read(path: &str) -> Self {
        let text = std::fs::read_to_string(root().join(path))
            .unwrap_or_else(|error| panic!("{path}: {error}"));
        Self {
            path: path.to_owned(),
            text,
        }
    }

    fn events(&self) -> Parser<'_> {
        Parser::new_ext(&self.text, Options::ENABLE_TABLES)
    }

    /// The fenced blocks, in their order.
    pub fn blocks(&self) -> Vec<Block> {
        self.code_blocks()
            .into_iter()
            .filter_map(|(language, text)| language.map(|language| Block { language, text }))
            .collect()
    }

    /// What stands in blocks that are indented, and not fenced.
    pub fn indented(&self) -> Vec<String> {
        let blocks = self.code_blocks().into_iter();
        blocks
            .filter(|(language, _)| language.is_none())
            .map(|(_, text)| text)
            .collect()
    }

    /// All blocks of code, the fenced ones with their language.
    fn code_blocks(&self) -> Vec<(Option<String>, String)> {
        let mut blocks: Vec<(Option<String>, String)> = Vec::new();
        let mut inside = false;
        for event in self.events() {
            match event {
                Event::Start(Tag::CodeBlock(kind)) => {
                    inside = true;
                    let language = match kind {
                        CodeBlockKind::Fenced(language) => Some(language.to_string()),
                        CodeBlockKind::Indented => None,
                    };
                    blocks.push((language, String::new()));
                }
                Event::End(TagEnd::CodeBlock) => inside = false,
                Event::Text(text) if inside => {
                    blocks.last_mut().unwrap().1.push_str(&text);
                }
                _ => {}
            }
        }
        blocks
    }

    /// Where its links and pictures lead.
    pub fn links(&self) -> Vec<String> {
        self.events()
            .filter_map(|event| match event {
                Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => {
                    Some(dest_url.to_string())
                }
                _ => None,
            })
            .collect()
    }

    /// The anchors of its headings, as GitHub and mdBook make them.
    pub fn anchors(&self) -> Vec<String> {
        let mut anchors = Vec::new();
        let mut seen: BTreeMap<String, usize> = BTreeMap::new();
        let mut heading: Option<String> = None;
        for event in self.events() {
            match event {
                Event::Start(Tag::Heading { .. }) => heading = Some(String::new()),
                Event::Text(text) | Event::Code(text) => {
                    if let Some(heading) = &mut heading {
                        heading.push_str(&text);
                    }
                }
                Event::End(TagEnd::Heading(_)) => {
                    let anchor = anchor(&heading.take().unwrap());
                    let times = seen.entry(anchor.clone()).or_default();
                    anchors.push(match *times {
                        0 => anchor,
                        times => format!("{anchor}-{times}"),
                    });
                    *times += 1;
                }
                _ => {}
            }
        }
        anchors
    }

    /// The path, from the root, of what a relative link on this page names.
    pub fn resolve(&self, link: &str) -> PathBuf {
        let folder = Path::new(&self.path).parent().unwrap();
        let mut resolved = PathBuf::new();
        for part in folder.join(link).components() {
            match part {
                std::path::Component::ParentDir => assert!(
                    resolved.pop(),
                    "{}: {link} leads out of the repository",
                    self.path
                ),
                std::path::Component::CurDir => {}
                part => resolved.push(part),
            }
        }
        resolved
    }
}

/// Letters, digits, `-` and `_` of a heading, in lower case, with `-` for spaces.
fn anchor(heading: &str) -> String {
    heading
        .trim()
        .to_lowercase()
        .chars()
        .filter_map(|letter| match letter {
            ' ' => Some('-'),
            letter if letter.is_alphanumeric() || letter == '-' || letter == '_' => Some(letter),
            _ => None,
        })
        .collect()
}

#[test]
fn anchors_are_as_github_makes_them() {
    for (heading, expected) in [
        ("Log queries", "log-queries"),
        ("`--report FILE.html`", "--report-filehtml"),
        (
            "The rollout fails (7) or is rolled back (8)",
            "the-rollout-fails-7-or-is-rolled-back-8",
        ),
        ("1. What you need", "1-what-you-need"),
    ] {
        assert_eq!(anchor(heading), expected);
    }
}
