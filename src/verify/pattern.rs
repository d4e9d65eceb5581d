//! A load balancer's wildcards: `*` for any characters, `?` for one.
//! <https://docs.aws.amazon.com/elasticloadbalancing/latest/application/rule-condition-types.html>

/// Whether a path (case matters) matches.
pub(crate) fn path(pattern: &str, path: &str) -> bool {
    matches(pattern.as_bytes(), path.as_bytes())
}

/// Whether a host (case does not matter) matches.
pub(super) fn host(pattern: &str, host: &str) -> bool {
    matches(
        pattern.to_ascii_lowercase().as_bytes(),
        host.to_ascii_lowercase().as_bytes(),
    )
}

fn matches(pattern: &[u8], text: &[u8]) -> bool {
    let (mut at, mut position) = (0, 0);
    // Where the last star was, and how much of the text it has taken.
    let mut star: Option<(usize, usize)> = None;
    while position < text.len() {
        match pattern.get(at) {
            Some(b'*') => {
                star = Some((at, position));
                at += 1;
            }
            Some(&byte) if byte == b'?' || byte == text[position] => {
                at += 1;
                position += 1;
            }
            _ => match star {
                Some((star_at, taken)) => {
                    star = Some((star_at, taken + 1));
                    at = star_at + 1;
                    position = taken + 1;
                }
                None => return false,
            },
        }
    }
    pattern[at..].iter().all(|byte| *byte == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards() {
        for (pattern, text, matching) in [
            ("/mcp", "/mcp", true),
            ("/mcp", "/mcp/", false),
            ("/mcp/*", "/mcp", false),
            ("/mcp/*", "/mcp/", true),
            ("/mcp/*", "/mcp/platform/mcp", true),
            ("/mcp*", "/mcp", true),
            ("/?cp", "/mcp", true),
            ("/MCP", "/mcp", false),
            ("*", "/mcp", true),
            ("/*/mcp", "/mcp/platform/mcp", true),
            ("/a*b*c", "/abbbcbc", true),
            ("/a*b*c", "/abbbcb", false),
        ] {
            assert_eq!(path(pattern, text), matching, "{pattern} {text}");
        }
        assert!(host("*.Example.com", "Catalog.example.COM"));
        assert!(!host("*.example.com", "example.com"));
    }
}
