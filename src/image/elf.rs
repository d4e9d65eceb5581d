//! Whether a binary runs in an image that holds nothing else.

use object::Endianness;
use object::elf::{DT_NEEDED, EM_X86_64, ET_DYN, ET_EXEC, FileHeader64, PT_INTERP};
use object::read::elf::{Dyn, FileHeader, ProgramHeader};

/// Why a binary cannot be the only file of a `linux/amd64` image.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StaticBinaryError {
    /// Not a 64-bit ELF file, or a damaged one.
    #[error("it is not a 64-bit ELF file: {0}")]
    NotElf(String),
    /// Built for another processor.
    #[error("it is built for ELF machine {0}, not for x86-64 (62)")]
    Machine(u16),
    /// An object file or a core dump, say.
    #[error("it is an ELF file of type {0}, not an executable")]
    NotExecutable(u16),
    /// It asks for a dynamic loader, which the image does not have.
    #[error("it is dynamically linked: it asks for the loader {0}")]
    Loader(String),
    /// It needs a shared library, which the image does not have.
    #[error("it is dynamically linked: it needs shared libraries")]
    SharedLibraries,
}

/// Checks that `binary` is a static executable for x86-64 Linux (plain or position-independent).
///
/// # Errors
/// The first reason why it is not.
pub fn check_static_x86_64(binary: &[u8]) -> Result<(), StaticBinaryError> {
    let malformed = |error: object::read::Error| StaticBinaryError::NotElf(error.to_string());
    let header = FileHeader64::<Endianness>::parse(binary).map_err(malformed)?;
    let endian = header.endian().map_err(malformed)?;
    let machine = header.e_machine(endian);
    if machine != EM_X86_64 {
        return Err(StaticBinaryError::Machine(machine));
    }
    let kind = header.e_type(endian);
    if kind != ET_EXEC && kind != ET_DYN {
        return Err(StaticBinaryError::NotExecutable(kind));
    }
    for segment in header.program_headers(endian, binary).map_err(malformed)? {
        if segment.p_type(endian) == PT_INTERP {
            let loader = segment.data(endian, binary).unwrap_or_default();
            let loader = String::from_utf8_lossy(loader);
            return Err(StaticBinaryError::Loader(
                loader.trim_end_matches('\0').to_owned(),
            ));
        }
        let entries = segment.dynamic(endian, binary).map_err(malformed)?;
        if entries
            .into_iter()
            .flatten()
            .any(|entry| entry.tag(endian) == DT_NEEDED)
        {
            return Err(StaticBinaryError::SharedLibraries);
        }
    }
    Ok(())
}
