//! Layouts: written, read, damaged, and looked at by skopeo.

mod support;

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use quilt_mcp_deploy::image::assemble::assemble;
use quilt_mcp_deploy::image::{Image, LayoutError, layout};
use serde_json::{Value, json};
use support::images::{image, noise, spec};
use support::tool;

fn edit(path: &Path, change: impl FnOnce(&mut Value)) {
    let mut value: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    change(&mut value);
    std::fs::write(path, serde_json::to_vec(&value).unwrap()).unwrap();
}

fn read_error(image: &Image) -> LayoutError {
    layout::read(&image.layout).unwrap_err()
}

#[test]
fn what_is_written_reads_back() {
    let folder = tempfile::tempdir().unwrap();
    let written = image(folder.path(), b"binary");
    let read = layout::read(&written.layout).unwrap();
    assert_eq!(read.digest, written.digest);
    assert_eq!(read.manifest, written.manifest);
    assert_eq!(read.commit.as_deref(), Some(spec().revision.as_str()));
    assert_eq!(read.version.as_deref(), Some("1.4.0"));
    assert_eq!(read.created, Some(spec().created));
    assert_eq!(read.layers.len(), 2);
    let blobs: u64 = read.blobs().iter().map(|blob| blob.size).sum();
    assert_eq!(read.size, blobs + read.manifest.len() as u64);

    let summary = serde_json::to_value(&read).unwrap();
    assert_eq!(summary["digest"], written.digest.as_str());
    assert_eq!(summary["platform"], "linux/amd64");
    assert!(summary.get("manifest").is_none(), "{summary}");
}

#[test]
fn the_folder_and_what_is_in_it_do_not_change_the_digest() {
    let one = tempfile::tempdir().unwrap();
    let other = tempfile::tempdir().unwrap();
    let first = image(one.path(), b"binary");
    let second = image(&other.path().join("deep/er"), b"binary");
    assert_eq!(first.digest, second.digest);
    assert_eq!(first.manifest, second.manifest);
    let mode = std::fs::metadata(&first.layout)
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o400, 0o400);
}

#[test]
fn nothing_unfinished_stays_and_a_damaged_layout_is_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let written = image(folder.path(), b"binary");
    let layer = written.blob_path(&written.layers[1].digest);
    std::fs::write(&layer, "damaged").unwrap();
    let again = image(folder.path(), b"binary");
    assert_eq!(again.layout, written.layout);
    let names: Vec<_> = std::fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert_eq!(names, [written.digest.hex()]);
}

#[test]
fn a_folder_that_cannot_be_written_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, "").unwrap();
    let error =
        layout::write(&file.join("images"), &assemble(&spec(), vec![1]).unwrap()).unwrap_err();
    assert!(matches!(error, LayoutError::Io { .. }), "{error}");
    assert!(
        error.to_string().contains(file.to_str().unwrap()),
        "{error}"
    );
}

#[test]
fn every_damaged_or_missing_blob_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let written = image(folder.path(), b"binary");
    let mut digests: Vec<_> = written
        .blobs()
        .iter()
        .map(|blob| blob.digest.clone())
        .collect();
    digests.push(written.digest.clone());
    for digest in digests {
        let path = written.blob_path(&digest);
        let content = std::fs::read(&path).unwrap();

        let mut flipped = content.clone();
        flipped[content.len() / 2] ^= 1;
        std::fs::write(&path, &flipped).unwrap();
        assert!(
            matches!(read_error(&written), LayoutError::Damaged { .. }),
            "{digest}"
        );

        std::fs::write(&path, [&content[..], b" "].concat()).unwrap();
        assert!(
            matches!(read_error(&written), LayoutError::Damaged { .. }),
            "{digest}"
        );

        std::fs::remove_file(&path).unwrap();
        assert!(
            matches!(read_error(&written), LayoutError::Io { .. }),
            "{digest}"
        );
        std::fs::write(&path, &content).unwrap();
    }
    layout::read(&written.layout).unwrap();
}

