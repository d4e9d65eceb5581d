//! Where engines listen on this machine unless told otherwise, and where Docker's client keeps its
//! settings.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use rustix::process::geteuid;

/// An environment variable; an empty one is none.
pub fn variable(name: &str) -> Option<OsString> {
    std::env::var_os(name).filter(|value| !value.is_empty())
}

/// The folder of the settings of Docker's client (docs.docker.com/reference/cli/docker, "Configuration
/// files").
pub fn settings_folder(variable: impl Fn(&str) -> Option<OsString>) -> PathBuf {
    variable("DOCKER_CONFIG").map_or_else(
        || std::env::home_dir().unwrap_or_default().join(".docker"),
        PathBuf::from,
    )
}

/// Docker's sockets, then Podman's: the machine's own and the user's.
pub fn sockets() -> Vec<PathBuf> {
    let run = variable("XDG_RUNTIME_DIR").map_or_else(
        || PathBuf::from(format!("/run/user/{}", geteuid().as_raw())),
        PathBuf::from,
    );
    of(&run, std::env::home_dir().as_deref())
}

/// Docker: `/var/run/docker.sock` (dockerd(8)), the rootless engine's in the user's run folder,
/// Docker Desktop's in the home folder. Podman: podman-system-service(1).
fn of(run: &Path, home: Option<&Path>) -> Vec<PathBuf> {
    let mut sockets = vec![
        PathBuf::from("/var/run/docker.sock"),
        run.join("docker.sock"),
    ];
    sockets.extend(home.map(|home| home.join(".docker/run/docker.sock")));
    sockets.push(run.join("podman/podman.sock"));
    sockets.push(PathBuf::from("/run/podman/podman.sock"));
    sockets
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn docker_comes_before_podman() {
        let sockets = of(Path::new("/run/user/7"), Some(Path::new("/home/a")));
        let expected = [
            "/var/run/docker.sock",
            "/run/user/7/docker.sock",
            "/home/a/.docker/run/docker.sock",
            "/run/user/7/podman/podman.sock",
            "/run/podman/podman.sock",
        ];
        assert_eq!(sockets, expected.map(PathBuf::from));
    }
}
