//! `.dockerignore`, read as Docker reads it (Dockerfile reference, ".dockerignore file"): the
//! last pattern that fits decides, `!` takes back, and a folder stands for all that is in it.

use std::path::Path;

use globset::{GlobBuilder, GlobMatcher};

/// What never enters a context, whatever `.dockerignore` says: other people's secrets, and what
/// is no source.
const NEVER: &[&str] = &[
    "**/.git",
    "**/target",
    "**/node_modules",
    "**/.terraform",
    "**/*.tfstate*",
    "**/*.tfvars",
    "**/.env",
    "**/.env.*",
    "**/.aws",
    "**/.ssh",
    "**/.docker",
    "**/.netrc",
    "**/.npmrc",
    "**/.pypirc",
    "**/credentials",
    "**/credentials.toml",
    "**/id_rsa*",
    "**/id_ecdsa*",
    "**/id_ed25519*",
    "**/*.pem",
    "**/*.key",
    "**/*.p12",
    "**/*.pfx",
];

/// The patterns of a `.dockerignore`.
#[derive(Debug, Default)]
pub struct Ignore {
    rules: Vec<Rule>,
}

#[derive(Debug)]
struct Rule {
    matcher: GlobMatcher,
    takes_back: bool,
}

impl Ignore {
    /// Reads the file's text.
    ///
    /// # Errors
    /// The pattern that cannot be read, and why.
    pub fn parse(text: &str) -> Result<Self, String> {
        let lines = text.trim_start_matches('\u{feff}').lines();
        let rules = lines
            .filter(|line| !line.starts_with('#'))
            .map(str::trim)
            .filter(|line| !line.is_empty())
            .filter_map(|line| Rule::parse(line).transpose())
            .collect::<Result<_, String>>()?;
        Ok(Self { rules })
    }

    /// Whether `path`, relative to the context's folder, stays out of the context.
    pub fn excludes(&self, path: &Path) -> bool {
        let fitting = self.rules.iter().rfind(|rule| rule.fits(path));
        fitting.is_some_and(|rule| !rule.takes_back)
    }

    /// What stays out of every context.
    pub fn always() -> Self {
        Self::parse(&NEVER.join("\n")).expect("the patterns of NEVER are well-formed")
    }
}

impl Rule {
    fn parse(line: &str) -> Result<Option<Self>, String> {
        let (takes_back, pattern) = match line.strip_prefix('!') {
            Some(rest) => (true, rest.trim()),
            None => (false, line),
        };
        let pattern = clean(pattern);
        if pattern.is_empty() {
            return Ok(None);
        }
        let glob = GlobBuilder::new(&for_globset(&pattern))
            .literal_separator(true)
            .backslash_escape(true)
            .build()
            .map_err(|error| format!("`{line}`: {}", error.kind()))?;
        Ok(Some(Self {
            matcher: glob.compile_matcher(),
            takes_back,
        }))
    }

    fn fits(&self, path: &Path) -> bool {
        path.ancestors()
            .filter(|path| !path.as_os_str().is_empty())
            .any(|path| self.matcher.is_match(path))
    }
}

/// Braces mean themselves in Docker's patterns and alternatives in globset's; so does a `!` that
/// begins a class, which globset reads as Docker's `^`.
fn for_globset(pattern: &str) -> String {
    let pattern = pattern.replace('{', "\\{").replace('}', "\\}");
    let mut parts = pattern.split("[!");
    let mut translated = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (class, rest) = part.split_once(']').unwrap_or((part, ""));
        translated += &format!("[{class}!]{rest}");
    }
    translated
}

/// The pattern without `.`, empty and `..` parts, as Go's `filepath.Clean` leaves it.
fn clean(pattern: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in pattern.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    parts.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_mean_what_docker_says() {
        for (text, path, excluded) in [
            ("*.md", "a.md", true),
            ("*.md", "docs/a.md", false),
            ("**/*.md", "a.md", true),
            ("**/*.md", "x/y/a.md", true),
            ("docs", "docs/a/b", true),
            ("docs/", "docs/a/b", true),
            ("/docs", "docs/a", true),
            ("docs/**", "docs/a", true),
            ("a?c", "abc", true),
            ("a?c", "a/c", false),
            ("[a-c]x", "bx", true),
            ("[^a-c]x", "bx", false),
            ("[!a]x", "bx", false),
            ("[!a]x", "ax", true),
            ("{a,b}", "a", false),
            ("# docs", "docs", false),
            ("./docs/../x", "x", true),
            ("*\n!keep", "keep/this", false),
            ("*\n!keep", "not", true),
            ("*\n!a/b", "a/b/c", false),
            ("*\n!a/b", "a/c", true),
            ("!a\na", "a", true),
            ("a\n!a\n", "a", false),
            ("", "a", false),
        ] {
            let ignore = Ignore::parse(text).unwrap();
            assert_eq!(
                ignore.excludes(Path::new(path)),
                excluded,
                "{text:?} {path}"
            );
        }
        let error = Ignore::parse("a\n[z-").unwrap_err();
        assert!(error.contains("[z-"), "{error}");
    }

    #[test]
    fn secrets_stay_out_whatever_the_file_says() {
        let always = Ignore::always();
        for path in [
            ".git/config",
            "target/debug/x",
            "server/.env",
            ".env.production",
            ".cargo/credentials.toml",
            "terraform/dev/terraform.tfstate.backup",
            "deploy/id_ed25519",
            "server/tls/key.pem",
        ] {
            assert!(always.excludes(Path::new(path)), "{path}");
        }
        for path in ["server/src/env.rs", "server/src/auth/key.rs", "Cargo.lock"] {
            assert!(!always.excludes(Path::new(path)), "{path}");
        }
    }
}
