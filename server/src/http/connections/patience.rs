//! How long a connection may wait for a request.
//!
//! A head that has begun must come soon, but a connection between two requests may be idle for
//! long. hyper has one limit for both (`header_read_timeout`): it asks its timer for a sleep when it
//! begins to wait for a head, before the first byte, and drops that sleep when the head is whole. So
//! the timer here gives it sleeps that know the difference: they hear of the bytes that are read.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use hyper::rt::{Sleep, Timer};
use tokio::io::AsyncRead;
use tokio::sync::futures::OwnedNotified;
use tokio::sync::{Notify, watch};
use tokio::time::sleep;
use tokio_util::io::InspectReader;

/// How long a request's head may take from its first byte, and the first byte of a new connection: a
/// load balancer connects when it has a request to send.
pub(super) const HEAD_TIME: Duration = Duration::from_secs(75);
/// How long a connection may be idle after a request: longer than a load balancer's longest idle
/// timeout (1 to 4000 seconds: Elastic Load Balancing API, `LoadBalancerAttribute`), so that it is
/// never we who close first. A request that meets the end of its connection is a 502 for the client
/// ("the keep-alive duration of the target is shorter than the idle timeout value of the load
/// balancer": AWS, "Troubleshoot your Application Load Balancers", on HTTP 502).
const IDLE_TIME: Duration = Duration::from_secs(4010);

/// The patience with one connection, as hyper's timer.
pub(super) struct Patience {
    bytes_read: Arc<Notify>,
    all_slots_taken: watch::Receiver<bool>,
    is_new: AtomicBool,
}

impl Patience {
    /// For a new connection. While every slot is taken it may be idle for [`HEAD_TIME`] only: idle
    /// connections keep nobody out for longer than slow ones do.
    pub(super) fn new(all_slots_taken: watch::Receiver<bool>) -> Self {
        Self {
            bytes_read: Arc::default(),
            all_slots_taken,
            is_new: AtomicBool::new(true),
        }
    }

    /// The connection's stream, so that what is read from it is heard of here.
    pub(super) fn observe<S: AsyncRead>(
        &self,
        stream: S,
    ) -> InspectReader<S, impl FnMut(&[u8]) + use<S>> {
        let bytes_read = Arc::clone(&self.bytes_read);
        InspectReader::new(stream, move |_| bytes_read.notify_waiters())
    }

    /// For the next head. Bytes that were read before are the last request's: what a client sends
    /// of a head before it has its answer counts from its next byte.
    fn with_next_head(&self) -> Pin<Box<dyn Sleep>> {
        let first_byte = Arc::clone(&self.bytes_read).notified_owned();
        let is_new = self.is_new.swap(false, Ordering::Relaxed);
        let end = end_of_patience(first_byte, is_new, self.all_slots_taken.clone());
        Box::pin(EndOfPatience(Box::pin(end)))
    }
}

async fn end_of_patience(
    first_byte: OwnedNotified,
    is_new: bool,
    all_slots_taken: watch::Receiver<bool>,
) {
    tokio::select! {
        biased;
        () = first_byte => sleep(HEAD_TIME).await,
        () = end_of_idleness(is_new, all_slots_taken) => {}
    }
}

async fn end_of_idleness(is_new: bool, mut all_slots_taken: watch::Receiver<bool>) {
    sleep(HEAD_TIME).await;
    if is_new {
        return;
    }
    tokio::select! {
        () = sleep(IDLE_TIME - HEAD_TIME) => {}
        Ok(_) = all_slots_taken.wait_for(|&all_taken| all_taken) => {}
    }
}

/// When a head is waited for is all that hyper asks its timer for; how long is said here.
impl Timer for Patience {
    fn sleep(&self, _: Duration) -> Pin<Box<dyn Sleep>> {
        self.with_next_head()
    }

    fn sleep_until(&self, _: Instant) -> Pin<Box<dyn Sleep>> {
        self.with_next_head()
    }
}

struct EndOfPatience(Pin<Box<dyn Future<Output = ()> + Send + Sync>>);

impl Future for EndOfPatience {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        self.0.as_mut().poll(context)
    }
}

