//! The demo registry.
