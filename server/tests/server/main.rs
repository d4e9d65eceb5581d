//! The server as its clients and its operators meet it: the real binary, real
//! sockets, and a registry that refuses wrong queries and fails on demand.

mod auth;
mod aws;
mod browser;
mod changes;
mod clients;
mod conformance;
mod cors;
mod drain;
mod harness;
mod limits;
mod logs;
mod metrics;
mod moto;
mod oauth;
mod protocol;
mod proxy;
mod proxy_answers;
mod resources;
mod schema;
mod smuggling;
mod start;
mod support;
mod surface;
mod tools;
