//! JSON lines on standard output.

use std::panic::PanicHookInfo;

use tracing_subscriber::EnvFilter;

/// Installs the process's subscriber.
///
/// The filter was checked with the configuration; one that is refused after all
/// falls back to `info`.
pub fn init(filter: &str) {
    let filter = EnvFilter::try_new(filter).unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_current_span(false)
        .with_span_list(false)
        .with_env_filter(filter)
        .init();
    std::panic::set_hook(Box::new(log_panic));
}

/// A panic is a line like any other: where it was, and what it said.
fn log_panic(panic: &PanicHookInfo<'_>) {
    let location = panic.location().map(ToString::to_string);
    let message = panic.payload_as_str().unwrap_or("not a text");
    tracing::error!(location, panic = message, "panicked");
}
