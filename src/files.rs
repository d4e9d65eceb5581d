//! Files of the operator's: changed at once or not at all, and programs where they are looked for.

use std::ffi::OsStr;
use std::io::{self, Write as _};
use std::path::Path;

/// Replaces a file at once or not at all; one behind a symbolic link is replaced where it is, and
/// keeps its permissions.
pub(crate) fn replace_file(path: &Path, text: &str) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    let path = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    std::fs::metadata(folder)?;
    let mut file = tempfile::Builder::new()
        // As for any new file; the process's mask takes away from it.
        .permissions(std::fs::Permissions::from_mode(0o666))
        .tempfile_in(folder)
        // Its own words name a file that nobody has heard of.
        .map_err(|error| error.kind())?;
    file.write_all(text.as_bytes())?;
    if let Ok(known) = std::fs::metadata(&path) {
        file.as_file().set_permissions(known.permissions())?;
    }
    file.as_file().sync_all()?;
    file.persist(&path).map_err(|error| error.error)?;
    Ok(())
}

/// Whether a program of this name is in one of the folders of a search path (`PATH`).
pub(crate) fn is_on_search_path(program: &str, search_path: Option<&OsStr>) -> bool {
    search_path.is_some_and(|path| {
        std::env::split_paths(path).any(|folder| folder.join(program).is_file())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_and_its_files_permissions_stay() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let real = folder.path().join("real.toml");
        std::fs::write(&real, "old").unwrap();
        std::fs::set_permissions(&real, std::fs::Permissions::from_mode(0o600)).unwrap();
        let link = folder.path().join("link.toml");
        std::os::unix::fs::symlink(&real, &link).unwrap();
        replace_file(&link, "new").unwrap();
        assert!(link.symlink_metadata().unwrap().is_symlink());
        assert_eq!(std::fs::read_to_string(&real).unwrap(), "new");
        assert_eq!(real.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    }
}
