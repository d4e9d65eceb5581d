//! A history for people.

use std::fmt;

use jiff::Timestamp;

use super::{PastRelease, PastVerdict, Releases};
use crate::arn::last_part;
use crate::report::table::{table, width_of};

impl fmt::Display for Releases {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.releases.is_empty() {
            return write!(f, "no releases are remembered");
        }
        let headings = ["when", "revision", "image", "who", "verdict", "took"];
        let rows = self.releases.iter().map(PastRelease::row);
        write!(f, "{}", table(headings, rows, width_of(f)))?;
        for release in &self.releases {
            if let (Some(reason), false) =
                (&release.reason, release.verdict == PastVerdict::Succeeded)
            {
                write!(f, "\n{}: {reason}", last_part(&release.revision))?;
            }
        }
        Ok(())
    }
}

impl PastRelease {
    fn row(&self) -> [String; 6] {
        let number = number_of(&self.revision);
        // The tags say who released it first.
        let released = self.tags.released.as_ref();
        let who = released.filter(|_| self.returned_from.is_none());
        let who = who.and_then(|released| released.who());
        [
            self.started_at.map(minute).unwrap_or_default(),
            match self.current {
                true => format!("{number} *"),
                false => number.to_owned(),
            },
            self.image_name(),
            who.map(last_part).unwrap_or_default().to_owned(),
            match (&self.rolled_back_to, &self.returned_from, self.verdict) {
                (Some(to), _, PastVerdict::RolledBack) => {
                    format!("{} to {}", self.verdict, number_of(to))
                }
                (_, Some(from), _) => format!("{}, back from {}", self.verdict, number_of(from)),
                _ => self.verdict.to_string(),
            },
            self.seconds
                .map(|seconds| format!("{seconds:.0} s"))
                .unwrap_or_default(),
        ]
    }

    /// The image's tag, else its commit, else its digest: what a person knows it by.
    fn image_name(&self) -> String {
        if self.template {
            return "none: template".to_owned();
        }
        let short = |text: &str| text.get(..12).unwrap_or(text).to_owned();
        let digest = || {
            self.digest
                .as_deref()
                .and_then(|digest| digest.split_once(':'))
        };
        match (&self.tags.image_tag, &self.tags.commit) {
            (Some(tag), _) => tag.clone(),
            (None, Some(commit)) => short(commit),
            (None, None) => digest().map(|(_, hex)| short(hex)).unwrap_or_default(),
        }
    }
}

/// The number in `arn:…:task-definition/FAMILY:NUMBER`: the family is the same in every row.
fn number_of(revision: &str) -> &str {
    revision.rsplit(':').next().unwrap_or(revision)
}

fn minute(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M").to_string()
}

impl fmt::Display for PastVerdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Succeeded => "succeeded",
            Self::RolledBack => "rolled back",
            Self::Failed => "failed",
            Self::Stopped => "stopped",
            Self::InProgress => "in progress",
            Self::Unknown => "not known",
        })
    }
}
