//! A service in a stack, and its operator.

use quilt_mcp_deploy::image::Image;
use serde_json::Value;

use crate::support::rehearsal::{Ended, Rehearsal};
use crate::support::stack::{STACK, StandIn};

/// A local environment whose service is in a stack that was created without an image.
pub struct Scene {
    pub stand_in: StandIn,
    pub rehearsal: Rehearsal,
    config: String,
}

impl Scene {
    pub fn set() -> Self {
        let rehearsal = Rehearsal::new();
        rehearsal.run(&["local", "up"]).expect(0);
        let description = rehearsal.description();
        let stand_in = StandIn::before(description["endpoint_url"].as_str().unwrap());
        let scene = Self {
            config: format!("{}.toml", rehearsal.state().display()),
            stand_in,
            rehearsal,
        };
        scene.configure("quilt-local-mcp-server", STACK);
        scene
    }

    /// Writes quilt-mcp.toml.
    pub fn configure(&self, service: &str, stack: &str) {
        let description = self.rehearsal.description();
        let balancer = description["load_balancer_url"].as_str().unwrap();
        let text = self.stand_in.configuration(balancer, service, stack);
        std::fs::write(&self.config, text).unwrap();
    }

    /// The binary with the environment whose releases go through the stack.
    pub fn command(&self, arguments: &[&str]) -> std::process::Command {
        let mut command = self.rehearsal.command(arguments);
        command.args(["--env", "staging", "--output", "json"]);
        command.args(["--config", &self.config]);
        command.env("QUILT_MCP_TOKEN", "qk_local_demo");
        for variable in ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"] {
            command.env(variable, "test");
        }
        command
    }

    pub fn run(&self, arguments: &[&str]) -> Ended {
        self.command(arguments).output().unwrap().into()
    }

    /// The real server as another commit's image, published; gives its digest.
    pub fn server(&self, commit: char) -> String {
        self.published(&self.rehearsal.server(&commit.to_string().repeat(40)))
    }

    /// An image whose program is a fixture, published; gives its digest.
    pub fn fixture(&self, name: &str) -> String {
        self.published(&self.rehearsal.fixture(name))
    }

    fn published(&self, image: &Image) -> String {
        self.rehearsal.publish(image).expect(0);
        image.digest.to_string()
    }

    pub fn roll_out(&self, digest: &str, more: &[&str]) -> Ended {
        self.run(&[&["rollout", "--digest", digest], more].concat())
    }

    /// What `status` says.
    pub fn status(&self) -> Value {
        self.run(&["status"]).expect(0).json()
    }

    pub fn calls_of(&self, operation: &str) -> usize {
        self.stand_in.stack().calls_of(operation).len()
    }
}
