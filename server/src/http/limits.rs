use std::collections::HashMap;
use std::num::NonZeroUsize;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http_body::{Frame, SizeHint};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::error_body::ErrorBody;
use crate::auth::{Caller, TokenHash};

/// What a client that comes too often is told to wait for, in seconds.
const RETRY_AFTER_SECONDS: &str = "1";

/// How many requests are served at a time. Clones share the count.
///
/// A request counts until its answer has been sent to its end or given up: an
/// answer is a stream, and the tool runs while it is open.
#[derive(Clone, Debug)]
pub struct Limits {
    in_flight: Arc<Semaphore>,
    callers: Arc<Callers>,
}

/// How many requests each caller has in flight; those with none are not in it,
/// so it is never longer than the limit of all.
#[derive(Debug)]
struct Callers {
    limit: usize,
    counts: Mutex<HashMap<TokenHash, usize>>,
}

impl Limits {
    /// At most `in_flight` requests of all callers, and `per_token` of each.
    pub fn new(in_flight: NonZeroUsize, per_token: NonZeroUsize) -> Self {
        Self {
            in_flight: Arc::new(Semaphore::new(in_flight.get().min(Semaphore::MAX_PERMITS))),
            callers: Arc::new(Callers {
                limit: per_token.get(),
                counts: Mutex::default(),
            }),
        }
    }
}

/// 503 when the server has all the work it takes.
pub(super) async fn limit_all(
    State(limits): State<Limits>,
    request: Request,
    next: Next,
) -> Response {
    let Ok(permit) = Arc::clone(&limits.in_flight).try_acquire_owned() else {
        let message = "the server has as many requests in flight as it takes; try again shortly";
        return too_many(StatusCode::SERVICE_UNAVAILABLE, "overloaded", message);
    };
    hold(permit, next.run(request).await)
}

/// 429 when one caller has all the work that one caller may have.
pub(super) async fn limit_caller(
    State(limits): State<Limits>,
    request: Request,
    next: Next,
) -> Response {
    let caller = request.extensions().get::<Caller>();
    let Some(permit) = caller.and_then(|caller| limits.callers.enter(caller.token.hash())) else {
        let message =
            "this token has as many requests in flight as one token may have; wait for some to end";
        return too_many(StatusCode::TOO_MANY_REQUESTS, "too_many_requests", message);
    };
    hold(permit, next.run(request).await)
}

fn too_many(status: StatusCode, code: &'static str, message: &str) -> Response {
    let body = ErrorBody::new(code, message, true);
    (status, [(header::RETRY_AFTER, RETRY_AFTER_SECONDS)], body).into_response()
}

impl Callers {
    fn enter(self: &Arc<Self>, caller: TokenHash) -> Option<CallerPermit> {
        let mut counts = self.counts();
        let count = counts.entry(caller).or_default();
        if *count >= self.limit {
            return None;
        }
        *count += 1;
        Some(CallerPermit {
            callers: Arc::clone(self),
            caller,
        })
    }

    fn counts(&self) -> MutexGuard<'_, HashMap<TokenHash, usize>> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One request of a caller; dropping it makes room for another.
struct CallerPermit {
    callers: Arc<Callers>,
    caller: TokenHash,
}

impl Drop for CallerPermit {
    fn drop(&mut self) {
        let mut counts = self.callers.counts();
        if let Some(count) = counts.get_mut(&self.caller) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.caller);
            }
        }
    }
}

/// What is held while an answer is sent.
trait Permit: Send + Unpin + 'static {}
impl Permit for OwnedSemaphorePermit {}
impl Permit for CallerPermit {}

fn hold(permit: impl Permit, response: Response) -> Response {
    response.map(|body| {
        Body::new(HeldBody {
            body,
            _permit: permit,
        })
    })
}

struct HeldBody<P> {
    body: Body,
    _permit: P,
}

impl<P: Permit> http_body::Body for HeldBody<P> {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::BearerToken;

    #[test]
    fn a_caller_who_has_left_is_not_remembered() {
        let callers = Arc::new(Callers {
            limit: 2,
            counts: Mutex::default(),
        });
        let hash = |token: &str| BearerToken::parse(token).unwrap().hash();
        let first = callers.enter(hash("a"));
        let second = callers.enter(hash("a"));
        assert!(first.is_some() && second.is_some());
        assert!(callers.enter(hash("a")).is_none(), "two are two");
        let other = callers.enter(hash("b"));
        assert!(other.is_some(), "another caller is not concerned");
        drop(first);
        let third = callers.enter(hash("a"));
        assert!(third.is_some(), "room again");
        drop((second, third, other));
        assert!(callers.counts().is_empty());
    }
}
