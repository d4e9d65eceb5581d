//! What keeps an operator from harm: `prune` that deletes nothing while it is not known what runs,
//! a scan gate that is shut while nothing is known, promotion that copes with odd registries, images that are refused.

#[path = "../support/mod.rs"]
mod support;

mod promote;
mod prune;
mod refused_image;
mod scan_gate;

use quilt_mcp_deploy::image::Image;
use serde_json::Value;
use support::aws_endpoint::AwsEndpoint;
use support::images;
use support::rehearsal::{Ended, Rehearsal};

/// The local environment as the environment `a`, behind an endpoint that can be made to lie.
struct Guarded {
    endpoint: AwsEndpoint,
    rehearsal: Rehearsal,
    folder: tempfile::TempDir,
}

impl Guarded {
    async fn start() -> Self {
        let rehearsal = Rehearsal::new();
        rehearsal.run(&["local", "up"]).expect(0);
        let behind = rehearsal.description()["endpoint_url"].clone();
        let guarded = Self {
            endpoint: AwsEndpoint::before(behind.as_str().unwrap()).await,
            rehearsal,
            folder: tempfile::tempdir().unwrap(),
        };
        guarded.configure(&[("a", "quilt-local-mcp-server", "mcp-server")]);
        guarded
    }

    /// Writes the configuration: environments by name, service and container.
    fn configure(&self, environments: &[(&str, &str, &str)]) {
        let url = self.endpoint.url();
        let text: String = environments
            .iter()
            .map(|(name, service, container)| {
                format!(
                    "[environments.{name}]\naccount_id = \"111122223333\"\nregion = \"us-east-1\"\n\
                     endpoint_url = \"{url}\"\nrepository = \"quilt-local-mcp-server\"\n\
                     cluster = \"quilt-local\"\nservice = \"{service}\"\n\
                     container = \"{container}\"\nurl = \"http://127.0.0.1:1/mcp/\"\n"
                )
            })
            .collect();
        std::fs::write(self.folder.path().join("quilt-mcp.toml"), text).unwrap();
    }

    fn run(&self, arguments: &[&str]) -> Ended {
        let configuration = self.folder.path().join("quilt-mcp.toml");
        self.rehearsal.run_with(&configuration, arguments)
    }

    fn json(&self, arguments: &[&str]) -> Value {
        let ended = self.run(&[arguments, &["--output", "json"]].concat());
        let printed = ended.expect(0).json();
        support::schema::assert_valid(arguments[0], &printed);
        printed
    }

    /// An image under a tag; gives it.
    fn publish(&self, tag: &str) -> Image {
        let image = images::image(self.folder.path(), tag.as_bytes());
        self.publish_as(tag, &image, &[]).expect(0);
        image
    }

    /// `publish` of that image under that tag.
    fn publish_as(&self, tag: &str, image: &Image, more: &[&str]) -> Ended {
        let layout = image.layout.to_str().unwrap();
        let source = ["--image-layout", layout, "--tag", tag];
        self.run(&[&["publish", "--env", "a"], &source[..], more].concat())
    }
}
