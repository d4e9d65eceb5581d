//! `build`: the image of this checkout.

use std::fmt;
use std::time::Duration;

use clap::Args;
use serde::Serialize;

use super::{Context, Exit, Failure};
use crate::image::BuildProgress;
use crate::image::Checkout;
use crate::image::{Image, Tag};
use crate::image::{NativeOptions, build_native};
use crate::report::{Reporter, Stage};

/// Build the linux/amd64 image of this checkout and print its digest.
///
/// The native builder compiles the server with cargo and puts the image together in
/// process: no Docker engine is needed, and the same commit gives the same digest.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  quilt-mcp-deploy build --output json | jq -r .image.digest")]
pub struct Build {}

/// A built image, as the result of `build`.
#[derive(Debug, Serialize, schemars::JsonSchema)]
pub(super) struct BuildResult {
    version: u32,
    image: Image,
    tag: Tag,
}

impl Build {
    /// Builds.
    ///
    /// # Errors
    /// [`Failure`] with exit code 5.
    pub async fn run(self, context: &Context) -> Result<Exit, Failure> {
        let checkout = checkout()?;
        let (image, _) = build(context, &checkout).await?;
        context.print(&BuildResult {
            version: 1,
            tag: checkout.tag(&image.digest),
            image,
        })?;
        Ok(Exit::Done)
    }
}

/// The checkout that the working folder is in.
pub fn checkout() -> Result<Checkout, Failure> {
    let folder = std::env::current_dir().map_err(|error| {
        Failure::new(
            Exit::Internal,
            format!("the working folder cannot be read: {error}"),
        )
    })?;
    Ok(Checkout::discover(&folder)?)
}

/// Builds the image of `checkout`, showing how it gets on.
pub async fn build(context: &Context, checkout: &Checkout) -> Result<(Image, Duration), Failure> {
    let stage = context.stage(Stage::Build);
    let image = build_native(checkout, &NativeOptions::default(), &|progress| {
        if let Some(message) = describe(&progress) {
            context.reporter.progress(Stage::Build, message);
        }
    })
    .await?;
    let elapsed = stage.finish(format!("{} of {}", image.digest, checkout.revision()));
    Ok((image, elapsed))
}

fn describe(progress: &BuildProgress) -> Option<String> {
    match progress {
        BuildProgress::Compiling { target } => Some(format!("compiling for {target}")),
        BuildProgress::Message { line } => Some(line.clone()),
        BuildProgress::Compiled { name, ready, .. } => {
            Some(format!("{ready} crates ready, {name}"))
        }
        BuildProgress::BinaryReady { bytes, .. } => Some(format!("binary of {bytes} bytes")),
        BuildProgress::ImageReady { .. } => None,
    }
}

impl fmt::Display for BuildResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "digest  {}", self.image.digest)?;
        writeln!(f, "tag     {}", self.tag)?;
        writeln!(
            f,
            "commit  {}",
            self.image.commit.as_deref().unwrap_or("unknown")
        )?;
        write!(f, "layout  {}", self.image.layout.display())
    }
}
