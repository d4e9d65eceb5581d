//! CloudWatch Logs: groups, streams, events. Kept in memory, and in one file per stream.

use std::collections::{BTreeMap, VecDeque};
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::Error;
use crate::aws::Moment;

/// A stream keeps its newest events; its file is rewritten when it holds twice as many.
const EVENTS: usize = 10_000;
/// A group keeps its newest streams.
const STREAMS: usize = 500;

/// One line that a task wrote.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Event {
    /// Position in the stream, from 0.
    pub sequence: u64,
    pub timestamp: Moment,
    pub message: String,
}

#[derive(Debug)]
pub(crate) struct Stream {
    pub created_at: Moment,
    pub events: VecDeque<Event>,
    path: PathBuf,
    lines: usize,
}

#[derive(Debug)]
pub(crate) struct Group {
    pub created_at: Moment,
    pub streams: BTreeMap<String, Stream>,
    folder: PathBuf,
}

/// The first line of a stream's file, and the whole of a group's.
#[derive(Debug, Serialize, Deserialize)]
struct Header {
    name: String,
    created_at: Moment,
}

/// All log groups.
#[derive(Debug)]
pub(crate) struct Logs {
    folder: PathBuf,
    groups: Mutex<BTreeMap<String, Group>>,
}

impl Logs {
    /// Reads what former lives wrote.
    pub(crate) fn open(folder: &Path) -> Result<Self, Error> {
        fs::create_dir_all(folder).map_err(Error::state("create", folder))?;
        let mut groups = BTreeMap::new();
        for entry in fs::read_dir(folder).map_err(Error::state("read", folder))? {
            let path = entry.map_err(Error::state("read", folder))?.path();
            match read_group(&path) {
                Ok((name, group)) => {
                    groups.insert(name, group);
                }
                Err(error) => {
                    tracing::warn!(path = %path.display(), %error, "not a log group: left out");
                }
            }
        }
        Ok(Self {
            folder: folder.to_owned(),
            groups: Mutex::new(groups),
        })
    }

    /// Makes a log group; false if it is there already.
    pub(crate) fn create_group(&self, name: &str, now: Moment) -> io::Result<bool> {
        let mut groups = self.lock();
        if groups.contains_key(name) {
            return Ok(false);
        }
        let folder = self.folder.join(file_name(name));
        fs::create_dir_all(&folder)?;
        let header = Header {
            name: name.to_owned(),
            created_at: now,
        };
        fs::write(folder.join("group.json"), serde_json::to_vec(&header)?)?;
        let group = Group {
            created_at: now,
            streams: BTreeMap::new(),
            folder,
        };
        groups.insert(name.to_owned(), group);
        Ok(true)
    }

    /// Makes a stream, as awslogs does when a container starts. Nothing happens if it is there.
    pub(crate) fn create_stream(&self, group: &str, stream: &str, now: Moment) -> io::Result<()> {
        let mut groups = self.lock();
        let group = groups.get_mut(group).ok_or_else(no_such_group)?;
        group.stream(stream, now).map(|_| ())
    }

    /// Appends one line to a stream, which is made if it is not there.
    pub(crate) fn append(
        &self,
        group: &str,
        stream: &str,
        message: String,
        now: Moment,
    ) -> io::Result<()> {
        let mut groups = self.lock();
        let group = groups.get_mut(group).ok_or_else(no_such_group)?;
        group.stream(stream, now)?.append(stream, message, now)
    }

