//! Chance that can be had again: the n-th throw for a purpose depends on the seed, the purpose and n
//! only, however the calls of other operations fall between.

use std::collections::HashMap;

use sha2::{Digest, Sha256};

/// How often the dice were thrown for each purpose.
#[derive(Debug, Default)]
pub(super) struct Dice(HashMap<String, u64>);

impl Dice {
    /// The next throw: from 0 up to, but without, 1.
    pub(super) fn throw(&mut self, seed: u64, purpose: &str) -> f64 {
        let count = self.0.entry(purpose.to_owned()).or_default();
        *count += 1;
        let mut hash = Sha256::new();
        hash.update(seed.to_be_bytes());
        hash.update(count.to_be_bytes());
        hash.update(purpose);
        let bytes: [u8; 32] = hash.finalize().into();
        let [a, b, c, d, ..] = bytes;
        f64::from(u32::from_be_bytes([a, b, c, d])) / (f64::from(u32::MAX) + 1.0)
    }

    /// Starts anew for every purpose of a fault.
    pub(super) fn forget(&mut self, fault: &str) {
        self.0.retain(|purpose, _| !purpose.starts_with(fault));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_repeats_itself_whatever_happens_in_between() {
        let mut dice = Dice::default();
        let first: Vec<f64> = (0..100).map(|_| dice.throw(7, "throttle a")).collect();
        let mut dice = Dice::default();
        let second: Vec<f64> = (0..100)
            .map(|_| {
                dice.throw(7, "throttle b");
                dice.throw(7, "throttle a")
            })
            .collect();
        assert_eq!(first, second);
        assert!(first.iter().all(|throw| (0.0..1.0).contains(throw)));
        dice.forget("throttle");
        assert_eq!(dice.throw(7, "throttle a").to_bits(), first[0].to_bits());
        assert_ne!(dice.throw(8, "throttle c"), first[0]);
    }

    #[test]
    fn throws_are_spread_evenly() {
        let mut dice = Dice::default();
        let low = (0..10_000).filter(|_| dice.throw(1, "x") < 0.3).count();
        assert!((2800..3200).contains(&low), "{low}");
    }
}
