//! What an engine leaves on the machine when it is killed: processes, mounts, folders.

use std::ffi::{OsStr, OsString};
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
/// The program that is the parent of a container's first process.
const SHIM: &str = "containerd-shim";
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
        // A container's first process heeds no request to end from outside.
        for pid in children_of(&self.processes(SHIM)) {
            send(pid, Signal::KILL)?;
        }
        end_all(|| self.processes(""))?;
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

    /// The engine's own processes whose program's name starts like this: each is told on its
    /// command line to work in our folder, which no other engine uses.
    fn processes(&self, program: &str) -> Vec<Pid> {
        every_process()
            .filter(|(_, folder)| {
                fs::read(folder.join("cmdline"))
                    .is_ok_and(|command_line| is_of_engine(&command_line, program, &self.run))
            })
            .map(|(pid, _)| pid)
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

/// Every process with its folder in `/proc`.
fn every_process() -> impl Iterator<Item = (Pid, PathBuf)> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| {
        let pid = entry.file_name().to_str()?.parse().ok()?;
        Some((Pid::from_raw(pid)?, entry.path()))
    })
}

fn children_of(parents: &[Pid]) -> Vec<Pid> {
    every_process()
        .filter(|(_, folder)| {
            let status = fs::read_to_string(folder.join("status")).unwrap_or_default();
            parent(&status).is_some_and(|parent| parents.contains(&parent))
        })
        .map(|(pid, _)| pid)
        .collect()
}

/// The parent in a text in the format of `/proc/PID/status` (proc(5)).
fn parent(status: &str) -> Option<Pid> {
    let field = status.lines().find_map(|line| line.strip_prefix("PPid:"))?;
    Pid::from_raw(field.trim().parse().ok()?)
}

/// Whether the words of a command line, each ended by NUL, are those of a program of the engine,
/// with a name that starts like this, that works in this folder.
fn is_of_engine(command_line: &[u8], program: &str, folder: &Path) -> bool {
    let mut words = command_line.split(|&byte| byte == 0);
    let path = Path::new(OsStr::from_bytes(words.next().unwrap_or_default()));
    let name = path.file_name().unwrap_or_default().as_bytes();
    (name == b"dockerd" || name.starts_with(b"containerd"))
        && name.starts_with(program.as_bytes())
        && words.any(|word| {
            let path = word.strip_prefix(b"unix://").unwrap_or(word);
            Path::new(OsStr::from_bytes(path)).starts_with(folder)
        })
}

/// Signals a process, which may have ended meanwhile.
fn send(pid: Pid, signal: Signal) -> anyhow::Result<()> {
    match kill_process(pid, signal) {
        Ok(()) | Err(Errno::SRCH) => Ok(()),
        Err(error) => Err(error).with_context(|| format!("could not end process {pid:?}")),
    }
}

fn end_all(processes: impl Fn() -> Vec<Pid>) -> anyhow::Result<()> {
    for signal in [Signal::TERM, Signal::KILL] {
        let deadline = Instant::now() + PATIENCE;
        for pid in processes() {
            send(pid, signal)?;
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
                is_of_engine(command_line.as_bytes(), "", folder),
                ours,
                "{words:?}"
            );
        }
    }

    #[test]
    fn a_container_is_known_by_its_parent() {
        let shim = b"containerd-shim-runc-v2\0-address\0/run/ours/c.sock\0";
        let daemon = b"containerd\0--config\0/run/ours/c.toml\0";
        assert!(is_of_engine(shim, SHIM, Path::new("/run/ours")));
        assert!(!is_of_engine(daemon, SHIM, Path::new("/run/ours")));
        let status = "Name:\tx\nPid:\t7\nPPid:\t3\nTracerPid:\t0\n";
        assert_eq!(parent(status), Pid::from_raw(3));
        assert_eq!(parent("Name:\tinit\nPPid:\t0\n"), None);
        let us = rustix::process::getppid().expect("a test has a parent");
        assert!(children_of(&[us]).contains(&rustix::process::getpid()));
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
