//! A Docker engine, where one answers, and a base image made on this machine: there is no
//! registry here to pull one from.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::{skip, tool};

/// Docker's client with the engine that answers, where one does; `folder` is for its settings.
pub fn docker(folder: &Path) -> Option<Command> {
    let program = tool("docker")?;
    let answers = Command::new(&program)
        .arg("version")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .unwrap()
        .success();
    if !answers {
        skip("no Docker engine answers");
        return None;
    }
    let mut command = Command::new(program);
    command
        .env("DOCKER_CONFIG", folder)
        .env("DOCKER_BUILDKIT", "0");
    Some(command)
}

/// Programs of this machine that the Dockerfile's steps use.
const PROGRAMS: &[&str] = &["sh", "mkdir", "mv", "cp", "touch", "chmod"];

/// Stands in for cargo: leaves the program that it finds in the image where cargo would leave the
/// server, or fails as cargo does where a file says so.
const CARGO: &str = "#!/bin/sh
echo \"   Compiling quilt-mcp-server v1.4.0 (/source/server)\"
if [ -e server/src/broken.rs ]; then
  echo 'error[E0308]: mismatched types' >&2
  exit 101
fi
mkdir -p $CARGO_TARGET_DIR/x86_64-unknown-linux-gnu/image
cp /stub $CARGO_TARGET_DIR/x86_64-unknown-linux-gnu/image/quilt-mcp-server
";

/// Imports such an image as [`base_archive`] makes into the engine that answers, as `name`.
pub fn import_base(folder: &Path, name: &str, program: &Path, salt: &str) {
    let archive = base_archive(folder, program, salt);
    import(docker(folder).unwrap(), &archive, name);
}

/// Imports an image's files into the engine that `docker` speaks to.
pub fn import(mut docker: Command, archive: &Path, name: &str) {
    let imported = docker
        .arg("import")
        .arg(archive)
        .arg(name)
        .output()
        .unwrap();
    assert!(imported.status.success(), "{imported:?}");
}

/// The files of an image that has what the Dockerfile's build stage needs, with `program` as what
/// its cargo makes. Another `salt` makes it another image.
pub fn base_archive(folder: &Path, program: &Path, salt: &str) -> PathBuf {
    let root = folder.join(format!("base-{salt}"));
    let put = |path: &str, content: &[u8], mode: u32| {
        use std::os::unix::fs::PermissionsExt;
        let path = root.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, content).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    for file in PROGRAMS.iter().flat_map(|name| with_libraries(name)) {
        let content = std::fs::read(&file).unwrap();
        put(
            file.to_str().unwrap().trim_start_matches('/'),
            &content,
            0o755,
        );
    }
    for name in PROGRAMS {
        put(
            &format!("bin/{name}"),
            &std::fs::read(tool(name).unwrap()).unwrap(),
            0o755,
        );
    }
    put("bin/cargo", CARGO.as_bytes(), 0o755);
    put("stub", &std::fs::read(program).unwrap(), 0o755);
    put("salt", salt.as_bytes(), 0o644);
    put("etc/ssl/certs/ca-certificates.crt", b"roots\n", 0o644);
    let archive = folder.join(format!("base-{salt}.tar"));
    let mut builder = tar::Builder::new(std::fs::File::create(&archive).unwrap());
    builder.append_dir_all(".", &root).unwrap();
    builder.into_inner().unwrap();
    archive
}

/// A program's libraries and its loader, as ldd finds them.
fn with_libraries(name: &str) -> BTreeSet<PathBuf> {
    let output = Command::new("ldd")
        .arg(tool(name).unwrap())
        .output()
        .unwrap();
    assert!(output.status.success());
    String::from_utf8(output.stdout)
        .unwrap()
        .split_whitespace()
        .filter(|word| word.starts_with('/'))
        .map(PathBuf::from)
        .collect()
}
