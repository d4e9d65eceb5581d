//! A `console` block: what somebody typed after `$`, and what they saw.

/// A command, what the page shows of its output, and how it ended.
#[derive(Debug, PartialEq, Eq)]
pub struct Typed {
    pub command: String,
    pub shown: Vec<String>,
    /// From the `$ echo $?` behind it, else 0.
    pub code: i32,
}

/// The commands of a block.
pub fn typed(block: &str) -> Vec<Typed> {
    let mut all: Vec<Typed> = Vec::new();
    let mut asked = false;
    for line in block.lines() {
        match line.strip_prefix("$ ") {
            Some("echo $?") => asked = true,
            Some(command) => all.push(Typed {
                command: command.to_owned(),
                shown: Vec::new(),
                code: 0,
            }),
            None => {
                let last = all.last_mut().expect("a block begins with a command");
                if asked {
                    last.code = line.trim().parse().expect("an exit code");
                    asked = false;
                } else {
                    last.shown.push(line.to_owned());
                }
            }
        }
    }
    all
}

/// One script of all commands, whose output tells each command's part by marks.
pub fn script(commands: &[Typed]) -> String {
    let mut script = "exec 2>&1\n".to_owned();
    for typed in commands {
        script += &format!("{}\nprintf '\\n{MARK}%d\\n' $?\n", typed.command);
    }
    script
}

const MARK: &str = "@@ended ";

/// What each command wrote, and its exit code.
pub fn parts(output: &str) -> Vec<(Vec<&str>, i32)> {
    let mut parts = Vec::new();
    let mut lines = Vec::new();
    for line in output.lines() {
        match line.strip_prefix(MARK) {
            Some(code) => parts.push((std::mem::take(&mut lines), code.parse().unwrap())),
            None => lines.push(line),
        }
    }
    parts
}

/// The first shown line that the real output has not, after the lines shown before it.
///
/// Numbers, ids and digests may differ; `…` stands for anything, on a line of its own for any
/// number of lines. Lines that are not shown may come in between.
pub fn missing<'a>(shown: &'a [String], written: &[&str]) -> Option<&'a str> {
    let mut rest = written.iter();
    shown
        .iter()
        .map(|line| line.as_str())
        .filter(|line| line.trim() != "…" && !line.trim().is_empty())
        .find(|line| !rest.any(|written| is_like(line, written)))
}

fn is_like(shown: &str, written: &str) -> bool {
    let written = plain(written);
    let pieces: Vec<String> = shown.split('…').map(plain).collect();
    let (first, others) = pieces.split_first().unwrap();
    let Some(mut rest) = written.strip_prefix(first.trim_end()) else {
        return false;
    };
    let Some((last, middle)) = others.split_last() else {
        return rest.is_empty();
    };
    for piece in middle {
        match rest.split_once(piece.trim()) {
            Some((_, after)) => rest = after,
            None => return false,
        }
    }
    rest.ends_with(last.trim())
}

/// A line without what differs from run to run: each word with a digit in it is `#`.
fn plain(line: &str) -> String {
    let mut plain = String::new();
    let mut word = String::new();
    for letter in line.chars().chain([' ']) {
        if letter.is_alphanumeric() {
            word.push(letter);
            continue;
        }
        if is_changing(&word) {
            plain.push('#');
        } else {
            plain.push_str(&word);
        }
        word.clear();
        if !(letter.is_whitespace() && plain.ends_with(' ')) {
            plain.push(letter);
        }
    }
    // A checkout with changes has a longer commit and tag than pages show.
    let clean = plain.replace("-dirty-#", "").replace("-dirty", "");
    clean.trim().to_owned()
}

/// A number, an id, or a part of a digest, which now and then has no digit in it.
fn is_changing(word: &str) -> bool {
    word.contains(|letter: char| letter.is_ascii_digit())
        || (word.len() >= 7 && word.chars().all(|letter| letter.is_ascii_hexdigit()))
}

#[test]
fn a_block_is_commands_and_what_they_show() {
    let block = "$ one --two\nfirst\nsecond\n$ three\n$ echo $?\n8\n";
    let all = typed(block);
    assert_eq!(all.len(), 2);
    assert_eq!(all[0].shown, ["first", "second"]);
    assert_eq!((all[0].code, all[1].code), (0, 8));
}

#[test]
fn only_numbers_and_what_is_left_out_may_differ() {
    for (shown, written, like) in [
        ("mcp:2 is live", "mcp:31 is live", true),
        ("mcp:2 is live", "mcp:31 failed", false),
        (
            "build  9.8 s  sha256:1aace0… of 33c12f…",
            "build 0.1 s sha256:ffeeddc0 of 12ab (native)",
            true,
        ),
        ("error: no image …", "error: no image 0.1 in x", true),
        ("error: no image …", "error: no repository 0.1", false),
        ("a … c", "a b c", true),
        ("a … c", "a b c d", false),
        ("is", "is live", false),
        ("commit deadbeef", "commit 12345678", true),
        ("0.1.0-33c12f6", "0.1.0-33c12f6-dirty-4f3466e0", true),
        ("33c12f6", "33c12f6-dirty", true),
    ] {
        assert_eq!(is_like(shown, written), like, "{shown} / {written}");
    }
    let shown = ["b".to_owned(), "a".to_owned()];
    assert_eq!(missing(&shown, &["a", "b"]), Some("a"), "the order counts");
    assert_eq!(missing(&shown, &["b", "x", "a"]), None);
}
