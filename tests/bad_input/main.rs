//! What the command says and leaves alone when something is not right.

#[path = "../support/mod.rs"]
mod support;

mod checkout;
mod configuration_file;
mod credentials;
mod this_machine;
mod user;
