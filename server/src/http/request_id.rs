use std::hash::{BuildHasher, RandomState};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::http::HeaderMap;

/// Headers that may already name the request: the load balancer's first.
const HEADERS: [&str; 2] = ["x-amzn-trace-id", "x-request-id"];
/// A longer id is not an id, in bytes.
const LIMIT: usize = 256;

/// What names a request in the log: as its headers have it, or else made here.
pub(super) fn request_id(headers: &HeaderMap) -> String {
    HEADERS
        .iter()
        .filter_map(|name| headers.get(*name)?.to_str().ok())
        .find(|id| !id.is_empty() && id.len() <= LIMIT)
        .map_or_else(next, str::to_owned)
}

/// The process's random name and the request's number in it.
///
/// The randomness is the standard library's, which asks the kernel itself: a
/// static binary in an empty root has no /dev/urandom to read.
fn next() -> String {
    static PROCESS: LazyLock<u64> = LazyLock::new(|| RandomState::new().hash_one("process"));
    static NUMBER: AtomicU64 = AtomicU64::new(1);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    format!("{:016x}-{number}", *PROCESS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_usable_header_names_the_request() {
        let mut headers = HeaderMap::new();
        headers.insert("x-request-id", "mine".parse().unwrap());
        assert_eq!(request_id(&headers), "mine");
        headers.insert("x-amzn-trace-id", "Root=1-2-3".parse().unwrap());
        assert_eq!(request_id(&headers), "Root=1-2-3");
        headers.insert("x-amzn-trace-id", "x".repeat(LIMIT + 1).parse().unwrap());
        assert_eq!(request_id(&headers), "mine");
    }

    #[test]
    fn made_ids_differ() {
        let headers = HeaderMap::new();
        assert_ne!(request_id(&headers), request_id(&headers));
    }
}
