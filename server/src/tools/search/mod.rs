//! The searches, and what they have in common.

pub(super) mod objects;
pub(super) mod packages;

use serde::Serialize;

use super::input::{Text, UpTo};

/// What the schema's filters say of the time of a change.
#[derive(Serialize)]
pub(super) struct Filter {
    modified: Period,
}

#[derive(Serialize)]
struct Period {
    gte: Option<String>,
    lte: Option<String>,
}

impl Filter {
    /// Changed from one moment to another, both included; no filter where neither is given.
    fn modified(after: Option<Text<64>>, before: Option<Text<64>>) -> Option<Self> {
        let bounded = after.is_some() || before.is_some();
        bounded.then(|| Self {
            modified: Period {
                gte: after.map(Text::into_string),
                lte: before.map(Text::into_string),
            },
        })
    }
}

/// The variables of a query that goes on where an earlier one ended.
#[derive(Serialize)]
pub(super) struct MoreVariables {
    after: String,
    size: i64,
}

impl MoreVariables {
    fn new(cursor: Text<10_000>, size: UpTo<100>) -> Self {
        Self {
            after: cursor.into_string(),
            size: size.get(),
        }
    }
}

const fn usual_size() -> UpTo<100> {
    UpTo::new(20)
}
