//! What is sent to an engine, and what is not.

use std::path::Path;

use quilt_mcp_deploy::image::Checkout;
use quilt_mcp_deploy::image::docker::Context;

use crate::support::docker::docker;
use crate::workspace;

/// Files of a checkout, with reasons to leave some out.
const FILES: &[(&str, &str)] = &[
    ("a.md", ""),
    ("docs/a.md", ""),
    ("docs/deep/b.txt", ""),
    ("docs/deep/keep/c.txt", ""),
    ("data/x1", ""),
    ("data/x2", ""),
    ("data/[y]", ""),
    ("{a,b}", ""),
    ("tmp/one/two", ""),
];

#[tokio::test]
async fn dockerignore_means_what_docker_takes_it_for() {
    let folder = tempfile::tempdir().unwrap();
    if docker(folder.path()).is_none() {
        return;
    }
    for (number, ignore) in [
        "*.md\n",
        "**/*.md\n!docs/a.md\n",
        "docs/*\n!docs/deep/keep\n",
        "*\n!docs/deep\ndocs/deep/keep/*\n",
        "data/x?\ntmp/**/two\n",
        "data/[!x]*\n# no\n/tmp/\n",
        "{a,b}\n**/b.txt\n",
        "**\n!data/\n",
    ]
    .into_iter()
    .enumerate()
    {
        let root = folder.path().join(format!("case-{number}"));
        let dockerfile = [
            ("Dockerfile", "FROM scratch\nCOPY . /\n"),
            (".dockerignore", ignore),
        ];
        let checkout = workspace(&root, &[FILES, &dockerfile].concat());
        let context = Context::of(&checkout).unwrap();
        let mut ours: Vec<String> = context
            .files()
            .iter()
            .map(|path| path.to_str().unwrap().to_owned())
            .collect();
        // These are sent in any case: the engine needs them.
        ours.retain(|path| {
            !["Dockerfile", "server/Dockerfile", ".dockerignore"].contains(&path.as_str())
        });
        assert_eq!(ours, in_docker(folder.path(), &root), "{ignore:?}");
    }
}

/// The files that Docker's own client sends, less git's.
fn in_docker(folder: &Path, root: &Path) -> Vec<String> {
    let say = |arguments: &[&str]| {
        let output = docker(folder).unwrap().args(arguments).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        output.stdout
    };
    let image = say(&["build", "--quiet", root.to_str().unwrap()]);
    let image = String::from_utf8(image).unwrap().trim().to_owned();
    let container = say(&["create", &image, "none"]);
    let container = String::from_utf8(container).unwrap().trim().to_owned();
    let exported = say(&["export", &container]);
    say(&["rm", &container]);
    say(&["image", "rm", &image]);
    let mut archive = tar::Archive::new(&exported[..]);
    let mut files: Vec<String> = archive
        .entries()
        .unwrap()
        .map(Result::unwrap)
        .filter(|entry| entry.header().entry_type().is_file())
        .map(|entry| entry.path().unwrap().to_str().unwrap().to_owned())
        .filter(|path| !path.starts_with(".git/") && !path.starts_with("dev/"))
        .filter(|path| {
            ![
                "Dockerfile",
                "server/Dockerfile",
                ".dockerignore",
                ".dockerenv",
                "etc/hosts",
                "etc/hostname",
                "etc/resolv.conf",
            ]
            .contains(&path.as_str())
        })
        .collect();
    files.sort();
    files
}

#[test]
fn no_secret_and_no_build_product_enters_the_context() {
    let folder = tempfile::tempdir().unwrap();
    let secrets = [
        ("server/.env", "TOKEN=x"),
        ("server/tls/key.pem", "x"),
        ("terraform/terraform.tfstate", "x"),
        (".cargo/credentials.toml", "x"),
    ];
    let nothing_ignored = [(".dockerignore", "")];
    let checkout = workspace(folder.path(), &[&secrets[..], &nothing_ignored].concat());
    std::fs::create_dir_all(folder.path().join("target/debug")).unwrap();
    std::fs::write(folder.path().join("target/debug/x"), "").unwrap();
    std::fs::write(folder.path().join("server/src/new.rs"), "").unwrap();
    let context = Context::of(&checkout).unwrap();
    let has = |path: &str| context.files().iter().any(|file| file == Path::new(path));
    for (secret, _) in secrets {
        assert!(!has(secret), "{secret}");
    }
    assert!(!has("target/debug/x") && !has(".git/config"));
    assert!(has("server/src/main.rs") && has("Cargo.lock"));
    assert!(
        has("server/src/new.rs"),
        "a new file that is not ignored belongs to the source"
    );
}

#[test]
fn our_own_context_holds_what_the_dockerfile_copies_and_little_else() {
    let checkout = Checkout::discover(Path::new(env!("CARGO_MANIFEST_DIR"))).unwrap();
    let context = Context::of(&checkout).unwrap();
    let has = |path: &str| context.files().iter().any(|file| file == Path::new(path));
    for needed in [
        "server/Dockerfile",
        ".dockerignore",
        "Cargo.lock",
        "src/lib.rs",
        "local/src/lib.rs",
        "xtask/src/main.rs",
        "server/src/main.rs",
    ] {
        assert!(has(needed), "{needed}");
    }
    for other in [
        "README.md",
        "src/cli/mod.rs",
        "server/tests/server/main.rs",
        "docs/testing.md",
    ] {
        assert!(!has(other), "{other}");
    }
}
