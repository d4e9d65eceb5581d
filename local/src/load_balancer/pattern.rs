//! Patterns of listener rules: `*` is any run of characters, `?` exactly one.

/// Whether the whole of `text` matches `pattern`, case-sensitively.
pub(crate) fn matches(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    let (mut p, mut t) = (0, 0);
    // Where the last `*` is, and up to where it has swallowed the text.
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some(b'*') => {
                star = Some((p, t));
                p += 1;
            }
            Some(&c) if c == b'?' || c == text[t] => {
                p += 1;
                t += 1;
            }
            _ => {
                let Some((at, swallowed)) = star else {
                    return false;
                };
                p = at + 1;
                t = swallowed + 1;
                star = Some((at, t));
            }
        }
    }
    pattern[p..].iter().all(|c| *c == b'*')
}

#[cfg(test)]
mod tests {
    use super::matches;
    use proptest::prelude::*;

    #[test]
    fn table() {
        let cases = [
            ("/mcp", "/mcp", true),
            ("/mcp", "/mcp/", false),
            ("/mcp/*", "/mcp/", true),
            ("/mcp/*", "/mcp/platform/mcp", true),
            ("/mcp/*", "/mcp", false),
            ("/mcp", "/MCP", false),
            ("/?cp", "/mcp", true),
            ("/?cp", "/cp", false),
            ("*", "", true),
            ("", "", true),
            ("", "/", false),
            ("*.js", "/a/b.js", true),
            ("a*b*c", "axxbyybzc", true),
            ("a*b*c", "axxbyybz", false),
        ];
        for (pattern, text, expected) in cases {
            assert_eq!(matches(pattern, text), expected, "{pattern} {text}");
        }
    }

    /// The definition, slow and plain.
    fn specification(pattern: &[u8], text: &[u8]) -> bool {
        match (pattern, text) {
            ([], []) => true,
            ([b'*', rest @ ..], _) => {
                specification(rest, text)
                    || (!text.is_empty() && specification(pattern, &text[1..]))
            }
            ([b'?', p @ ..], [_, t @ ..]) => specification(p, t),
            ([c, p @ ..], [d, t @ ..]) => c == d && specification(p, t),
            _ => false,
        }
    }

    proptest! {
        #[test]
        fn as_specified(pattern in "[ab*?]{0,8}", text in "[ab]{0,10}") {
            prop_assert_eq!(
                matches(&pattern, &text),
                specification(pattern.as_bytes(), text.as_bytes())
            );
        }
    }
}
