//! What an engine leaves on the machine when it is killed: processes, mounts, folders.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use rustix::io::Errno;
use rustix::mount::{UnmountFlags, unmount};
use rustix::process::{Pid, Signal, kill_process};

/// How long a process may take to end by itself.
const PATIENCE: Duration = Duration::from_secs(20);
const PAUSE: Duration = Duration::from_millis(100);

/// The folders that belong to one engine alone.
pub struct Places {
    /// Sockets, process ids and the state of running containers.
    pub run: PathBuf,
    /// Images, layers and volumes.
    pub data: PathBuf,
}

impl Places {
    /// Ends the engine's processes, unmounts what it mounted and removes its folders.
    ///
    /// # Errors
    /// When one of them resists.
    pub fn clear(&self) -> anyhow::Result<()> {
        end_all(|| self.processes())?;
        for mount in self.mounts()? {
            match unmount(&mount, UnmountFlags::DETACH) {
                // Gone with another one.
                Ok(()) | Err(Errno::INVAL | Errno::NOENT) => {}
                Err(error) => {
                    return Err(error).with_context(|| format!("could not unmount {mount:?}"));
                }
            }
        }
        for folder in [&self.run, &self.data] {
            match fs::remove_dir_all(folder) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(error).with_context(|| format!("could not remove {folder:?}"));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// The engine's own processes: each is told on its command line to work in our folder,
    /// which no other engine uses.
    fn processes(&self) -> Vec<Pid> {
        let Ok(entries) = fs::read_dir("/proc") else {
            return Vec::new();
        };
        entries
            .flatten()
            .filter_map(|entry| {
                let pid: i32 = entry.file_name().to_str()?.parse().ok()?;
                let command_line = fs::read(entry.path().join("cmdline")).ok()?;
                is_of_engine(&command_line, &self.run).then(|| Pid::from_raw(pid))?
            })
            .collect()
    }

    /// What is mounted in our folders, the deepest first.
    fn mounts(&self) -> anyhow::Result<Vec<PathBuf>> {
        let table = fs::read("/proc/self/mountinfo").context("could not read the mounts")?;
        let mut mounts: Vec<_> = mount_points(&table)
            .filter(|point| point.starts_with(&self.run) || point.starts_with(&self.data))
            .collect();
        mounts.reverse();
        Ok(mounts)
    }
}

/// Whether the words of a command line, each ended by NUL, are those of a program of the engine
/// that works in this folder.
fn is_of_engine(command_line: &[u8], folder: &Path) -> bool {
    let mut words = command_line.split(|&byte| byte == 0);
    let program = Path::new(std::ffi::OsStr::from_bytes(
        words.next().unwrap_or_default(),
    ));
    let name = program.file_name().unwrap_or_default().as_bytes();
    (name == b"dockerd" || name.starts_with(b"containerd"))
        && words.any(|word| {
            let path = word.strip_prefix(b"unix://").unwrap_or(word);
            Path::new(std::ffi::OsStr::from_bytes(path)).starts_with(folder)
        })
}

fn end_all(processes: impl Fn() -> Vec<Pid>) -> anyhow::Result<()> {
    for signal in [Signal::TERM, Signal::KILL] {
        let deadline = Instant::now() + PATIENCE;
        for pid in processes() {
            match kill_process(pid, signal) {
                Ok(()) | Err(Errno::SRCH) => {}
                Err(error) => return Err(error).with_context(|| format!("could not end {pid:?}")),
            }
        }
        while Instant::now() < deadline {
            if processes().is_empty() {
                return Ok(());
            }
            thread::sleep(PAUSE);
        }
    }
    bail!("processes of the engine do not end: {:?}", processes())
}

/// The mount points of a table in the format of `/proc/PID/mountinfo` (proc(5)): the fifth
/// field, in which space, tab, newline and backslash are written as three octal digits.
fn mount_points(table: &[u8]) -> impl Iterator<Item = PathBuf> {
    table
        .split(|&byte| byte == b'\n')
        .filter_map(|line| line.split(|&byte| byte == b' ').nth(4))
        .map(|field| PathBuf::from(OsString::from_vec(unescape(field))))
}

fn unescape(field: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some((&first, tail)) = rest.split_first() {
        let octal = tail
            .get(..3)
            .filter(|_| first == b'\\')
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .and_then(|digits| u8::from_str_radix(digits, 8).ok());
        bytes.push(octal.unwrap_or(first));
        rest = if octal.is_some() { &tail[3..] } else { tail };
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mount_points_are_read_with_their_escapes() {
        let table = b"24 1 254:0 / / rw,relatime - ext4 /dev/vda rw\n\
            30 24 0:5 / /a\\040b/c\\134d rw shared:1 - overlay overlay rw\n\
            31 24 0:6 / /plain\\9 rw - tmpfs tmpfs rw\n";
        let points: Vec<_> = mount_points(table).collect();
        assert_eq!(
            points,
            [
                Path::new("/"),
                Path::new("/a b/c\\d"),
                Path::new("/plain\\9")
            ]
        );
    }

    #[test]
    fn only_the_engine_in_our_folder_is_ours() {
        let folder = Path::new("/run/ours");
        for (words, ours) in [
            (
                vec![
                    "/usr/sbin/dockerd",
                    "--host",
                    "unix:///run/ours/docker.sock",
                ],
                true,
            ),
            (
                vec!["containerd", "--config", "/run/ours/exec/containerd.toml"],
                true,
            ),
            (
                vec![
                    "/usr/bin/containerd-shim-runc-v2",
                    "-address",
                    "/run/ours/c.sock",
                ],
                true,
            ),
            (vec!["/usr/sbin/dockerd"], false),
            (vec!["dockerd", "--exec-root", "/run/ours-too"], false),
            (vec!["tail", "-f", "/run/ours/log"], false),
            (vec!["vi", "/run/ours/dockerd"], false),
            (vec![], false),
        ] {
            let command_line = words.join("\0") + "\0";
            assert_eq!(
                is_of_engine(command_line.as_bytes(), folder),
                ours,
                "{words:?}"
            );
        }
    }

    #[test]
    fn nothing_left_is_nothing_to_clear() {
        let base = std::env::temp_dir().join(format!("quilt-mcp-xtask-{}", std::process::id()));
        let places = Places {
            run: base.join("run"),
            data: base.join("data"),
        };
        places.clear().unwrap();
        fs::create_dir_all(places.run.join("exec")).unwrap();
        places.clear().unwrap();
        assert!(!places.run.exists() && !places.data.exists());
        fs::remove_dir(base).unwrap();
    }
}
