//! Images that were built elsewhere and are not published.

use serde_json::Value;

use crate::Guarded;
use crate::support::images;

type Change = fn(&mut Value, &mut Value);

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_run_or_be_read_is_not_published() {
    let guarded = Guarded::start().await;
    let arm64: Change = |config, _| config["architecture"] = "arm64".into();
    let zstd: Change = |_, manifest| {
        manifest["layers"][1]["mediaType"] = "application/vnd.oci.image.layer.v1.tar+zstd".into();
    };
    let root: Change = |config, _| config["config"]["User"] = "0".into();
    for (name, change, signs) in [
        (
            "arm64",
            arm64,
            [
                "found: linux/arm64",
                "linux/amd64 image in OCI image layout",
            ],
        ),
        ("zstd", zstd, ["layer.v1.tar+zstd", "compressed with gzip"]),
        ("root", root, ["runs as root", "set a numeric user"]),
    ] {
        let image = images::image(guarded.folder.path(), name.as_bytes());
        images::rewrite(&image, change);
        let refused = guarded.publish_as(name, &image, &[]).expect(6);
        for sign in signs {
            assert!(refused.stderr.contains(sign), "{name}: {}", refused.stderr);
        }
    }
    let listed = guarded.json(&["images", "--env", "a"]);
    assert_eq!(listed["images"], serde_json::json!([]));
}
