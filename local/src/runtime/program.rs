//! From an image's configuration and a container definition to the program to start.

use std::fs;
use std::path::{Component, Path, PathBuf};

use oci_spec::image::ImageConfiguration;
use serde_json::{Map, Value};

use super::{environment, set, strings};

const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// As many links as Linux follows.
const MOST_LINKS: usize = 40;

/// What to start, in terms of this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Program {
    /// The image's `/` on this machine.
    pub root: PathBuf,
    pub path: PathBuf,
    pub arguments: Vec<String>,
    pub environment: Vec<(String, String)>,
    pub folder: PathBuf,
}

/// Puts the program together. An error is the sentence of the container runtime.
pub(super) fn resolve(
    root: &Path,
    configuration: &ImageConfiguration,
    container: &Map<String, Value>,
    listen: &str,
) -> Result<Program, String> {
    let config = configuration.config().as_ref();
    let image_entrypoint = config.and_then(|config| config.entrypoint().clone());
    let image_command = config.and_then(|config| config.cmd().clone());
    let image_environment = config
        .and_then(|config| config.env().clone())
        .unwrap_or_default();
    let entrypoint = strings(container, "entryPoint");
    // An entry point of its own makes the image's command meaningless, as in Docker.
    let command = strings(container, "command")
        .or_else(|| entrypoint.is_none().then_some(image_command).flatten());
    let mut words = entrypoint.or(image_entrypoint).unwrap_or_default();
    words.extend(command.unwrap_or_default());
    let mut environment = environment(&image_environment, container);
    set(&mut environment, "MCP_LISTEN", listen);
    let folder = container
        .get("workingDirectory")
        .and_then(Value::as_str)
        .map(ToOwned::to_owned)
        .or_else(|| config.and_then(|config| config.working_dir().clone()))
        .filter(|folder| !folder.is_empty())
        .unwrap_or_else(|| "/".to_owned());
    program(root, words, environment, &folder)
}

impl Program {
    /// Another command in the same container: with its root, environment and folder.
    pub(super) fn beside(&self, command: &[String]) -> Result<Self, String> {
        let folder = self.folder.strip_prefix(&self.root).unwrap_or(&self.folder);
        let folder = Path::new("/").join(folder);
        program(
            &self.root,
            command.to_vec(),
            self.environment.clone(),
            &folder.to_string_lossy(),
        )
    }
}

fn program(
    root: &Path,
    words: Vec<String>,
    environment: Vec<(String, String)>,
    folder: &str,
) -> Result<Program, String> {
    let mut words = words.into_iter();
    let name = words.next().ok_or("no command specified")?;
    let missing =
        |what: &str| format!("exec: \"{name}\": {what}: no such file or directory: unknown");
    let path = find(root, &name, folder, &environment).ok_or_else(|| missing("stat"))?;
    let folder = within(root, Path::new(folder)).ok_or_else(|| missing("chdir to cwd"))?;
    Ok(Program {
        root: root.to_owned(),
        path,
        arguments: words.collect(),
        environment,
        folder,
    })
}

fn find(
    root: &Path,
    name: &str,
    folder: &str,
    environment: &[(String, String)],
) -> Option<PathBuf> {
    let is_file = |path: PathBuf| within(root, &path).filter(|path| path.is_file());
    if name.contains('/') {
        return is_file(Path::new(folder).join(name));
    }
    let search = environment
        .iter()
        .find(|(variable, _)| variable == "PATH")
        .map_or(DEFAULT_PATH, |(_, value)| value);
    search
        .split(':')
        .find_map(|folder| is_file(Path::new(folder).join(name)))
}

/// Where a path of the image is on this machine, its links followed as if `root` were `/`.
fn within(root: &Path, path: &Path) -> Option<PathBuf> {
    let mut place = PathBuf::new();
    let mut rest: Vec<_> = reversed(path);
    let mut links = 0;
    while let Some(part) = rest.pop() {
        if part == ".." {
            place.pop();
            continue;
        }
        let next = place.join(&part);
        match fs::read_link(root.join(&next)) {
            Ok(target) => {
                links += 1;
                if links > MOST_LINKS {
                    return None;
                }
                if target.is_absolute() {
                    place = PathBuf::new();
                }
                rest.extend(reversed(&target));
            }
            Err(_) => place = next,
        }
    }
    let found = root.join(place);
    found.exists().then_some(found)
}

fn reversed(path: &Path) -> Vec<std::ffi::OsString> {
    path.components()
        .rev()
        .filter_map(|component| match component {
            Component::Normal(part) => Some(part.to_owned()),
            Component::ParentDir => Some("..".into()),
            _ => None,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn image(config: Value) -> ImageConfiguration {
        serde_json::from_value(json!({
            "architecture": "amd64", "os": "linux", "config": config,
            "rootfs": { "type": "layers", "diff_ids": [] },
        }))
        .unwrap()
    }

    #[test]
    fn entry_points_commands_and_their_overrides() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("bin")).unwrap();
        for name in ["server", "bin/other"] {
            fs::write(root.path().join(name), "").unwrap();
        }
        let image = image(json!({ "Entrypoint": ["/server"], "Cmd": ["serve"], "Env": ["A=1"] }));
        let cases = [
            (json!({}), "server", vec!["serve"]),
            (json!({ "command": ["x", "y"] }), "server", vec!["x", "y"]),
            (json!({ "entryPoint": ["other"] }), "bin/other", vec![]),
            (
                json!({ "entryPoint": ["/bin/other", "-v"], "command": ["z"] }),
                "bin/other",
                vec!["-v", "z"],
            ),
        ];
        for (container, path, arguments) in cases {
            let program = resolve(
                root.path(),
                &image,
                container.as_object().unwrap(),
                "127.64.0.1:8000",
            )
            .unwrap();
            assert_eq!(program.path, root.path().join(path), "{container}");
            assert_eq!(program.arguments, arguments, "{container}");
            assert_eq!(
                program.environment.last().unwrap(),
                &("MCP_LISTEN".to_owned(), "127.64.0.1:8000".to_owned())
            );
        }
        let missing = json!({ "entryPoint": ["/absent"] });
        let error = resolve(root.path(), &image, missing.as_object().unwrap(), "x").unwrap_err();
        assert!(error.contains("/absent"), "{error}");
    }

    #[test]
    fn links_stay_within_the_image() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("opt")).unwrap();
        fs::write(root.path().join("opt/tool"), "").unwrap();
        let link = |target: &str, name: &str| {
            std::os::unix::fs::symlink(target, root.path().join(name)).unwrap();
        };
        link("/opt/tool", "a");
        link("../../opt/tool", "opt/b");
        link("loop", "loop");
        link("/etc/passwd", "outside");
        let tool = Some(root.path().join("opt/tool"));
        assert_eq!(within(root.path(), Path::new("/a")), tool);
        assert_eq!(within(root.path(), Path::new("/opt/b")), tool);
        assert_eq!(within(root.path(), Path::new("/../../opt/tool")), tool);
        assert_eq!(within(root.path(), Path::new("/loop")), None);
        assert_eq!(within(root.path(), Path::new("/outside")), None);
    }
}
