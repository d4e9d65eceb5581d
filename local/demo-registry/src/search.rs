//! Package search: every word must occur in the name, message or metadata.

use serde::{Deserialize, Serialize};

use crate::catalog::{Catalog, Package, Revision};

/// A search, complete enough to be taken up again at `offset`: the cursor is this, encoded.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Search {
    pub(crate) buckets: Vec<String>,
    pub(crate) text: String,
    pub(crate) modified_from: Option<String>,
    pub(crate) modified_to: Option<String>,
    pub(crate) latest_only: bool,
    pub(crate) ordering: Option<Ordering>,
    pub(crate) offset: usize,
}

/// The system orderings of the `PackageOrdering` grammar that the samples can honour.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Ordering {
    field: Field,
    descending: bool,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
enum Field {
    Name,
    Modified,
    Size,
    Entries,
}

pub(crate) struct Hit<'a> {
    pub(crate) package: &'a Package,
    pub(crate) revision: &'a Revision,
    pub(crate) score: f64,
}

impl Ordering {
    /// Reads `sys:<field>:<asc|desc>`.
    pub(crate) fn parse(expression: &str) -> Option<Self> {
        let mut parts = expression.split(':');
        let (Some("sys"), Some(field), Some(direction), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return None;
        };
        Some(Self {
            field: match field {
                "name" => Field::Name,
                "modified" => Field::Modified,
                "size" => Field::Size,
                "entries" => Field::Entries,
                _ => return None,
            },
            descending: match direction {
                "asc" => false,
                "desc" => true,
                _ => return None,
            },
        })
    }
}

impl Search {
    /// All hits in order, from the first.
    pub(crate) fn hits<'a>(&self, catalog: &'a Catalog) -> Vec<Hit<'a>> {
        let words: Vec<String> = self
            .text
            .split_whitespace()
            .filter(|word| *word != "*")
            .map(str::to_lowercase)
            .collect();
        let mut hits: Vec<Hit<'a>> = catalog
            .packages
            .iter()
            .filter(|package| self.buckets.is_empty() || self.buckets.contains(&package.bucket))
            .flat_map(|package| {
                let count = if self.latest_only { 1 } else { usize::MAX };
                let revisions = package.revisions.iter().take(count);
                revisions.map(move |revision| (package, revision))
            })
            .filter(|(_, revision)| self.in_period(revision))
            .filter_map(|(package, revision)| {
                score(package, revision, &words).map(|score| Hit {
                    package,
                    revision,
                    score,
                })
            })
            .collect();
        self.sort(&mut hits);
        hits
    }

    fn in_period(&self, revision: &Revision) -> bool {
        let modified = revision.modified.as_str();
        self.modified_from
            .as_deref()
            .is_none_or(|from| modified >= from)
            && self.modified_to.as_deref().is_none_or(|to| modified <= to)
    }

    fn sort(&self, hits: &mut [Hit<'_>]) {
        let Some(ordering) = self.ordering else {
            hits.sort_by(|a, b| b.score.total_cmp(&a.score));
            return;
        };
        hits.sort_by(|a, b| {
            let order = match ordering.field {
                Field::Name => a.package.name.cmp(&b.package.name),
                Field::Modified => a.revision.modified.cmp(&b.revision.modified),
                Field::Size => a.revision.total_bytes().cmp(&b.revision.total_bytes()),
                Field::Entries => a.revision.entries.len().cmp(&b.revision.entries.len()),
            };
            if ordering.descending {
                order.reverse()
            } else {
                order
            }
        });
    }

    pub(crate) fn to_cursor(&self) -> String {
        hex::encode(serde_json::to_vec(self).expect("a search is plain JSON"))
    }

    pub(crate) fn from_cursor(cursor: &str) -> Option<Self> {
        serde_json::from_slice(&hex::decode(cursor).ok()?).ok()
    }
}

/// `None` unless every word occurs; a word in the name weighs most.
fn score(package: &Package, revision: &Revision, words: &[String]) -> Option<f64> {
    let name = package.name.to_lowercase();
    let message = revision.message.to_lowercase();
    let metadata = serde_json::to_string(&revision.metadata)
        .unwrap_or_default()
        .to_lowercase();
    words.iter().try_fold(1.0, |total, word| {
        let weight = if name.contains(word) {
            3.0
        } else if message.contains(word) {
            2.0
        } else if metadata.contains(word) {
            1.0
        } else {
            return None;
        };
        Some(total + weight)
    })
}
