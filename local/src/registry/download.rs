//! Pulling blobs, whole or in part.

use std::io::SeekFrom;
use std::sync::Arc;

use axum::body::Body;
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use http::header::{self, HeaderValue};
use http::{Method, StatusCode};
use tokio::fs::File;
use tokio::io::{AsyncReadExt, AsyncSeekExt};
use tokio_util::io::ReaderStream;

use super::DOCKER_CONTENT_DIGEST;
use super::blobs::Digest;
use super::error::Error;
use crate::world::World;

pub(super) async fn blob(
    world: &Arc<World>,
    method: &Method,
    name: &str,
    digest: &str,
    headers: &HeaderMap,
) -> Result<Response, Error> {
    let digest: Digest = digest.parse().map_err(Error::DigestInvalid)?;
    let unknown = || Error::BlobUnknown(digest.to_string());
    let known = world.read(|state| {
        state
            .repository(name)
            .is_some_and(|repository| repository.blobs.contains(digest.as_str()))
    });
    if !known {
        return Err(unknown());
    }
    let size = world.blobs.size(&digest).await?.ok_or_else(unknown)?;
    let range = match headers.get(header::RANGE) {
        Some(range) => parse_range(range, size)?,
        None => None,
    };
    let (start, length) = range.unwrap_or((0, size));
    let body = if method == Method::HEAD {
        Body::empty()
    } else {
        let mut file = File::open(world.blobs.path(&digest)).await?;
        file.seek(SeekFrom::Start(start)).await?;
        Body::from_stream(ReaderStream::new(file.take(length)))
    };
    let mut response = body.into_response();
    let fields = response.headers_mut();
    fields.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    fields.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/octet-stream"),
    );
    fields.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    if let Ok(value) = HeaderValue::from_str(digest.as_str()) {
        fields.insert(DOCKER_CONTENT_DIGEST, value);
    }
    if range.is_some() {
        let last = start + length - 1;
        if let Ok(value) = HeaderValue::from_str(&format!("bytes {start}-{last}/{size}")) {
            fields.insert(header::CONTENT_RANGE, value);
        }
        *response.status_mut() = StatusCode::PARTIAL_CONTENT;
    }
    Ok(response)
}

/// Start and length of a single range; `None` for what RFC 9110 lets a server ignore.
fn parse_range(value: &HeaderValue, size: u64) -> Result<Option<(u64, u64)>, Error> {
    let Some((first, last)) = value
        .to_str()
        .ok()
        .and_then(|text| text.strip_prefix("bytes="))
        .and_then(|range| range.split_once('-'))
    else {
        return Ok(None);
    };
    let (start, end) = match (first.trim().parse::<u64>(), last.trim().parse::<u64>()) {
        (Ok(start), Ok(end)) if start <= end => (start, end.min(size.saturating_sub(1))),
        (Ok(start), Err(_)) if last.trim().is_empty() => (start, size.saturating_sub(1)),
        (Err(_), Ok(suffix)) if first.trim().is_empty() && suffix > 0 => {
            (size.saturating_sub(suffix), size.saturating_sub(1))
        }
        _ => return Ok(None),
    };
    if start >= size {
        return Err(Error::RangeUnsatisfiable(size));
    }
    Ok(Some((start, end - start + 1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges() {
        let cases = [
            ("bytes=0-4", Some((0, 5))),
            ("bytes=5-", Some((5, 5))),
            ("bytes=5-100", Some((5, 5))),
            ("bytes=-3", Some((7, 3))),
            ("bytes=-30", Some((0, 10))),
            ("bytes=0-1,4-5", None),
            ("bytes=4-1", None),
            ("lines=0-1", None),
        ];
        for (text, expected) in cases {
            let value = HeaderValue::from_static(text);
            assert_eq!(parse_range(&value, 10).unwrap(), expected, "{text}");
        }
        assert!(parse_range(&HeaderValue::from_static("bytes=10-"), 10).is_err());
    }
}
