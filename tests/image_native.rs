//! The native builder on this very workspace; the only test that compiles the server.

mod support;

use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::sync::Mutex;

use quilt_mcp_deploy::image::{
    BuildError, BuildProgress, Checkout, Image, NativeOptions, build_native, check, layout,
};
use support::workspace::small_workspace;

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

fn inside(checkout: &Checkout) -> NativeOptions {
    NativeOptions {
        target_directory: Some(checkout.root.join("target")),
    }
}

const PROGRAM: &str =
    "fn main() { if std::env::args().count() > 9 { panic!(\"at {}\", file!()) } }\n";

#[tokio::test]
async fn two_folders_give_one_digest() {
    let folder = tempfile::tempdir().unwrap();
    let mut digests = Vec::new();
    for place in ["a", "another place/further down"] {
        let checkout = small_workspace(&folder.path().join(place), PROGRAM, &[]);
        let image = build_native(&checkout, &inside(&checkout), &|_| ())
            .await
            .unwrap();
        digests.push((checkout.commit, image.digest));
    }
    assert_eq!(digests[0], digests[1]);
}

/// Puts what it sees of its surroundings into the program.
const BUILD_SCRIPT: &str = r#"fn main() {
    let names = ["CC", "CFLAGS", "AR", "CPATH", "C_INCLUDE_PATH", "LIBRARY_PATH", "TZ", "LANG",
        "AWS_LC_SYS_CFLAGS", "RUSTC_BOOTSTRAP", "HOSTILE", "AWS_SECRET_ACCESS_KEY"];
    let seen = names.map(|name| format!("{name}={:?}", std::env::var_os(name)));
    println!("cargo:rustc-env=SEEN={}", seen.join(" "));
}
"#;

const CURIOUS: &str = "fn main() {\n    println!(\"{} {}\", env!(\"SEEN\"), cfg!(hostile));\n}\n";

/// `build` in `root` through the real command, with more variables; the image's digest.
fn digest_of_a_build(root: &Path, variables: &[(&str, &str)]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_quilt-mcp-deploy"))
        .args(["build", "--builder", "native", "--output", "json"])
        .env_remove("CARGO_TARGET_DIR")
        .envs(variables.iter().copied())
        .current_dir(root)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    let result: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let target = result["compiler"]["target"].as_str().unwrap();
    assert!(target.starts_with("x86_64-unknown-linux-"), "{target}");
    assert!(result["compiler"]["c_compiler"].is_string(), "{result}");
    result["image"]["digest"].as_str().unwrap().to_owned()
}

#[test]
fn hostile_surroundings_change_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let more = [("server/build.rs", BUILD_SCRIPT)];
    let (quiet, hostile) = (folder.path().join("quiet"), folder.path().join("x/hostile"));
    small_workspace(&quiet, CURIOUS, &more);
    small_workspace(&hostile, CURIOUS, &more);
    // All of it is overruled.
    let config = "[build]\nrustflags = [\"--cfg\", \"hostile\"]\nrustc-wrapper = \"/bin/false\"\n\
         incremental = true\nbuild-dir = \"elsewhere\"\n";
    std::fs::create_dir(folder.path().join("x/.cargo")).unwrap();
    std::fs::write(folder.path().join("x/.cargo/config.toml"), config).unwrap();
    let variables = [
        ("CC", "/bin/false"),
        ("AR", "/bin/false"),
        ("CFLAGS", "-DHOSTILE"),
        ("CPATH", "/hostile"),
        ("C_INCLUDE_PATH", "/hostile"),
        ("LIBRARY_PATH", "/hostile"),
        ("TZ", "Asia/Tokyo"),
        ("LANG", "de_DE.UTF-8"),
        ("AWS_LC_SYS_CFLAGS", "-DHOSTILE"),
        ("AWS_SECRET_ACCESS_KEY", "s3cret"),
        ("HOSTILE", "yes"),
        ("RUSTC_BOOTSTRAP", "1"),
        ("RUSTC_WRAPPER", "/bin/false"),
        ("RUSTFLAGS", "--cfg hostile"),
        ("CARGO_ENCODED_RUSTFLAGS", "--cfg\u{1f}hostile"),
        ("CARGO_PROFILE_IMAGE_OPT_LEVEL", "0"),
        ("CARGO_PROFILE_RELEASE_OPT_LEVEL", "0"),
        ("CARGO_INCREMENTAL", "1"),
        ("CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_LINKER", "/bin/false"),
        (
            "CARGO_TARGET_X86_64_UNKNOWN_LINUX_MUSL_LINKER",
            "/bin/false",
        ),
        ("SOURCE_DATE_EPOCH", "1"),
    ];
    assert_eq!(
        digest_of_a_build(&quiet, &[]),
        digest_of_a_build(&hostile, &variables)
    );
}

#[tokio::test]
async fn settings_from_outside_the_checkout_that_cannot_be_overruled_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let checkout = small_workspace(&folder.path().join("checkout"), PROGRAM, &[]);
    std::fs::create_dir(folder.path().join(".cargo")).unwrap();
    let config = folder.path().join(".cargo/config.toml");
    std::fs::write(&config, "[profile.image]\nopt-level = 0\n").unwrap();
    let error = build_native(&checkout, &inside(&checkout), &|_| ())
        .await
        .unwrap_err();
    let text = error.to_string();
    assert!(matches!(error, BuildError::ForeignConfig { .. }), "{text}");
    assert!(
        text.contains(".cargo/config.toml") && text.contains("`profile.image`"),
        "{text}"
    );
}

#[tokio::test]
async fn what_the_compiler_says_is_shown() {
    let folder = tempfile::tempdir().unwrap();
    let checkout = small_workspace(folder.path(), "fn main() { let x: u8 = \"text\"; }\n", &[]);
    let error = build_native(&checkout, &inside(&checkout), &|_| ())
        .await
        .unwrap_err();
    let text = error.to_string();
    assert!(matches!(error, BuildError::Compile { .. }), "{text}");
    assert!(
        text.contains("error[E0308]") && text.contains("server/src/main.rs:1:25"),
        "{text}"
    );
    assert!(
        !checkout.root.join("target/quilt-mcp").exists(),
        "no image is left"
    );
}

#[tokio::test]
async fn a_lock_file_that_does_not_fit_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let checkout = small_workspace(folder.path(), PROGRAM, &[]);
    std::fs::write(checkout.root.join("Cargo.lock"), "version = 4\n").unwrap();
    let error = build_native(&checkout, &inside(&checkout), &|_| ())
        .await
        .unwrap_err();
    assert!(error.to_string().contains("--locked"), "{error}");
}

#[tokio::test]
async fn a_package_without_the_program_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let checkout = small_workspace(folder.path(), PROGRAM, &[]);
    let server = checkout.root.join("server/src");
    std::fs::rename(server.join("main.rs"), server.join("lib.rs")).unwrap();
    let error = build_native(&checkout, &inside(&checkout), &|_| ())
        .await
        .unwrap_err();
    assert!(matches!(error, BuildError::NoExecutable { .. }), "{error}");
}
