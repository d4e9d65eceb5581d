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

/// Every fault is made from this test's own binary, which is dynamically linked.
#[cfg(all(
    test,
    target_os = "linux",
    target_arch = "x86_64",
    not(target_feature = "crt-static")
))]
mod tests {
    use super::*;

    const PT_NULL: u8 = 0;
    const PT_DYNAMIC: u8 = 2;
    const PT_INTERP: u8 = 3;

    fn dynamic_binary() -> Vec<u8> {
        std::fs::read(std::env::current_exe().unwrap()).unwrap()
    }

    /// Turns the program headers of `kind` into ones that mean nothing (ELF-64 object file
    /// format, sections "File header" and "Program header table").
    fn without_segments(mut binary: Vec<u8>, kind: u8) -> Vec<u8> {
        let number = |range: std::ops::Range<usize>, binary: &[u8]| {
            binary[range]
                .iter()
                .rev()
                .fold(0, |sum, byte| sum << 8 | usize::from(*byte))
        };
        let (start, size, count) = (
            number(32..40, &binary),
            number(54..56, &binary),
            number(56..58, &binary),
        );
        for segment in (0..count).map(|index| start + index * size) {
            if binary[segment] == kind {
                binary[segment] = PT_NULL;
            }
        }
        binary
    }

    #[test]
    fn a_dynamic_binary_is_refused() {
        let error = check_static_x86_64(&dynamic_binary()).unwrap_err();
        assert!(
            matches!(&error, StaticBinaryError::Loader(loader) if loader.contains("ld-")),
            "{error}"
        );
        let without_loader = without_segments(dynamic_binary(), PT_INTERP);
        assert_eq!(
            check_static_x86_64(&without_loader),
            Err(StaticBinaryError::SharedLibraries)
        );
        let like_static = without_segments(without_loader, PT_DYNAMIC);
        assert_eq!(check_static_x86_64(&like_static), Ok(()));
    }

    #[test]
    fn what_is_no_x86_64_executable_is_refused() {
        let mut other_machine = dynamic_binary();
        other_machine[18] = 183;
        assert_eq!(
            check_static_x86_64(&other_machine),
            Err(StaticBinaryError::Machine(183))
        );

        let mut object_file = dynamic_binary();
        object_file[16] = 1;
        assert_eq!(
            check_static_x86_64(&object_file),
            Err(StaticBinaryError::NotExecutable(1))
        );

        let mut class_32 = dynamic_binary();
        class_32[4] = 1;
        for binary in [
            &b""[..],
            b"#!/bin/sh\n",
            &dynamic_binary()[..63],
            &class_32,
            &dynamic_binary()[..100],
        ] {
            let error = check_static_x86_64(binary).unwrap_err();
            assert!(matches!(error, StaticBinaryError::NotElf(_)), "{error}");
        }
    }
}
