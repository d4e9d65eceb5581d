//! The life of the process: listen, serve, drain, end.

use std::io;
use std::net::SocketAddr;

use thiserror::Error;
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::auth::Validator;
use crate::aws::AwsClient;
use crate::config::{Config, Drain, Loaded};
use crate::http::{Readiness, Services, router, serve_connections};
use crate::mcp::QuiltMcpServer;
use crate::metrics::{self, Metrics};
use crate::registry::RegistryClient;

/// Why the server could not start or go on.
#[derive(Debug, Error)]
pub enum ServeError {
    /// The address cannot be listened on.
    #[error(
        "cannot listen on {address}: {source}; give MCP_LISTEN (or MCP_METRICS_LISTEN) a free address"
    )]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system says.
        source: io::Error,
    },
    /// The clients for the registry and AWS cannot be made.
    #[error("cannot set up TLS for the registry and AWS: {0}")]
    Tls(#[from] reqwest::Error),
    /// The system refuses signal handlers.
    #[error("cannot wait for signals: {0}")]
    Signals(io::Error),
    /// The system does not say which address was listened on.
    #[error("cannot tell the address that is listened on: {0}")]
    Address(io::Error),
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
/// When the server cannot start.
pub async fn serve(loaded: Loaded) -> Result<Ended, ServeError> {
    let Loaded { config, warnings } = loaded;
    let mut signals = Signals::new().map_err(ServeError::Signals)?;
    for warning in warnings {
        tracing::warn!("{warning}");
    }
    let registry = RegistryClient::new(&config.registry)?;
    let aws = AwsClient::new(&config.aws, registry.clone())?;
    let listener = listen(config.listen).await?;
    let address = listener.local_addr().map_err(ServeError::Address)?;
    announce(&config, address);

    let services = Services {
        validator: Validator::new(registry.clone()),
        readiness: Readiness::default(),
        metrics: Metrics::new(&config.build),
    };
    serve_metrics(&config, services.metrics.clone()).await?;
    let readiness = services.readiness.clone();
    let handler = QuiltMcpServer::new(&config, registry, aws, services.validator.clone());
    let app = router(&config, services, handler);
    let stop_accepting = CancellationToken::new();
    let serving = serve_connections(listener, app, stop_accepting.clone());
    tokio::pin!(serving);

    let signal = tokio::select! {
        () = &mut serving => return Ok(Ended::Drained),
        signal = signals.next() => signal,
    };
    tracing::info!(
        signal,
        grace_seconds = config.drain.grace.as_secs(),
        timeout_seconds = config.drain.timeout.as_secs(),
        "draining"
    );
    tokio::select! {
        ended = drain(serving, &config.drain, &readiness, &stop_accepting) => Ok(ended),
        signal = signals.next() => Ok(Ended::Interrupted(signal)),
    }
}

/// Lets calls in flight finish. Their answers are never cut short before the
/// time is up: nothing else is cancelled here.
async fn drain(
    serving: impl Future<Output = ()>,
    Drain { grace, timeout }: &Drain,
    readiness: &Readiness,
    stop_accepting: &CancellationToken,
) -> Ended {
    readiness.start_draining();
    tokio::pin!(serving);
    if tokio::time::timeout(*grace, &mut serving).await.is_ok() {
        return Ended::Drained;
    }
    stop_accepting.cancel();
    match tokio::time::timeout(*timeout, serving).await {
        Ok(()) => Ended::Drained,
        Err(_) => Ended::DrainTimedOut,
    }
}

/// Serves metrics beside MCP, where that is asked for, until the process ends:
/// the last counts of a drain can be read too.
async fn serve_metrics(config: &Config, metrics: Metrics) -> Result<(), ServeError> {
    let Some(address) = config.metrics_listen else {
        return Ok(());
    };
    let listener = listen(address).await?;
    let address = listener.local_addr().map_err(ServeError::Address)?;
    tracing::info!(%address, "metrics are served at /metrics");
    tokio::spawn(serve_connections(
        listener,
        metrics::router(metrics),
        CancellationToken::new(),
    ));
    Ok(())
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
