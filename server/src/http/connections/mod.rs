mod patience;
mod slots;

use std::io;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use hyper_util::server::graceful::{GracefulConnection, GracefulShutdown};
use hyper_util::service::TowerToHyperService;
use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use patience::{HEAD_TIME, Patience};
use slots::Slots;

/// How much of a request's head is read, in bytes; more is 431.
const HEAD_LIMIT: usize = 64 * 1024;
/// How many connections are open at a time; further ones wait to be accepted, and idle ones make
/// room for them.
const CONNECTIONS: usize = 4096;
/// A client that takes no bytes for so long is gone (tcp(7), `TCP_USER_TIMEOUT`).
const UNSENT_TIMEOUT: Duration = Duration::from_secs(60);
const KEEPALIVE_AFTER: Duration = Duration::from_secs(60);
/// How long to wait when the system has no more file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Serves HTTP/1.1 until `stop` is cancelled; then closes the listener, and ends
/// when every request in flight has been answered.
pub async fn serve_connections(listener: TcpListener, app: Router, stop: CancellationToken) {
    let graceful = GracefulShutdown::new();
    let slots = Slots::new(CONNECTIONS);
    loop {
        let accepting = async {
            let slot = slots.take().await;
            (slot, listener.accept().await)
        };
        let (slot, accepted) = tokio::select! {
            () = stop.cancelled() => break,
            accepted = accepting => accepted,
        };
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        if let Err(error) = prepare(&stream) {
            tracing::debug!(%error, "the connection's options could not be set");
        }
        let connection = graceful.watch(connection(stream, app.clone(), slots.all_taken()));
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "connection ended");
            }
            drop(slot);
        });
    }
    drop(listener);
    graceful.shutdown().await;
}

/// HTTP/1.1 over `stream`.
fn connection<S>(
    stream: S,
    app: Router,
    all_slots_taken: watch::Receiver<bool>,
) -> impl GracefulConnection<Error = hyper::Error> + Send
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let patience = Patience::new(all_slots_taken);
    let stream = TokioIo::new(patience.observe(stream));
    http1::Builder::new()
        .timer(patience)
        .header_read_timeout(HEAD_TIME)
        .max_buf_size(HEAD_LIMIT)
        .serve_connection(stream, TowerToHyperService::new(app))
}

/// Answers are small and written at once, so waiting to fill packets only delays them.
fn prepare(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let socket = SockRef::from(stream);
    socket.set_tcp_keepalive(&TcpKeepalive::new().with_time(KEEPALIVE_AFTER))?;
    #[cfg(target_os = "linux")]
    socket.set_tcp_user_timeout(Some(UNSENT_TIMEOUT))?;
    Ok(())
}