    /// Looks at all groups.
    pub(crate) fn read<R>(&self, look: impl FnOnce(&BTreeMap<String, Group>) -> R) -> R {
        look(&self.lock())
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Group>> {
        self.groups.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn no_such_group() -> io::Error {
    io::Error::new(
        io::ErrorKind::NotFound,
        "The specified log group does not exist.",
    )
}

impl Group {
    fn stream(&mut self, name: &str, now: Moment) -> io::Result<&mut Stream> {
        if !self.streams.contains_key(name) {
            let stream = Stream {
                created_at: now,
                events: VecDeque::new(),
                path: self.folder.join(format!("{}.jsonl", file_name(name))),
                lines: 0,
            };
            stream.rewrite(name)?;
            self.streams.insert(name.to_owned(), stream);
            self.forget_oldest()?;
        }
        self.streams.get_mut(name).ok_or_else(no_such_group)
    }

    fn forget_oldest(&mut self) -> io::Result<()> {
        while self.streams.len() > STREAMS {
            let oldest = self
                .streams
                .iter()
                .min_by_key(|(_, stream)| stream.created_at)
                .map(|(name, _)| name.clone());
            let Some(stream) = oldest.and_then(|name| self.streams.remove(&name)) else {
                break;
            };
            fs::remove_file(stream.path)?;
        }
        Ok(())
    }
}

impl Stream {
    fn append(&mut self, name: &str, message: String, now: Moment) -> io::Result<()> {
        let sequence = self.events.back().map_or(0, |last| last.sequence + 1);
        let event = Event {
            sequence,
            timestamp: now,
            message,
        };
        let mut line = serde_json::to_vec(&event)?;
        line.push(b'\n');
        self.events.push_back(event);
        if self.events.len() > EVENTS {
            self.events.pop_front();
        }
        self.lines += 1;
        if self.lines > 2 * EVENTS {
            self.lines = self.events.len();
            return self.rewrite(name);
        }
        let mut file = OpenOptions::new().append(true).open(&self.path)?;
        file.write_all(&line)
    }

    fn rewrite(&self, name: &str) -> io::Result<()> {
        let header = Header {
            name: name.to_owned(),
            created_at: self.created_at,
        };
        let mut text = serde_json::to_vec(&header)?;
        text.push(b'\n');
        for event in &self.events {
            serde_json::to_writer(&mut text, event)?;
            text.push(b'\n');
        }
        fs::write(&self.path, text)
    }
}

/// Names may hold any character and be longer than a file's may.
fn file_name(name: &str) -> String {
    hex::encode(Sha256::digest(name))[..32].to_owned()
}

fn read_group(folder: &Path) -> io::Result<(String, Group)> {
    let header: Header = serde_json::from_slice(&fs::read(folder.join("group.json"))?)?;
    let mut streams = BTreeMap::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path
            .extension()
            .is_some_and(|extension| extension == "jsonl")
        {
            let (name, stream) = read_stream(path)?;
            streams.insert(name, stream);
        }
    }
    let group = Group {
        created_at: header.created_at,
        streams,
        folder: folder.to_owned(),
    };
    Ok((header.name, group))
}

fn read_stream(path: PathBuf) -> io::Result<(String, Stream)> {
    let mut lines = BufReader::new(File::open(&path)?).lines();
    let first = lines.next().unwrap_or_else(|| Ok(String::new()))?;
    let header: Header = serde_json::from_str(&first)?;
    let mut events = VecDeque::new();
    for line in lines {
        // A crash can leave the last line half written.
        if let Ok(event) = serde_json::from_str(&line?) {
            events.push_back(event);
        }
        if events.len() > EVENTS {
            events.pop_front();
        }
    }
    let stream = Stream {
        created_at: header.created_at,
        lines: events.len(),
        events,
        path,
    };
    // Ends a half-written line, so that the next event starts its own.
    stream.rewrite(&header.name)?;
    Ok((header.name, stream))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_survive_a_restart_and_a_torn_line_does_not_hurt() {
        let folder = tempfile::tempdir().unwrap();
        let logs = Logs::open(folder.path()).unwrap();
        assert!(logs.create_group("/a/b", Moment(1)).unwrap());
        assert!(!logs.create_group("/a/b", Moment(1)).unwrap());
        for line in ["one", "two"] {
            logs.append("/a/b", "s/t", line.to_owned(), Moment(2))
                .unwrap();
        }
        let path = logs.read(|groups| groups["/a/b"].streams["s/t"].path.clone());
        OpenOptions::new()
            .append(true)
            .open(path)
            .unwrap()
            .write_all(b"{\"sequ")
            .unwrap();
        drop(logs);
        let logs = Logs::open(folder.path()).unwrap();
        logs.append("/a/b", "s/t", "three".to_owned(), Moment(3))
            .unwrap();
        let logs = Logs::open(folder.path()).unwrap();
        let messages: Vec<(u64, String)> = logs.read(|groups| {
            groups["/a/b"].streams["s/t"]
                .events
                .iter()
                .map(|event| (event.sequence, event.message.clone()))
                .collect()
        });
        let expected = ["one", "two", "three"];
        assert_eq!(messages.len(), 3);
        for (index, (sequence, message)) in messages.iter().enumerate() {
            assert_eq!(
                (*sequence, message.as_str()),
                (index as u64, expected[index])
            );
        }
    }

    #[test]
    fn no_group_no_line() {
        let folder = tempfile::tempdir().unwrap();
        let logs = Logs::open(folder.path()).unwrap();
        assert!(logs.append("/x", "s", String::new(), Moment(0)).is_err());
    }
}
