//! JSON lines on standard output.

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
}
