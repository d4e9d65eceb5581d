//! Following: each line once, though the newest are read again and again.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use super::LogLine;

/// Lines that were shown, as far back as others may still arrive.
///
/// CloudWatch shows lines some time after they were written, and those of one task before older
/// ones of another: each look goes back by `lateness` and leaves out what was shown before.
#[derive(Debug)]
pub struct Window {
    lateness: SignedDuration,
    start: Timestamp,
    newest: Timestamp,
    shown: BTreeMap<(Timestamp, String), ()>,
}

impl Window {
    /// For lines from `start` on that arrive at most `lateness` after newer ones.
    pub fn new(start: Timestamp, lateness: std::time::Duration) -> Self {
        Self {
            lateness: SignedDuration::try_from(lateness).unwrap_or(SignedDuration::MAX),
            start,
            newest: start,
            shown: BTreeMap::new(),
        }
    }

    /// From when on to read next.
    pub fn since(&self) -> Timestamp {
        let back = self.newest.checked_sub(self.lateness);
        back.unwrap_or(self.start).max(self.start)
    }

    /// Those of `lines` that were not shown before, by time.
    pub fn new_ones(&mut self, lines: Vec<LogLine>) -> Vec<LogLine> {
        let mut new: Vec<LogLine> = lines
            .into_iter()
            .filter(|line| self.shown.insert((line.at, line.id.clone()), ()).is_none())
            .collect();
        new.sort_by(|one, other| (one.at, &one.id).cmp(&(other.at, &other.id)));
        if let Some(last) = new.last() {
            self.newest = self.newest.max(last.at);
        }
        let since = self.since();
        self.shown = self.shown.split_off(&(since, String::new()));
        new
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    const LATENESS: u64 = 20;

    fn line(id: usize, second: u64) -> LogLine {
        LogLine {
            at: Timestamp::from_second(second as i64).unwrap(),
            task: "t".into(),
            message: String::new(),
            id: id.to_string(),
        }
    }

    proptest! {
        /// Lines as (written, arrives after); a look every `step` seconds until all have arrived.
        #[test]
        fn no_line_is_lost_or_doubled(
            lines in prop::collection::vec((0_u64..100, 0_u64..LATENESS), 0..60),
            step in 1_u64..40,
        ) {
            let mut window = Window::new(Timestamp::UNIX_EPOCH, Duration::from_secs(LATENESS));
            let mut shown = Vec::new();
            for now in (0..=200).step_by(step as usize).chain([200]) {
                let since = window.since().as_second() as u64;
                let arrived = lines.iter().enumerate().filter(|(_, (written, late))| {
                    *written >= since && written + late <= now
                });
                let arrived = arrived.map(|(id, (written, _))| line(id, *written)).collect();
                let new = window.new_ones(arrived);
                prop_assert!(new.windows(2).all(|pair| pair[0].at <= pair[1].at));
                shown.extend(new.into_iter().map(|line| line.id.parse::<usize>().unwrap()));
            }
            shown.sort_unstable();
            prop_assert_eq!(shown, (0..lines.len()).collect::<Vec<_>>());
        }
    }
}
