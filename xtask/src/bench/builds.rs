//! What a commit costs from its source to the registry, with the native builder and with
//! `docker build` of `server/Dockerfile`.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::Context;

use super::world::World;
use super::{Row, base_image, median, middle, quietly, seconds};

/// A change takes more than a minute with either; three of them are enough.
const CHANGES: usize = 3;
/// Where a line is changed: text that the server prints, so that its binary changes too.
const CHANGED: (&str, &str) = ("server/src/healthcheck.rs", "no answer from http");

pub struct Builds<'a> {
    world: &'a World,
    checkout: PathBuf,
    /// Where the native builder compiles, with nothing in it at first.
    target: PathBuf,
    base: String,
}

impl<'a> Builds<'a> {
    /// A checkout of this commit, and the base image.
    ///
    /// # Errors
    /// When either cannot be made.
    pub fn prepare(world: &'a World, rust_image: Option<&str>) -> anyhow::Result<Self> {
        let checkout = world.folder().join("checkout");
        let mut clone = Command::new("git");
        clone.args(["clone", "--quiet"]).arg(world.workspace());
        quietly(clone.arg(&checkout))?;
        let base = match rust_image {
            Some(image) => image.to_owned(),
            None => base_image::make(world)?,
        };
        Ok(Self {
            world,
            checkout,
            target: world.folder().join("target"),
            base,
        })
    }

    /// The first build, with nothing compiled and no step cached.
    ///
    /// # Errors
    /// When a build or a push fails, as of the other rows.
    pub fn cold(&self) -> anyhow::Result<Row> {
        Ok(Row {
            what: "build and push, nothing compiled yet",
            ours: seconds(|| self.ours())?,
            docker: Some(seconds(|| self.docker("cold", &["--no-cache"]))?),
            skopeo: None,
        })
    }

    /// The same commit again. Steps that were built without the cache are in it all the same.
    pub fn unchanged(&self, runs: usize) -> anyhow::Result<Row> {
        Ok(Row {
            what: "nothing to do: build and push, nothing changed",
            ours: median(runs, |_| self.ours())?,
            docker: Some(median(runs, |_| self.docker("cold", &[]))?),
            skopeo: None,
        })
    }

    /// A commit with another line in the server, each time.
    pub fn changed(&self, runs: usize) -> anyhow::Result<Row> {
        let (mut ours, mut docker) = (Vec::new(), Vec::new());
        for run in 0..runs.min(CHANGES) {
            self.change(run)?;
            ours.push(seconds(|| self.ours())?);
            docker.push(seconds(|| self.docker(&format!("changed-{run}"), &[]))?);
        }
        Ok(Row {
            what: "build and push, one changed line",
            ours: middle(ours),
            docker: Some(middle(docker)),
            skopeo: None,
        })
    }

    /// `publish` of the checkout, as a release does it.
    fn ours(&self) -> anyhow::Result<()> {
        let mut publish = self.world.command(&["publish", "--builder", "native"]);
        publish
            .current_dir(&self.checkout)
            .env("CARGO_TARGET_DIR", &self.target);
        quietly(&mut publish)
    }

    /// `docker build` and `docker push` of the checkout.
    fn docker(&self, tag: &str, more: &[&str]) -> anyhow::Result<()> {
        let reference = self.world.reference(&format!("built-{tag}"));
        let checkout = self.checkout.display().to_string();
        let dockerfile = self
            .checkout
            .join("server/Dockerfile")
            .display()
            .to_string();
        let base = format!("RUST_IMAGE={}", self.base);
        let mut build = vec!["build", "--quiet", "--network", "host"];
        build.extend(["--file", &dockerfile, "--build-arg", &base]);
        build.extend(["--tag", &reference]);
        build.extend(more);
        build.push(&checkout);
        self.world.docker(&build)?;
        self.world.docker(&["push", "--quiet", &reference])
    }

    /// Commits one changed line of the server.
    fn change(&self, run: usize) -> anyhow::Result<()> {
        let (file, text) = CHANGED;
        let path = self.checkout.join(file);
        let source = fs::read_to_string(&path)?;
        let line = source
            .lines()
            .find(|line| line.contains(text))
            .with_context(|| format!("{file} has no line with `{text}`"))?;
        let changed = line.replacen(text, &format!("{text} (run {run}): {text}"), 1);
        fs::write(&path, source.replacen(line, &changed, 1))?;
        let mut commit = Command::new("git");
        commit
            .current_dir(&self.checkout)
            .args([
                "-c",
                "user.name=bench",
                "-c",
                "user.email=bench@example.com",
            ])
            .args(["-c", "commit.gpgsign=false"])
            .args(["commit", "--quiet", "--all", "--message", "One line"]);
        quietly(&mut commit)
    }

    /// What our Docker builder makes of the checkout: a folder with the image.
    ///
    /// # Errors
    /// When it fails.
    pub fn by_docker(&self) -> anyhow::Result<PathBuf> {
        let base = format!("RUST_IMAGE={}", self.base);
        let docker = [
            "--builder=docker",
            "--build-network=host",
            "--build-arg",
            &base,
        ];
        self.world.build(&self.checkout, &self.target, &docker)
    }

    /// The same of the native builder.
    ///
    /// # Errors
    /// When it fails.
    pub fn by_us(&self) -> anyhow::Result<PathBuf> {
        let native = ["--builder=native"];
        self.world.build(&self.checkout, &self.target, &native)
    }
}
