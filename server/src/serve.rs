//! The life of the process: listen, serve, drain, end.

use std::io;
use std::net::SocketAddr;

use axum::serve::ListenerExt;
use thiserror::Error;
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::config::{Config, Drain, Loaded};
use crate::http::{Readiness, router};
use crate::registry::RegistryClient;

/// Why the server could not start or go on.
#[derive(Debug, Error)]
pub enum ServeError {
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {source}; set MCP_LISTEN to a free address")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system says.
        source: io::Error,
    },
    /// The client for the registry cannot be made.
    #[error("cannot set up TLS for the registry: {0}")]
    Tls(#[from] reqwest::Error),
    /// The system refuses signal handlers.
    #[error("cannot wait for signals: {0}")]
    Signals(io::Error),
    /// The listener failed for good.
    #[error("cannot go on serving: {0}")]
    Serve(io::Error),
}

/// How the server ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// Every call in flight finished.
    Drained,
    /// Calls were still in flight when the time was up.
    DrainTimedOut,
    /// A second signal asked for the end at once; it holds the signal's number.
    Interrupted(i32),
}

/// Serves until a signal ends it.
///
/// # Errors
/// When the server cannot start, or its listener fails.
pub async fn serve(loaded: Loaded) -> Result<Ended, ServeError> {
    let Loaded { config, warnings } = loaded;
    let mut signals = Signals::new().map_err(ServeError::Signals)?;
    for warning in warnings {
        tracing::warn!("{warning}");
    }
    let registry = RegistryClient::new(&config.registry)?;
    let listener = listen(config.listen).await?;
    let address = listener.local_addr().map_err(ServeError::Serve)?;
    announce(&config, address);

    let readiness = Readiness::default();
    let app = router(&config, registry, readiness.clone());
    let stop_accepting = CancellationToken::new();
    // Answers are small and written at once: waiting to fill packets only delays them.
    let listener = listener.tap_io(|connection| {
        if let Err(error) = connection.set_nodelay(true) {
            tracing::debug!(%error, "TCP_NODELAY refused");
        }
    });
    let serving = axum::serve(listener, app)
        .with_graceful_shutdown(stop_accepting.clone().cancelled_owned())
        .into_future();
    tokio::pin!(serving);

    let signal = tokio::select! {
        ended = &mut serving => return ended.map(|()| Ended::Drained).map_err(ServeError::Serve),
        signal = signals.next() => signal,
    };
    tracing::info!(
        signal,
        grace_seconds = config.drain.grace.as_secs(),
        timeout_seconds = config.drain.timeout.as_secs(),
        "draining"
    );
    tokio::select! {
        ended = drain(serving, &config.drain, &readiness, &stop_accepting) => {
            ended.map_err(ServeError::Serve)
        }
        signal = signals.next() => Ok(Ended::Interrupted(signal)),
    }
}

/// Lets calls in flight finish. Their answers are never cut short before the
/// time is up: nothing else is cancelled here.
async fn drain(
    serving: impl Future<Output = io::Result<()>>,
    Drain { grace, timeout }: &Drain,
    readiness: &Readiness,
    stop_accepting: &CancellationToken,
) -> io::Result<Ended> {
    readiness.start_draining();
    tokio::pin!(serving);
    if let Ok(ended) = tokio::time::timeout(*grace, &mut serving).await {
        return ended.map(|()| Ended::Drained);
    }
    stop_accepting.cancel();
    match tokio::time::timeout(*timeout, serving).await {
        Ok(ended) => ended.map(|()| Ended::Drained),
        Err(_) => Ok(Ended::DrainTimedOut),
    }
}

async fn listen(address: SocketAddr) -> Result<TcpListener, ServeError> {
    TcpListener::bind(address)
        .await
        .map_err(|source| ServeError::Listen { address, source })
}

fn announce(config: &Config, address: SocketAddr) {
    let origins: Vec<_> = config
        .allowed_origins
        .iter()
        .map(ToString::to_string)
        .collect();
    tracing::info!(
        %address,
        version = config.build.version,
        commit = config.build.commit,
        catalog = %config.catalog,
        registry = %config.registry,
        allowed_origins = origins.join(","),
        "listening"
    );
}

/// SIGTERM, as ECS sends it, and SIGINT, as a terminal does.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn new() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    /// The number of the next signal.
    async fn next(&mut self) -> i32 {
        tokio::select! {
            _ = self.terminate.recv() => SignalKind::terminate().as_raw_value(),
            _ = self.interrupt.recv() => SignalKind::interrupt().as_raw_value(),
        }
    }
}
