//! The Docker builder: an engine runs `server/Dockerfile`, and what it made becomes the same kind
//! of layout that the native builder gives, so that everything after it is one path.

mod archive;
mod base_images;
mod context;
mod engine;
mod error;
mod follow;
mod ignore;
mod logins;
mod refusal;
mod tls;
mod usual;

use std::collections::HashMap;
use std::path::PathBuf;
use std::time::Duration;

use bollard::query_parameters::{BuildImageOptions, BuildImageOptionsBuilder};
use bytes::Bytes;
use futures::StreamExt;

use super::assemble::{Assembled, ImageSpec};
use super::layout;
use super::model::{Image, Platform};
use super::native::NativeOptions;
use super::program::blocking;
use super::progress::BuildProgress;
use super::sbom;
use super::source::Checkout;
use base_images::BaseImage;
pub use context::Context;
pub use engine::{Engine, Patience};
pub use error::DockerBuildError;
use follow::Follow;
use logins::Logins;

/// The Dockerfile, in the checkout.
pub const DOCKERFILE: &str = "server/Dockerfile";
/// What the engine calls the image.
const NAME: &str = "quilt-mcp-server";
/// Bytes of an exported image that are held in memory at most.
const LARGEST_EXPORT: usize = 1 << 30;

/// How to build.
#[derive(Debug, Clone, Default)]
pub struct DockerOptions {
    /// Build arguments, such as the base image (`RUST_IMAGE`); they come after our own.
    pub build_args: Vec<(String, String)>,
    /// The network that `RUN` steps use, such as `host`; else the engine's usual one.
    pub network: Option<String>,
    /// Folder for finished images, as for the native builder.
    pub target_directory: Option<PathBuf>,
}

/// Builds the image of `checkout` with `engine` and leaves it as an OCI layout where the native
/// builder does.
///
/// Times and owners of files, which differ from build to build, are made the same, so that equal
/// files give an equal digest. Dropping the future ends the build.
///
/// The engine gets the logins that Docker's client has at the registries of the base images. One that
/// cannot be read is a warning: the image may be there already, or anybody's to take.
///
/// # Errors
/// When the engine is gone or silent, when a step fails, when the result is not for
/// `linux/amd64`, and when its program would not start in an image that holds nothing else.
pub async fn build_docker(
    checkout: &Checkout,
    engine: &Engine,
    options: &DockerOptions,
    progress: &(dyn Fn(BuildProgress) + Send + Sync),
) -> Result<Image, DockerBuildError> {
    let bases = Bases::of(checkout, options, engine.patience.helper).await;
    for message in &bases.warnings {
        progress(BuildProgress::Warning {
            message: message.clone(),
        });
    }
    let id = run(checkout, engine, options, &bases, progress).await?;
    verify_platform(engine, &id).await?;
    let export = export(engine, &id).await?;
    let (created, images) = (checkout.committed_at, images_directory(checkout, options));
    let source = checkout.clone();
    let image = blocking(move || {
        let assembled: Assembled = archive::read(&export, created)?;
        let image = layout::write(&images, &assembled)?;
        sbom::write(&source, &image)?;
        Ok::<_, DockerBuildError>(image)
    })
    .await?;
    progress(BuildProgress::ImageReady {
        digest: image.digest.clone(),
        bytes: image.size,
    });
    Ok(image)
}

fn images_directory(checkout: &Checkout, options: &DockerOptions) -> PathBuf {
    let like_native = NativeOptions {
        target_directory: options.target_directory.clone(),
    };
    super::native::images_directory(&like_native.target_directory(checkout))
}

/// What a build begins with, and how the operator is known where that comes from.
struct Bases {
    images: Vec<BaseImage>,
    logins: Logins,
    /// What of this could not be found out.
    warnings: Vec<String>,
}

impl Bases {
    async fn of(checkout: &Checkout, options: &DockerOptions, patience: Duration) -> Self {
        let (images, unread) = match base_images(checkout, options).await {
            Ok(images) => (images, None),
            Err(reason) => (Vec::new(), Some(reason)),
        };
        let logins = Logins::of(&images, patience).await;
        let unread = unread.map(|reason| {
            format!("no login is sent to the engine, since it is not known which images {DOCKERFILE} needs: {reason}")
        });
        let warnings = unread.into_iter().chain(logins.warnings()).collect();
        Self {
            images,
            logins,
            warnings,
        }
    }

    /// What to do about a failed step, where a registry refused an image.
    fn advice(&self, step: &str, reason: &str) -> Option<String> {
        let image = self.images.iter().find(|image| image.is_of(step))?;
        let found = self.logins.at(&image.registry);
        refusal::advice(reason, image, found, &self.logins.file)
    }
}

async fn base_images(
    checkout: &Checkout,
    options: &DockerOptions,
) -> Result<Vec<BaseImage>, String> {
    let dockerfile = tokio::fs::read_to_string(checkout.root.join(DOCKERFILE)).await;
    let dockerfile = dockerfile.map_err(|error| error.to_string())?;
    base_images::of(&dockerfile, &build_args(checkout, options)).map_err(|error| error.to_string())
}

