//! Objects in S3, with the caller's own credentials.

pub(super) mod info;
pub(super) mod link;
pub(super) mod list;
pub(super) mod put;
pub(super) mod read;
