//! Numbers with their nouns.

/// `1 image`, `2 images`.
pub fn count(number: usize, noun: &str) -> String {
    let end = if number == 1 { "" } else { "s" };
    format!("{number} {noun}{end}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_singular() {
        for (number, expected) in [(0, "0 images"), (1, "1 image"), (2, "2 images")] {
            assert_eq!(count(number, "image"), expected);
        }
    }
}
