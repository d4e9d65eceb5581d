//! The rules that an image must keep before it is published.

mod support;

use oci_spec::image::{Arch, Os};
use quilt_mcp_deploy::image::check::{CHECKS, check};
use quilt_mcp_deploy::image::{BlobDescriptor, Digest, Image, Platform};
use tempfile::TempDir;

/// A sound image with its run configuration changed, and the folder that holds its layers.
fn image_with(change: impl FnOnce(&mut oci_spec::image::Config)) -> (Image, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let mut image = support::images::image(folder.path(), b"binary");
    let mut run = image.config.config().clone().unwrap();
    change(&mut run);
    image.config.set_config(Some(run));
    (image, folder)
}

fn rules_broken_by(image: &Image) -> Vec<&'static str> {
    check(image).err().map_or(vec![], |error| {
        assert!(!error.faults.is_empty());
        error.faults.iter().map(|fault| fault.rule).collect()
    })
}

/// A sound image with one more file, in a layer of its own.
fn image_holding(path: &str, mode: u32) -> (Image, TempDir) {
    let (mut image, folder) = image_with(|_| ());
    let mut layer = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_mode(mode);
    header.set_size(1);
    layer.append_data(&mut header, path, &b"x"[..]).unwrap();
    let content = layer.into_inner().unwrap();
    let digest = Digest::of(&content);
    std::fs::write(image.blob_path(&digest), &content).unwrap();
    image.layers.push(BlobDescriptor {
        digest,
        size: content.len() as u64,
        media_type: "application/vnd.oci.image.layer.v1.tar".to_owned(),
    });
    (image, folder)
}

const CONTENT_RULE: &str = "holds nothing but its program, CA roots and a user";
const RIGHTS_RULE: &str = "gives nobody rights that they do not have";
const USER_RULE: &str = "runs as a numeric user other than root";
const ENTRYPOINT_RULE: &str = "has an absolute entrypoint";

#[test]
fn our_own_image_keeps_every_rule() {
    let (image, _folder) = image_with(|_| ());
    assert_eq!(rules_broken_by(&image), Vec::<&str>::new());
}

#[test]
fn only_a_numeric_user_other_than_root_is_taken() {
    for (user, sound) in [
        (Some("65532:65532"), true),
        (Some("65532"), true),
        (Some("1000:0"), true),
        (Some("0"), false),
        (Some("00:0"), false),
        (Some("0:65532"), false),
        (Some("root"), false),
        (Some("nonroot:nonroot"), false),
        (Some(":65532"), false),
        (Some("-1"), false),
        (Some(""), false),
        (None, false),
    ] {
        let (image, _folder) = image_with(|run| {
            run.set_user(user.map(str::to_owned));
        });
        let expected = if sound { vec![] } else { vec![USER_RULE] };
        assert_eq!(rules_broken_by(&image), expected, "{user:?}");
    }
}

#[test]
fn an_entrypoint_is_needed_and_is_a_path() {
    for (entrypoint, sound) in [
        (Some(vec!["/quilt-mcp-server"]), true),
        (Some(vec!["quilt-mcp-server"]), false),
        (Some(vec![]), false),
        (None, false),
    ] {
        let (image, _folder) = image_with(|run| {
            run.set_entrypoint(
                entrypoint
                    .clone()
                    .map(|words| words.into_iter().map(str::to_owned).collect()),
            );
        });
        let broken = rules_broken_by(&image);
        assert_eq!(broken.is_empty(), sound, "{entrypoint:?}: {broken:?}");
        assert_eq!(broken.contains(&ENTRYPOINT_RULE), !sound, "{entrypoint:?}");
    }
}

#[test]
fn nothing_may_be_there_but_what_the_server_needs() {
    for (path, mode, broken) in [
        ("etc/ssl/certs/company.pem", 0o444, None),
        ("etc/nsswitch.conf", 0o644, None),
        ("etc/sh", 0o755, Some(CONTENT_RULE)),
        ("etc/ssl/certs/sh", 0o755, Some(CONTENT_RULE)),
        ("etc/ssl/private/server.key", 0o400, Some(CONTENT_RULE)),
        ("etc/aws/credentials", 0o400, Some(CONTENT_RULE)),
        ("bin/sh", 0o755, Some(CONTENT_RULE)),
        ("notes.txt", 0o444, Some(CONTENT_RULE)),
        ("etc/group", 0o646, Some(RIGHTS_RULE)),
    ] {
        let (image, _folder) = image_holding(path, mode);
        let broken: Vec<&str> = broken.into_iter().collect();
        assert_eq!(rules_broken_by(&image), broken, "{path}");
        if broken == [CONTENT_RULE] {
            let said = check(&image).unwrap_err().to_string();
            assert!(said.contains(&format!("/{path}")), "{said}");
        }
    }
}

#[test]
fn all_faults_are_told_together() {
    let (mut image, _folder) = image_with(|_| ());
    image.platform = Platform {
        os: Os::Linux,
        architecture: Arch::ARM64,
    };
    image.config.set_config(None);
    image.layers.clear();
    image.commit = None;
    // Without layers there is nothing in them to find fault with.
    let of_layers = [
        "holds its program, which needs no other file",
        CONTENT_RULE,
        RIGHTS_RULE,
    ];
    let mut rules: Vec<&str> = CHECKS.iter().map(|check| check.rule).collect();
    rules.retain(|rule| !of_layers.contains(rule));
    assert_eq!(rules_broken_by(&image), rules);
    let text = check(&image).unwrap_err().to_string();
    assert!(
        text.contains("linux/arm64")
            && text.contains("as root")
            && text.contains(image.digest.as_str()),
        "{text}"
    );
}
