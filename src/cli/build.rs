//! `build`: the image of this checkout.

use std::fmt;
use std::time::Duration;

use clap::{Args, ValueEnum};
use serde::Serialize;

use super::{Context, Exit, Failure};
use crate::image::docker::{Engine, Patience};
use crate::image::native::{Compiler, can_build_here, compiler_here};
use crate::image::program::blocking;
use crate::image::{
    BuildProgress, Checkout, DockerOptions, Image, NativeOptions, Tag, build_docker, build_native,
};
use crate::report::{Reporter, Stage};

/// Build the linux/amd64 image of this checkout and print its digest.
///
/// The native builder compiles the server with cargo and puts the image together in
/// process: no Docker engine is needed, and the same commit gives the same digest wherever
/// the C compiler is the same. The Docker builder runs server/Dockerfile, on any machine
/// with an engine.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  quilt-mcp-deploy build --output json | jq -r .image.digest")]
pub struct Build {
    #[command(flatten)]
    builder: BuilderArgs,
}

/// Which builder, and what it is told.
#[derive(Debug, Clone, Args)]
pub struct BuilderArgs {
    /// The builder; `auto` takes the native one where this machine can, else Docker
    #[arg(long, value_enum, default_value_t = Builder::Auto, env = "QUILT_MCP_BUILDER")]
    pub builder: Builder,
    /// A build argument for the Docker builder, such as RUST_IMAGE=registry.example/rust:1.95
    #[arg(long = "build-arg", value_name = "NAME=VALUE", value_parser = build_arg)]
    pub build_args: Vec<(String, String)>,
    /// The network that the Docker builder's steps use, such as `host`
    #[arg(long, value_name = "NETWORK")]
    pub build_network: Option<String>,
}

/// Who builds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Builder {
    /// Native on linux/amd64 with a Rust toolchain, else Docker.
    Auto,
    /// A Docker engine or Podman, through server/Dockerfile.
    Docker,
    /// This machine's cargo; no engine.
    Native,
}

fn build_arg(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("write it as NAME=VALUE".to_owned()),
    }
}

/// A built image, as the result of `build`.
#[derive(Debug, Serialize, schemars::JsonSchema)]
pub(super) struct BuildResult {
    version: u32,
    builder: &'static str,
    image: Image,
    tag: Tag,
    /// What the native builder compiled with; the digest depends on it.
    compiler: Option<Compiler>,
}

impl Build {
    /// Builds.
    ///
    /// # Errors
    /// [`Failure`] with exit code 5.
    pub async fn run(self, context: &Context) -> Result<Exit, Failure> {
        let checkout = checkout().await?;
        let (image, builder, _) = build(context, &checkout, &self.builder).await?;
        let root = checkout.root.clone();
        let compiler = match builder {
            "native" => blocking(move || compiler_here(&root)).await.ok(),
            _ => None,
        };
        context.print(&BuildResult {
            version: 1,
            builder,
            tag: checkout.tag(&image.digest),
            image,
            compiler,
        })?;
        Ok(Exit::Done)
    }
}

/// The checkout that the working folder is in.
pub async fn checkout() -> Result<Checkout, Failure> {
    let folder = std::env::current_dir().map_err(|error| {
        Failure::new(
            Exit::Internal,
            format!("the working folder cannot be read: {error}"),
        )
    })?;
    Ok(blocking(move || Checkout::discover(&folder)).await?)
}

/// Builds the image of `checkout`, showing how it gets on; gives it, the builder that made it, and
/// how long that took.
pub async fn build(
    context: &Context,
    checkout: &Checkout,
    args: &BuilderArgs,
) -> Result<(Image, &'static str, Duration), Failure> {
    let stage = context.stage(Stage::Build);
    let show = |progress: BuildProgress| match progress {
        BuildProgress::Warning { message } => context.reporter.warn(message),
        progress => {
            if let Some(message) = describe(&progress) {
                context.reporter.progress(Stage::Build, message);
            }
        }
    };
    let passed_over = match args.builder {
        Builder::Auto => can_build_here().err(),
        Builder::Native | Builder::Docker => None,
    };
    let (image, builder) = if args.builder == Builder::Docker || passed_over.is_some() {
        let engine = Engine::find(None, Patience::default())
            .await
            .map_err(|error| match passed_over {
                Some(reason) => Failure::new(
                    Exit::Build,
                    format!("the native builder cannot build here: {reason}"),
                )
                .hint(format!("a Docker engine could, but {error}")),
                None => error.into(),
            })?;
        let options = DockerOptions {
            build_args: args.build_args.clone(),
            network: args.build_network.clone(),
            target_directory: None,
        };
        let image = build_docker(checkout, &engine, &options, &show).await?;
        (image, "docker")
    } else {
        let image = build_native(checkout, &NativeOptions::default(), &show).await?;
        (image, "native")
    };
    let outcome = format!("{} of {} ({builder})", image.digest, checkout.revision());
    Ok((image, builder, stage.finish(outcome)))
}

fn describe(progress: &BuildProgress) -> Option<String> {
    match progress {
        BuildProgress::Compiling { target, c_compiler } => Some(match c_compiler {
            Some(c_compiler) => format!("compiling for {target} with {c_compiler}"),
            None => format!("compiling for {target}"),
        }),
        BuildProgress::Step { instruction, .. } => Some(instruction.clone()),
        BuildProgress::Message { line } | BuildProgress::Warning { message: line } => {
            Some(line.clone())
        }
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
        writeln!(f, "builder {}", self.builder)?;
        if let Some(compiler) = &self.compiler {
            let c_compiler = compiler.c_compiler.as_deref().unwrap_or("unknown");
            writeln!(f, "target  {} ({c_compiler})", compiler.target)?;
        }
        writeln!(f, "tag     {}", self.tag)?;
        writeln!(
            f,
            "commit  {}",
            self.image.commit.as_deref().unwrap_or("unknown")
        )?;
        write!(f, "layout  {}", self.image.layout.display())
    }
}
