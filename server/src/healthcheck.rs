//! The container's health check: an image without a shell has no curl.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use thiserror::Error;

/// ECS's default for a container health check is 5 s; this is well inside it.
const TIMEOUT: Duration = Duration::from_secs(3);

/// Why the server is not healthy.
#[derive(Debug, Error)]
pub enum Unhealthy {
    /// Nothing answers, or not in time.
    #[error("no answer from http://{address}/healthz: {source}")]
    NoAnswer {
        /// Where the server should be.
        address: SocketAddr,
        /// What happened.
        source: reqwest::Error,
    },
    /// An answer that says no.
    #[error("http://{address}/healthz answered {status}: {body}")]
    SaysNo {
        /// Where the server is.
        address: SocketAddr,
        /// The HTTP status.
        status: u16,
        /// The start of the answer.
        body: String,
    },
}

/// Asks the server that listens at `listen` on this machine.
///
/// # Errors
/// When it does not answer 200.
pub async fn check(listen: SocketAddr) -> Result<(), Unhealthy> {
    let address = reachable(listen);
    let no_answer = |source| Unhealthy::NoAnswer { address, source };
    let client = reqwest::Client::builder()
        .no_proxy()
        .tls_certs_only([])
        .timeout(TIMEOUT)
        .build()
        .map_err(no_answer)?;
    let answer = client
        .get(format!("http://{address}/healthz"))
        .send()
        .await
        .map_err(no_answer)?;
    let status = answer.status();
    if status.is_success() {
        return Ok(());
    }
    let body = answer.text().await.unwrap_or_default();
    Err(Unhealthy::SaysNo {
        address,
        status: status.as_u16(),
        body: body.chars().take(200).collect(),
    })
}

/// A listener on all addresses is asked on the loopback one.
fn reachable(listen: SocketAddr) -> SocketAddr {
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, listen.port())
}
