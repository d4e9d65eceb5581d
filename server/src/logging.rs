//! JSON lines on standard output; for the proxy, lines on standard error.

use std::io::IsTerminal as _;
use std::panic::PanicHookInfo;

use tracing::{Level, Metadata};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, filter};

/// What the signer tells of is a secret: never, at any level.
const SIGNER: &str = "aws_sigv4";
/// What the transport tells of below warnings is whole messages, with callers'
/// data and links that open for whoever has them: never either.
const TRANSPORT: &str = "rmcp";

/// Installs the process's subscriber.
///
/// The filter was checked with the configuration; one that is refused after all
/// falls back to `info`.
pub fn init(filter: &str) {
    let filter = EnvFilter::try_new(filter).unwrap_or_else(|_| EnvFilter::new("info"));
    let lines = tracing_subscriber::fmt::layer()
        .json()
        .flatten_event(true)
        .with_current_span(false)
        .with_span_list(false)
        .with_filter(filter::filter_fn(tells_no_secret));
    tracing_subscriber::registry()
        .with(filter)
        .with(lines)
        .init();
    std::panic::set_hook(Box::new(log_panic));
}

fn tells_no_secret(event: &Metadata<'_>) -> bool {
    let target = event.target();
    !target.starts_with(SIGNER) && (!target.starts_with(TRANSPORT) || *event.level() <= Level::WARN)
}

/// Lines for people on standard error, for a process whose standard output is
/// not its own; in colour on a terminal only (<https://no-color.org>).
pub fn init_stderr() {
    let filter = EnvFilter::try_from_env("MCP_LOG").unwrap_or_else(|_| EnvFilter::new("warn"));
    let is_plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let lines = tracing_subscriber::fmt::layer()
        .with_ansi(std::io::stderr().is_terminal() && !is_plain)
        .with_writer(std::io::stderr)
        .with_filter(filter::filter_fn(tells_no_secret));
    tracing_subscriber::registry()
        .with(filter)
        .with(lines)
        .init();
}

/// A panic is a line like any other: where it was, and what it said.
fn log_panic(panic: &PanicHookInfo<'_>) {
    let location = panic.location().map(ToString::to_string);
    let message = panic.payload_as_str().unwrap_or("not a text");
    tracing::error!(location, panic = message, "panicked");
}