/// Runs the Dockerfile and gives the image's id.
async fn run(
    checkout: &Checkout,
    engine: &Engine,
    options: &DockerOptions,
    bases: &Bases,
    progress: &(dyn Fn(BuildProgress) + Send + Sync),
) -> Result<String, DockerBuildError> {
    let source = checkout.clone();
    let context = blocking(move || Context::of(&source)).await?;
    let (archive, reading) = context.stream();
    let mut answers = engine.docker.build_image(
        request(checkout, options),
        bases.logins.credentials(),
        Some(bollard::body_try_stream(archive)),
    );
    let mut follow = Follow::default();
    loop {
        let next = tokio::time::timeout(engine.patience.silence, answers.next()).await;
        let info = match next {
            Err(_) => return Err(engine.silent(follow.step())),
            Ok(None) => break,
            Ok(Some(Ok(info))) => info,
            Ok(Some(Err(error))) => {
                return Err(unread_context(checkout, reading)
                    .await
                    .unwrap_or_else(|| failed_step(error::reason(&error), bases, follow)));
            }
        };
        if let Some(detail) = &info.error_detail {
            let reason = detail.message.clone().unwrap_or_default();
            return Err(failed_step(reason, bases, follow));
        }
        follow.note(info).into_iter().for_each(progress);
    }
    follow
        .image()
        .map(str::to_owned)
        .ok_or_else(|| DockerBuildError::NoImage {
            host: engine.host.clone(),
            step: follow.step(),
        })
}

fn request(checkout: &Checkout, options: &DockerOptions) -> BuildImageOptions {
    let tag = format!(
        "{NAME}:{}-{}",
        checkout.version.replace('+', "_"),
        checkout.short_commit()
    );
    let mut request = BuildImageOptionsBuilder::new()
        .dockerfile(DOCKERFILE)
        .t(&tag)
        .rm(true)
        .forcerm(true)
        .platform(&Platform::TARGET.to_string())
        .buildargs(&build_args(checkout, options));
    if let Some(network) = &options.network {
        request = request.networkmode(network);
    }
    request.build()
}

/// The Dockerfile's own arguments, then the user's.
fn build_args(checkout: &Checkout, options: &DockerOptions) -> HashMap<String, String> {
    let spec = ImageSpec::from(checkout);
    let mut arguments = HashMap::from([
        ("REVISION".to_owned(), spec.revision),
        ("VERSION".to_owned(), spec.version),
        ("CREATED".to_owned(), spec.created.to_string()),
        ("SOURCE".to_owned(), spec.source.unwrap_or_default()),
    ]);
    arguments.extend(options.build_args.iter().cloned());
    arguments
}

fn failed_step(reason: String, bases: &Bases, follow: Follow) -> DockerBuildError {
    let step = follow.step();
    DockerBuildError::Step {
        dockerfile: DOCKERFILE,
        advice: bases.advice(&step, &reason),
        step,
        reason,
        output: follow.output(),
    }
}

/// The reason why the context could not be read, where that is what broke the build.
async fn unread_context(
    checkout: &Checkout,
    reading: tokio::task::JoinHandle<std::io::Result<()>>,
) -> Option<DockerBuildError> {
    let error = reading.await.ok()?.err()?;
    (error.kind() != std::io::ErrorKind::BrokenPipe).then(|| DockerBuildError::Context {
        path: checkout.root.clone(),
        reason: error.to_string(),
    })
}

/// The classic builder takes a base image of another platform without a word.
async fn verify_platform(engine: &Engine, id: &str) -> Result<(), DockerBuildError> {
    let inspected = engine
        .ask("inspecting the image", engine.docker.inspect_image(id))
        .await?;
    let found = format!(
        "{}/{}",
        inspected.os.unwrap_or_default(),
        inspected.architecture.unwrap_or_default()
    );
    if found == Platform::TARGET.to_string() {
        Ok(())
    } else {
        Err(DockerBuildError::Platform { found })
    }
}

/// The image as `docker save` gives it.
async fn export(engine: &Engine, id: &str) -> Result<Vec<u8>, DockerBuildError> {
    const OPERATION: &str = "exporting the image";
    let mut content = Vec::new();
    let mut pieces = engine.docker.export_image(id).boxed();
    loop {
        let next = tokio::time::timeout(engine.patience.silence, pieces.next()).await;
        let piece: Bytes = match next {
            Err(_) => return Err(engine.silent(OPERATION)),
            Ok(None) => return Ok(content),
            Ok(Some(piece)) => piece.map_err(|error| engine.failed(OPERATION, &error))?,
        };
        if content.len() + piece.len() > LARGEST_EXPORT {
            return Err(DockerBuildError::Export(format!(
                "it has more than {LARGEST_EXPORT} bytes"
            )));
        }
        content.extend_from_slice(&piece);
    }
}
