use bytes::Bytes;
use http::{HeaderMap, header};
use serde::Deserialize;

use super::text;
use crate::aws::client::{AwsAnswer, Refusal};

/// A page of a bucket's objects.
#[derive(Debug, Deserialize, PartialEq)]
#[serde(rename_all = "PascalCase")]
pub struct Listing {
    /// Objects.
    #[serde(default)]
    pub contents: Vec<ListedObject>,
    /// What the keys have in common up to the delimiter: folders.
    #[serde(default)]
    pub common_prefixes: Vec<CommonPrefix>,
    /// Where the next page begins.
    pub next_continuation_token: Option<String>,
}

/// An object of a listing.
#[derive(Debug, Deserialize, PartialEq)]
#[serde(rename_all = "PascalCase")]
pub struct ListedObject {
    /// The key.
    pub key: String,
    /// Bytes.
    pub size: u64,
    /// ISO 8601.
    pub last_modified: String,
    /// The storage class.
    pub storage_class: Option<String>,
}

/// A folder of a listing.
#[derive(Debug, Deserialize, PartialEq)]
#[serde(rename_all = "PascalCase")]
pub struct CommonPrefix {
    /// With the delimiter at its end.
    pub prefix: String,
}

impl Listing {
    /// Reads `ListBucketResult`, whose keys are URL-encoded as was asked: XML
    /// cannot hold every character that a key can.
    pub(super) fn read(xml: &[u8]) -> Option<Self> {
        let mut listing: Self = quick_xml::de::from_reader(xml).ok()?;
        for object in &mut listing.contents {
            object.key = decode(&object.key);
        }
        for folder in &mut listing.common_prefixes {
            folder.prefix = decode(&folder.prefix);
        }
        Some(listing)
    }
}

/// `application/x-www-form-urlencoded`: one pair without a value.
fn decode(encoded: &str) -> String {
    let escaped = encoded.replace('=', "%3D").replace('&', "%26");
    let decoded = url::form_urlencoded::parse(escaped.as_bytes());
    decoded.map(|(name, _)| name.into_owned()).collect()
}

/// What S3 knows about an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectHead {
    /// Bytes.
    pub size: Option<u64>,
    /// As whoever wrote it said.
    pub content_type: Option<String>,
    /// How it is encoded.
    pub content_encoding: Option<String>,
    /// An HTTP date.
    pub last_modified: Option<String>,
    /// Without quotes.
    pub etag: Option<String>,
    /// The version, in a bucket that keeps versions.
    pub version: Option<String>,
    /// Where it is not `STANDARD`.
    pub storage_class: Option<String>,
    /// `x-amz-meta-` headers, by name.
    pub metadata: Vec<(String, String)>,
}

impl ObjectHead {
    pub(super) fn read(headers: &HeaderMap) -> Self {
        let metadata = headers.iter().filter_map(|(name, value)| {
            let name = name.as_str().strip_prefix("x-amz-meta-")?;
            Some((name.to_owned(), value.to_str().ok()?.to_owned()))
        });
        Self {
            size: text(headers, "content-length").and_then(|size| size.parse().ok()),
            content_type: text(headers, "content-type"),
            content_encoding: text(headers, "content-encoding"),
            last_modified: text(headers, "last-modified"),
            etag: text(headers, "etag").map(|etag| etag.trim_matches('"').to_owned()),
            version: text(headers, "x-amz-version-id").filter(|version| version != "null"),
            storage_class: text(headers, "x-amz-storage-class"),
            metadata: metadata.collect(),
        }
    }
}

/// Some bytes of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectPart {
    /// The bytes.
    pub bytes: Bytes,
    /// How many the whole object has.
    pub total: u64,
    /// As whoever wrote it said.
    pub content_type: Option<String>,
}

impl ObjectPart {
    pub(super) fn read(answer: AwsAnswer) -> Self {
        let whole = answer.body.len() as u64;
        let range = answer.headers.get(header::CONTENT_RANGE);
        let total = range
            .and_then(|range| range.to_str().ok()?.rsplit_once('/')?.1.parse().ok())
            .unwrap_or(whole);
        Self {
            total,
            content_type: text(&answer.headers, "content-type"),
            bytes: answer.body.freeze(),
        }
    }

    pub(super) fn empty() -> Self {
        Self {
            bytes: Bytes::new(),
            total: 0,
            content_type: None,
        }
    }
}

/// The error in an answer; a `HEAD` has none but its status.
pub(super) fn refusal(answer: &AwsAnswer) -> Refusal {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Error {
        code: String,
        #[serde(default)]
        message: String,
    }
    let error: Option<Error> = quick_xml::de::from_reader(&answer.body[..]).ok();
    let (code, message) = match error {
        Some(Error { code, message }) => (code, message),
        None => (
            format!("HTTP {}", answer.status.as_u16()),
            "no more is said".to_owned(),
        ),
    };
    Refusal {
        status: answer.status,
        code,
        message,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listing_has_keys_as_they_are() {
        let xml = br#"<?xml version="1.0"?><ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">
            <Name>b</Name><KeyCount>2</KeyCount><IsTruncated>true</IsTruncated><EncodingType>url</EncodingType>
            <NextContinuationToken>tok</NextContinuationToken>
            <Contents><Key>a+b%2Bc%26d%3De.txt</Key><LastModified>2026-01-01T00:00:00.000Z</LastModified><Size>3</Size><StorageClass>STANDARD</StorageClass></Contents>
            <Contents><Key>x%00y</Key><LastModified>2026-01-01T00:00:00.000Z</LastModified><Size>0</Size></Contents>
            <CommonPrefixes><Prefix>f/</Prefix></CommonPrefixes><CommonPrefixes><Prefix>g%2F</Prefix></CommonPrefixes>
            </ListBucketResult>"#;
        let listing = Listing::read(xml).unwrap();
        let keys: Vec<_> = listing
            .contents
            .iter()
            .map(|object| object.key.as_str())
            .collect();
        assert_eq!(keys, ["a b+c&d=e.txt", "x\0y"]);
        let folders: Vec<_> = listing
            .common_prefixes
            .iter()
            .map(|folder| folder.prefix.as_str())
            .collect();
        assert_eq!(folders, ["f/", "g/"]);
        assert_eq!(listing.next_continuation_token.as_deref(), Some("tok"));
        assert_eq!(Listing::read(b"<html>"), None);
    }
}