impl Sleep for EndOfPatience {}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::routing::get;
    use futures::FutureExt as _;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
    use tokio::time::Instant;

    use super::super::connection;
    use super::super::slots::Slots;
    use super::*;

    const ANSWER: &str = "here you are";
    /// The longest that a tool may take.
    const LONGEST_CALL: Duration = Duration::from_secs(110);

    const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n";
    const UNREAD_BODY: &[u8] = b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\n";

    /// A client whose connection's server waits by a clock that leaps.
    struct Client(DuplexStream);

    impl Client {
        fn connect(slots: &Slots) -> Self {
            let slot = slots.take().now_or_never();
            let (client, server) = tokio::io::duplex(64 * 1024);
            let app = Router::new().route("/", get(|| async { ANSWER })).route(
                "/slow",
                get(|| async {
                    sleep(LONGEST_CALL).await;
                    ANSWER
                }),
            );
            let connection = connection(server, app, slots.all_taken());
            tokio::spawn(async move {
                let _ = connection.await;
                drop(slot);
            });
            Self(client)
        }

        async fn send(&mut self, bytes: &[u8]) {
            self.0.write_all(bytes).await.unwrap();
        }

        async fn is_answered(&mut self) {
            let mut answer = Vec::new();
            while !answer.ends_with(ANSWER.as_bytes()) {
                let read = self.0.read_buf(&mut answer).await.unwrap();
                assert_ne!(read, 0, "closed: {}", String::from_utf8_lossy(&answer));
            }
        }

        async fn asks(&mut self) {
            self.send(REQUEST).await;
            self.is_answered().await;
        }

        /// How many seconds it takes until the server closes.
        async fn seconds_until_closed(&mut self) -> u64 {
            let begin = Instant::now();
            assert_eq!(self.0.read(&mut [0]).await.unwrap(), 0);
            begin.elapsed().as_secs()
        }

        /// The same, while a byte more of a head comes every ten seconds.
        async fn seconds_until_closed_trickling(&mut self) -> u64 {
            let (mut from_server, mut to_server) = tokio::io::split(&mut self.0);
            let begin = Instant::now();
            let trickle = async {
                loop {
                    to_server.write_all(b"G").await.unwrap();
                    sleep(Duration::from_secs(10)).await;
                }
            };
            let mut answer = [0];
            tokio::select! {
                read = from_server.read(&mut answer) => assert_eq!(read.unwrap(), 0),
                () = trickle => unreachable!("it has no end"),
            }
            begin.elapsed().as_secs()
        }
    }

    async fn pass(seconds: u64) {
        sleep(Duration::from_secs(seconds)).await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_load_balancer_closes_before_us() {
        let mut client = Client::connect(&Slots::new(2));
        client.asks().await;
        for idle in [60, 1000, 4000] {
            pass(idle).await;
            client.asks().await;
        }
        assert_eq!(client.seconds_until_closed().await, IDLE_TIME.as_secs());
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_nobody_read_is_no_head() {
        let mut client = Client::connect(&Slots::new(2));
        client.send(UNREAD_BODY).await;
        client.send(b"body").await;
        client.is_answered().await;
        pass(1000).await;
        client.asks().await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_head_that_trickles_is_cut() {
        let mut client = Client::connect(&Slots::new(2));
        assert_eq!(client.seconds_until_closed_trickling().await, 75);

        let mut client = Client::connect(&Slots::new(2));
        client.asks().await;
        pass(1000).await;
        assert_eq!(client.seconds_until_closed_trickling().await, 75);
    }

    #[tokio::test(start_paused = true)]
    async fn a_head_that_comes_in_time_is_answered() {
        let mut client = Client::connect(&Slots::new(2));
        pass(74).await;
        for idle in [1, 1000] {
            let (begin, end) = REQUEST.split_at(10);
            client.send(begin).await;
            pass(74).await;
            client.send(end).await;
            client.is_answered().await;
            pass(idle).await;
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_may_take_longer_than_a_head() {
        let mut client = Client::connect(&Slots::new(2));
        client.send(b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n").await;
        client.is_answered().await;
        client.asks().await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_new_connection_that_says_nothing_is_closed() {
        let mut client = Client::connect(&Slots::new(2));
        assert_eq!(client.seconds_until_closed().await, 75);
    }

    #[tokio::test(start_paused = true)]
    async fn idle_connections_make_room() {
        let slots = Slots::new(2);
        let mut old = Client::connect(&slots);
        old.asks().await;
        pass(1000).await;
        let mut young = Client::connect(&slots);
        young.asks().await;
        let begin = Instant::now();
        let _first = slots.take().await;
        assert_eq!(begin.elapsed().as_secs(), 0, "the old one goes at once");
        let _second = slots.take().await;
        assert_eq!(begin.elapsed().as_secs(), 75, "the young one has its time");
        assert_eq!(old.seconds_until_closed().await, 0);
        assert_eq!(young.seconds_until_closed().await, 0);
    }
}
