//! AWS, asked with the credentials that the registry lends to one caller.
//!
//! Requests are signed here, without an AWS SDK: the SDKs look for credentials
//! in the environment, in files and at the task's metadata endpoint, and the
//! one rule of this module is that it must never use any of those. Code that
//! cannot look has nothing to fall back to.

mod athena;
mod client;
mod error;
mod lender;
mod region;
mod s3;
mod sign;

pub use athena::{Athena, Execution, ExecutionState, QueryContext, ResultPage};
pub use client::AwsClient;
pub use error::AwsError;
pub use lender::Lender;
pub use region::Region;
pub use s3::{Listing, ObjectHead, ObjectKey, ObjectPart, S3, S3Address};
