//! The checks, by what they are about; each a pure function of the facts.

pub(super) mod identity;
pub(super) mod image;
pub(super) mod listener;
pub(super) mod network;
pub(super) mod permissions;
pub(super) mod roles;
pub(super) mod service;
pub(super) mod stack;
pub(super) mod target_group;
pub(super) mod task;

#[cfg(test)]
pub(super) mod example;
