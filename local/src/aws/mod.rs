//! What AWS calls things: account, region, ARNs, identifiers, and the forms of its timestamps.

pub(crate) mod names;
pub(crate) mod network;
pub(crate) mod time;

pub(crate) use time::Moment;
