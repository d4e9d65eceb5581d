//! The Docker builder with real engines, from nothing, and with engines that misbehave.

#[path = "../support/mod.rs"]
mod support;

mod context;
mod engine;
mod logins;
mod podman;
mod service;
mod tls;
mod trouble;

use std::path::Path;

use quilt_mcp_deploy::image::{Checkout, DockerOptions};

use support::workspace::small_workspace;

const DOCKERFILE: &str = include_str!("../../server/Dockerfile");
const IGNORE: &str = include_str!("../../.dockerignore");
const PROGRAM: &str = "fn main() { println!(\"quilt-mcp-server 1.4.0\"); }\n";
const OTHERS: &[(&str, &str)] = &[
    ("server/Dockerfile", DOCKERFILE),
    (".dockerignore", IGNORE),
    ("src/lib.rs", ""),
    ("local/Cargo.toml", ""),
    ("xtask/Cargo.toml", ""),
];

fn workspace(root: &Path, more: &[(&str, &str)]) -> Checkout {
    small_workspace(root, PROGRAM, &[OTHERS, more].concat())
}

fn from(base: &str, checkout: &Checkout) -> DockerOptions {
    DockerOptions {
        build_args: vec![("RUST_IMAGE".to_owned(), base.to_owned())],
        network: Some("host".to_owned()),
        target_directory: Some(checkout.root.join("target")),
    }
}
