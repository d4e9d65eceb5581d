//! The server as its clients and its operators meet it: the real binary, real
//! sockets, and a registry that refuses wrong queries and fails on demand.

mod auth;
mod cors;
mod drain;
mod harness;
mod logs;
mod protocol;
mod schema;
mod start;
mod surface;
mod tools;
