//! Lines of shell, as far as tests read them.

/// The words of a line, as a shell splits it; a substitution is part of one.
pub fn words(line: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut quote = None;
    for letter in line.chars() {
        match (letter, quote) {
            // What a substitution gives is one word here.
            ('(', None) if words.last().is_some_and(|word| word.ends_with('$')) => {
                quote = Some(')');
            }
            ('\'' | '"', None) => quote = Some(letter),
            (letter, Some(open)) if letter == open => quote = None,
            (letter, None) if letter.is_whitespace() => words.push(String::new()),
            (letter, _) => words.last_mut().unwrap().push(letter),
        }
    }
    words.retain(|word| !word.is_empty());
    words
}