#[test]
fn what_is_no_layout_of_one_image_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let error = layout::read(folder.path()).unwrap_err();
    assert!(matches!(error, LayoutError::NotALayout(_)), "{error}");

    type Edit = fn(&mut Value);
    let cases: [(&str, Edit, &str); 9] = [
        (
            "oci-layout",
            |marker| marker["imageLayoutVersion"] = json!("2.0.0"),
            "2.0.0",
        ),
        ("oci-layout", |marker| *marker = json!([]), "malformed"),
        ("index.json", |index| *index = json!("x"), "malformed"),
        (
            "index.json",
            |index| index["manifests"] = json!([]),
            "no image at all",
        ),
        (
            "index.json",
            |index| index["manifests"][0]["platform"]["architecture"] = json!("arm64"),
            "linux/arm64",
        ),
        (
            "index.json",
            |index| {
                let mut second = index["manifests"][0].clone();
                second["digest"] = json!(format!("sha256:{}", "0".repeat(64)));
                index["manifests"].as_array_mut().unwrap().push(second);
            },
            "more than one",
        ),
        (
            "index.json",
            |index| index["manifests"][0]["digest"] = json!(format!("sha512:{}", "0".repeat(128))),
            "sha256",
        ),
        (
            "index.json",
            |index| index["manifests"][0]["digest"] = json!("sha256:../../../../etc/passwd"),
            "malformed",
        ),
        (
            "index.json",
            |index| index["manifests"][0]["size"] = json!(1),
            "damaged",
        ),
    ];
    for (file, change, sign) in cases {
        let folder = tempfile::tempdir().unwrap();
        let written = image(folder.path(), b"binary");
        edit(&written.layout.join(file), change);
        let text = read_error(&written).to_string();
        assert!(text.contains(sign), "{sign}: {text}");
    }
}

#[test]
fn an_index_that_comes_too_large_or_too_deep_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let written = image(folder.path(), b"binary");
    let index = written.layout.join("index.json");
    let content = std::fs::read_to_string(&index).unwrap();
    std::fs::write(&index, format!("{content}{}", " ".repeat(5_000_000))).unwrap();
    assert!(read_error(&written).to_string().contains("5000"));

    // An index that refers to one that refers to one and so on.
    let mut nested = content;
    for depth in 0..6 {
        let digest = quilt_mcp_deploy::image::Digest::of(nested.as_bytes());
        std::fs::write(written.blob_path(&digest), &nested).unwrap();
        let size = nested.len();
        nested = json!({"schemaVersion": 2, "manifests": [{
            "mediaType": "application/vnd.oci.image.index.v1+json", "digest": digest, "size": size,
        }]})
        .to_string();
        std::fs::write(&index, &nested).unwrap();
        assert_eq!(layout::read(&written.layout).is_ok(), depth < 4, "{depth}");
    }
}

#[test]
fn other_platforms_and_attestations_beside_ours_do_not_matter() {
    let folder = tempfile::tempdir().unwrap();
    let written = image(folder.path(), b"binary");
    edit(&written.layout.join("index.json"), |index| {
        for (os, architecture) in [("linux", "arm64"), ("unknown", "unknown")] {
            let mut other = index["manifests"][0].clone();
            other["digest"] = json!(format!("sha256:{}", "1".repeat(64)));
            other["platform"] = json!({"os": os, "architecture": architecture});
            index["manifests"].as_array_mut().unwrap().push(other);
        }
    });
    assert_eq!(
        layout::read(&written.layout).unwrap().digest,
        written.digest
    );

    edit(&written.layout.join("index.json"), |index| {
        let manifests = index["manifests"].as_array_mut().unwrap();
        manifests.truncate(1);
        manifests[0].as_object_mut().unwrap().remove("platform");
    });
    assert_eq!(
        layout::read(&written.layout).unwrap().digest,
        written.digest
    );
}

#[test]
fn skopeo_reads_our_layout() {
    let Some(skopeo) = tool("skopeo") else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let written = image(folder.path(), &noise(100_000, 1));
    let source = format!("oci:{}", written.layout.display());
    let output = Command::new(&skopeo)
        .args(["inspect", &source])
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let inspected: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(inspected["Digest"], written.digest.as_str());
    assert_eq!(inspected["Layers"].as_array().unwrap().len(), 2);
    assert_eq!(
        inspected["Env"][0],
        "SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt"
    );
}

#[test]
fn builds_side_by_side_do_not_hurt_each_other() {
    let folder = tempfile::tempdir().unwrap();
    std::thread::scope(|scope| {
        let writers: Vec<_> = (0..8)
            .map(|_| scope.spawn(|| image(folder.path(), b"binary").digest))
            .collect();
        let digests: Vec<_> = writers
            .into_iter()
            .map(|writer| writer.join().unwrap())
            .collect();
        assert!(digests.windows(2).all(|pair| pair[0] == pair[1]));
    });
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}
