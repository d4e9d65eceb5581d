//! What the engine says while it builds.

use std::collections::VecDeque;

use anstream::adapter::strip_str;
use bollard::models::BuildInfo;

use crate::image::progress::BuildProgress;

/// Lines of a failed step that an error carries at most.
const LAST_LINES: usize = 40;

/// Follows the stream of a build: which step it is at, what that said, which image came out.
#[derive(Debug, Default)]
pub struct Follow {
    /// The step, as the engine counts and names it: `Step 3/9 : RUN ...`.
    step: String,
    /// What the step wrote, its last lines.
    output: VecDeque<String>,
    unfinished_line: String,
    image: Option<String>,
}

impl Follow {
    /// Takes note of what the engine says, and says what to report of it.
    pub fn note(&mut self, info: BuildInfo) -> Vec<BuildProgress> {
        if let Some(id) = info.aux.and_then(|aux| aux.id) {
            self.image = Some(id);
        }
        let mut said = Vec::new();
        self.unfinished_line += info.stream.as_deref().unwrap_or_default();
        while let Some((line, rest)) = self.unfinished_line.split_once('\n') {
            let (line, rest) = (line.to_owned(), rest.to_owned());
            self.unfinished_line = rest;
            said.extend(self.line(line));
        }
        // A pull reports each layer by its id.
        if let (Some(status), None) = (info.status, info.id) {
            said.extend(self.line(status));
        }
        said
    }

    fn line(&mut self, coloured: String) -> Option<BuildProgress> {
        // Docker's own builder writes in red what a step wrote to its standard error.
        let line = strip_str(&coloured).to_string().trim_end().to_owned();
        if line.is_empty() {
            return None;
        }
        if let Some((current, total)) = step(&line) {
            self.step.clone_from(&line);
            self.output.clear();
            return Some(BuildProgress::Step {
                current,
                total,
                instruction: line,
            });
        }
        if let Some(id) = line.strip_prefix("Successfully built ") {
            self.image.get_or_insert_with(|| id.to_owned());
        }
        self.output.push_back(line.clone());
        if self.output.len() > LAST_LINES {
            self.output.pop_front();
        }
        Some(BuildProgress::Message { line })
    }

    /// The step that the engine is at.
    pub fn step(&self) -> String {
        match self.step.as_str() {
            "" => "its first step".to_owned(),
            step => step.to_owned(),
        }
    }

    /// What the step wrote last.
    pub fn output(mut self) -> Vec<String> {
        let rest = std::mem::take(&mut self.unfinished_line);
        self.line(rest);
        self.output.into()
    }

    /// The image that came out, if the engine named one.
    pub fn image(&self) -> Option<&str> {
        self.image.as_deref()
    }
}

/// `Step 3/9 : RUN ...`; Podman writes `STEP 3/9: RUN ...`, and where there are several stages
/// `[1/2] STEP 3/9: RUN ...`, counting those of the stage.
fn step(line: &str) -> Option<(u32, u32)> {
    let of_stage = line
        .strip_prefix('[')
        .and_then(|rest| rest.split_once("] "));
    let line = of_stage.map_or(line, |(_, step)| step);
    let rest = line
        .strip_prefix("Step ")
        .or_else(|| line.strip_prefix("STEP "))?;
    let (count, _) = rest.split_once(':')?;
    let (current, total) = count.trim().split_once('/')?;
    Some((current.parse().ok()?, total.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stream(text: &str) -> BuildInfo {
        BuildInfo {
            stream: Some(text.to_owned()),
            ..BuildInfo::default()
        }
    }

    #[test]
    fn steps_and_lines_are_found_however_the_stream_is_cut() {
        let mut follow = Follow::default();
        assert_eq!(follow.step(), "its first step");
        let mut said = Vec::new();
        for text in [
            "Step 1/2 : FROM scratch\n",
            " ---> \n",
            "\u{1b}[0mStep 2/",
            "2 : RUN x\n\u{1b}[91mout\n\u{1b}[0m\nput",
        ] {
            said.extend(follow.note(stream(text)));
        }
        let steps: Vec<_> = said
            .iter()
            .filter_map(|progress| match progress {
                BuildProgress::Step { current, total, .. } => Some((*current, *total)),
                _ => None,
            })
            .collect();
        assert_eq!(steps, [(1, 2), (2, 2)]);
        assert_eq!(follow.step(), "Step 2/2 : RUN x");
        assert_eq!(follow.image(), None);
        assert_eq!(follow.output(), ["out", "put"]);
    }

    #[test]
    fn steps_are_known_as_docker_and_podman_write_them() {
        for (line, expected) in [
            ("Step 3/9 : RUN x", Some((3, 9))),
            ("STEP 3/9: RUN x", Some((3, 9))),
            ("[1/2] STEP 3/9: RUN x", Some((3, 9))),
            ("[1/2] COMMIT", None),
            ("[warning] x", None),
            ("Step by step", None),
        ] {
            assert_eq!(step(line), expected, "{line}");
        }
    }

    #[test]
    fn the_image_is_named_in_one_of_two_ways() {
        let mut follow = Follow::default();
        follow.note(stream("Successfully built 0123456789ab\n"));
        assert_eq!(follow.image(), Some("0123456789ab"));
        let mut follow = Follow::default();
        follow.note(BuildInfo {
            aux: Some(bollard::models::ImageId {
                id: Some("sha256:77".to_owned()),
            }),
            ..BuildInfo::default()
        });
        follow.note(stream("Successfully built 77\n"));
        assert_eq!(follow.image(), Some("sha256:77"));
    }
}
