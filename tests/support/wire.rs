//! A wire before a registry that is cut once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

pub struct Wire {
    pub host: String,
    /// Bytes that clients sent over it.
    pub sent: Arc<AtomicUsize>,
}

/// Cuts the first connection whose client has sent `limit` bytes, and counts that in `cuts`.
pub async fn cut_once(upstream: &str, limit: usize, cuts: Arc<AtomicUsize>) -> Wire {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let wire = Wire {
        host: listener.local_addr().unwrap().to_string(),
        sent: Arc::default(),
    };
    let (sent, upstream) = (wire.sent.clone(), upstream.to_owned());
    let whole = Arc::new(AtomicBool::new(true));
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let registry = TcpStream::connect(&upstream).await.unwrap();
            let (sent, cuts, whole) = (sent.clone(), cuts.clone(), whole.clone());
            tokio::spawn(relay(client, registry, sent, move |of_this: usize| {
                let cut = of_this >= limit && whole.swap(false, Ordering::Relaxed);
                cuts.fetch_add(usize::from(cut), Ordering::Relaxed);
                cut
            }));
        }
    });
    wire
}

async fn relay(
    mut client: TcpStream,
    mut registry: TcpStream,
    sent: Arc<AtomicUsize>,
    cut: impl Fn(usize) -> bool,
) {
    let (mut from_client, mut to_client) = client.split();
    let (mut from_registry, mut to_registry) = registry.split();
    let forth = async {
        let (mut buffer, mut of_this) = (vec![0; 16 * 1024], 0);
        while let Ok(read @ 1..) = from_client.read(&mut buffer).await {
            of_this += read;
            sent.fetch_add(read, Ordering::Relaxed);
            if to_registry.write_all(&buffer[..read]).await.is_err() || cut(of_this) {
                return;
            }
        }
    };
    let back = async {
        let _ = tokio::io::copy(&mut from_registry, &mut to_client).await;
    };
    // The end of either way ends both: the sockets are dropped.
    tokio::select! { () = forth => {}, () = back => {} }
}
