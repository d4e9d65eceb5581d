//! The native builder: this machine's cargo compiles a static binary, and the image is put
//! together in process. No daemon, and the same commit gives the same bytes.

mod cargo;
mod environment;
mod foreign;
mod toolchain;

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::assemble::{AssembleError, ImageSpec, assemble};
use super::elf::{StaticBinaryError, check_static_x86_64};
use super::layout::{self, LayoutError};
use super::model::Image;
use super::program::blocking;
use super::progress::BuildProgress;
use super::sbom;
use super::source::Checkout;
use toolchain::{Host, Toolchain};

/// How to build.
#[derive(Debug, Clone, Default)]
pub struct NativeOptions {
    /// Folder for what cargo makes and for finished images; `CARGO_TARGET_DIR` if it is not
    /// given, else `target` in the checkout.
    pub target_directory: Option<PathBuf>,
}

impl NativeOptions {
    pub(super) fn target_directory(&self, checkout: &Checkout) -> PathBuf {
        let from_environment =
            || std::env::var_os("CARGO_TARGET_DIR").filter(|value| !value.is_empty());
        let directory = self
            .target_directory
            .clone()
            .or_else(|| from_environment().map(PathBuf::from))
            .unwrap_or_else(|| PathBuf::from("target"));
        // A relative folder is relative to the checkout, wherever the command was typed.
        checkout.root.join(directory)
    }
}

/// Builds the image of `checkout` and leaves it as an OCI layout in
/// `<target folder>/quilt-mcp/images/<digest>`.
///
/// Dropping the future ends the compiler.
///
/// # Errors
/// When this machine cannot build for `linux/amd64`, when the compiler is missing or
/// fails, when the binary would not run in an otherwise empty image, and when the disk fails.
pub async fn build_native(
    checkout: &Checkout,
    options: &NativeOptions,
    progress: &(dyn Fn(BuildProgress) + Send + Sync),
) -> Result<Image, BuildError> {
    Host::current().check()?;
    let target_directory = options.target_directory(checkout);
    let root = checkout.root.clone();
    let toolchain = blocking(move || Toolchain::find(&root)).await?;
    let binary = cargo::compile(checkout, &toolchain, &target_directory, progress).await?;

    let content = read_binary(&binary).await?;
    progress(BuildProgress::BinaryReady {
        path: binary,
        bytes: content.len() as u64,
    });
    let (source, images) = (checkout.clone(), images_directory(&target_directory));
    let image = blocking(move || pack(&source, content, &images)).await?;
    progress(BuildProgress::ImageReady {
        digest: image.digest.clone(),
        bytes: image.size,
    });
    Ok(image)
}

/// Whether this machine can build natively: the right kind of machine, and a compiler.
///
/// # Errors
/// Why it cannot: [`BuildError::Host`], [`BuildError::ToolchainMissing`] or
/// [`BuildError::Toolchain`].
pub fn can_build_here() -> Result<(), BuildError> {
    Host::current().check()?;
    toolchain::ask_for_version("cargo")
}

/// What a binary depends on besides the commit and its Rust toolchain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct Compiler {
    /// The target: musl where its Rust target and its C compiler are installed, else gnu.
    pub target: String,
    /// The C compiler, as it names itself; `None` where it does not answer.
    pub c_compiler: Option<String>,
}

/// What the native builder takes for `checkout` on this machine.
///
/// # Errors
/// When there is no Rust toolchain that answers.
pub fn compiler_here(checkout: &Path) -> Result<Compiler, BuildError> {
    let toolchain = Toolchain::find(checkout)?;
    Ok(Compiler {
        target: toolchain.target.triple().to_owned(),
        c_compiler: toolchain.c_compiler,
    })
}

/// Where finished images are kept, one folder each.
pub fn images_directory(target_directory: &Path) -> PathBuf {
    target_directory.join("quilt-mcp").join("images")
}

async fn read_binary(path: &Path) -> Result<Vec<u8>, BuildError> {
    let content = tokio::fs::read(path)
        .await
        .map_err(|source| BuildError::Binary {
            path: path.to_owned(),
            source,
        })?;
    check_static_x86_64(&content).map_err(|reason| BuildError::NotStatic {
        path: path.to_owned(),
        reason,
    })?;
    Ok(content)
}

fn pack(checkout: &Checkout, binary: Vec<u8>, images: &Path) -> Result<Image, BuildError> {
    let image = layout::write(images, &assemble(&ImageSpec::from(checkout), binary)?)?;
    sbom::write(checkout, &image)?;
    Ok(image)
}

/// Why there is no image.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// This machine is of another kind.
    #[error(
        "the native builder makes linux/amd64 images on linux/x86_64 only, and this machine is {os}/{architecture}: build with `--builder docker`, or let CI publish the commit and roll that image out"
    )]
    Host {
        /// The machine's operating system.
        os: String,
        /// The machine's architecture.
        architecture: String,
    },
    /// A program of the Rust toolchain is missing.
    #[error(
        "`{program}` was not found on the PATH: install Rust with rustup, or build with `--builder docker`"
    )]
    ToolchainMissing {
        /// `cargo` or `rustc`.
        program: &'static str,
    },
    /// The toolchain is there, but does not answer.
    #[error("`{command}` failed: {message}")]
    Toolchain {
        /// What was asked.
        command: String,
        /// What it said.
        message: String,
    },
    /// A setting from outside the checkout would change the binary.
    #[error(
        "{file}, which lies outside the checkout, sets `{setting}` for cargo, and the image would differ from what the same commit gives elsewhere: take the setting out while you build, or build with `--builder docker`"
    )]
    ForeignConfig {
        /// The configuration file.
        file: PathBuf,
        /// The setting, as cargo names it.
        setting: String,
    },
    /// The compiler refused the source, or cargo could not start compiling.
    #[error("the server could not be compiled for {target} ({status}):\n{output}")]
    Compile {
        /// The target triple.
        target: String,
        /// How cargo ended.
        status: String,
        /// What the compiler said, from the first error on.
        output: String,
    },
    /// There is no C compiler to link with.
    #[error(
        "the linker `{linker}` was not found: install a C compiler (Debian, Ubuntu: `apt-get install gcc libc6-dev`; Fedora, Amazon Linux: `dnf install gcc glibc-static`)"
    )]
    LinkerMissing {
        /// The program that was not found.
        linker: String,
    },
    /// The C library is there as a shared library only.
    #[error(
        "the static C library is missing (the linker cannot find {library}): install it (Debian, Ubuntu: `apt-get install libc6-dev`; Fedora, Amazon Linux: `dnf install glibc-static`), or add the musl target (`rustup target add x86_64-unknown-linux-musl`, and the package musl-tools)"
    )]
    StaticLibraryMissing {
        /// What the linker looked for, as it names it (`-lc`).
        library: String,
    },
    /// Cargo was content, but named no binary.
    #[error("cargo built the package {package} but named no executable of that name")]
    NoExecutable {
        /// The package.
        package: &'static str,
    },
    /// The binary cannot be read.
    #[error("the binary {path} cannot be read: {source}")]
    Binary {
        /// The binary.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The binary would not start in an image that holds nothing else.
    #[error("the binary {path} would not run in the image: {reason}")]
    NotStatic {
        /// The binary.
        path: PathBuf,
        /// Why.
        reason: StaticBinaryError,
    },
    /// The image could not be put together.
    #[error(transparent)]
    Assemble(#[from] AssembleError),
    /// The image could not be written.
    #[error(transparent)]
    Layout(#[from] LayoutError),
}
