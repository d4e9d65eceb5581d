//! The native builder on this very workspace; the only test that compiles the server.

use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::sync::Mutex;

use quilt_mcp_deploy::image::{
    BuildProgress, Checkout, Image, NativeOptions, build_native, check, layout,
};

/// The content of one file of an image, looked for from the top layer down.
fn file_in(image: &Image, path: &str) -> Option<Vec<u8>> {
    image.layers.iter().rev().find_map(|layer| {
        let file = std::fs::File::open(image.blob_path(&layer.digest)).unwrap();
        let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(file));
        archive.entries().unwrap().find_map(|entry| {
            let mut entry = entry.unwrap();
            let found = entry.path().unwrap() == Path::new(path);
            found.then(|| {
                let mut content = Vec::new();
                entry.read_to_end(&mut content).unwrap();
                content
            })
        })
    })
}

#[tokio::test]
async fn builds_an_image_that_may_be_published_and_whose_program_starts() {
    let checkout = Checkout::discover(Path::new(env!("CARGO_MANIFEST_DIR"))).unwrap();
    let steps = Mutex::new(Vec::new());
    let progress = |step| steps.lock().unwrap().push(step);

    let image = build_native(&checkout, &NativeOptions::default(), &progress)
        .await
        .unwrap();

    check::check(&image).unwrap();
    assert_eq!(image.commit.as_deref(), Some(checkout.revision().as_str()));
    assert_eq!(image.version.as_deref(), Some(checkout.version.as_str()));
    assert_eq!(image.created, Some(checkout.committed_at));
    assert_eq!(layout::read(&image.layout).unwrap().digest, image.digest);

    let steps = steps.into_inner().unwrap();
    assert!(
        matches!(steps.first(), Some(BuildProgress::Compiling { .. })),
        "{steps:?}"
    );
    assert!(
        steps
            .iter()
            .any(|step| matches!(step, BuildProgress::Compiled { .. })),
        "{steps:?}"
    );
    assert!(
        matches!(steps.last(), Some(BuildProgress::ImageReady { digest, .. }) if *digest == image.digest),
        "{steps:?}"
    );

    // No folder of this machine is in the binary.
    let binary = file_in(&image, "quilt-mcp-server").expect("the image holds the server");
    let folder = checkout.root.to_str().unwrap().as_bytes();
    assert!(
        !binary.windows(folder.len()).any(|window| window == folder),
        "the checkout's path is in the binary"
    );

    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("quilt-mcp-server");
    std::fs::write(&program, binary).unwrap();
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
    let status = Command::new(&program)
        .arg("--version")
        .env_clear()
        .status()
        .unwrap();
    assert!(status.success(), "{status}");

    // Nothing changed: the same image, from what is there.
    let again = build_native(&checkout, &NativeOptions::default(), &|_| ())
        .await
        .unwrap();
    assert_eq!(again.digest, image.digest);
    assert_eq!(again.layout, image.layout);
}
