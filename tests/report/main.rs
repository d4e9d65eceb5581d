//! What people and programs see of a run, from runs that are written down here.

mod live;
mod log;
mod page;
mod schema;
mod script;
mod streams;
mod tables;
