//! `--report FILE.html`: a run as one page that needs nothing else, to be attached to an
//! incident: no script, no request, nothing of a log line taken as markup.

mod chart;
mod page;

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::timeline::Timeline;
use super::{Event, Record, ReportError, View};

pub use page::page;

/// Collects a run and writes its page when the command ends, however it ends.
pub struct Page {
    file: PathBuf,
    timeline: Timeline,
}

impl Page {
    /// A page that will be written to `file`.
    ///
    /// # Errors
    /// [`ReportError::File`] when that is a folder, or the folder for it is not there.
    pub fn new(file: PathBuf) -> Result<Self, ReportError> {
        let refused = |source| {
            Err(ReportError::File {
                path: file.clone(),
                source,
            })
        };
        if file.is_dir() {
            return refused(io::ErrorKind::IsADirectory.into());
        }
        if let Err(error) = std::fs::metadata(folder_of(&file)) {
            return refused(error);
        }
        Ok(Self {
            file,
            timeline: Timeline::default(),
        })
    }

    /// Nobody ever sees half a page: it is written beside its place and moved there.
    fn write(&self) -> io::Result<()> {
        let mut file = tempfile::Builder::new()
            .prefix(".report-")
            .permissions(readable())
            .tempfile_in(folder_of(&self.file))?;
        file.write_all(page(&self.timeline).into_string().as_bytes())?;
        file.as_file().sync_all()?;
        file.persist(&self.file).map_err(|error| error.error)?;
        Ok(())
    }
}

/// As any file that a person makes; the umask takes from it what it must.
fn readable() -> std::fs::Permissions {
    use std::os::unix::fs::PermissionsExt;
    std::fs::Permissions::from_mode(0o644)
}

fn folder_of(file: &Path) -> &Path {
    match file.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

impl View for Page {
    fn record(&mut self, record: &Record) -> Result<(), ReportError> {
        self.timeline.push(record);
        if !matches!(record.event, Event::Result { .. }) {
            return Ok(());
        }
        self.write().map_err(|source| ReportError::File {
            path: self.file.clone(),
            source,
        })
    }
}
