//! Amazon S3's REST API, as much as the tools use
//! (<https://docs.aws.amazon.com/AmazonS3/latest/API/>).

mod address;
mod answers;

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode};
use moka::sync::Cache;
use url::Url;

use super::client::{AwsAnswer, AwsClient, AwsRequest};
use super::error::AwsError;
use super::region::Region;
use crate::auth::BearerToken;
pub use address::{ObjectKey, S3Address};
pub use answers::{Listing, ObjectHead, ObjectPart};

/// How many buckets' regions are remembered.
const BUCKETS: u64 = 10_000;

/// S3 for one caller at a time. Clones share what they know of buckets.
#[derive(Clone, Debug)]
pub struct S3 {
    client: AwsClient,
    regions: Cache<String, Region>,
}

/// One request to S3, before it is known where the bucket is.
struct S3Request<'a> {
    operation: &'static str,
    method: Method,
    bucket: &'a str,
    key: Option<&'a str>,
    query: Vec<(&'static str, String)>,
    headers: Vec<(&'static str, String)>,
    body: Bytes,
}

impl S3 {
    /// S3 through `client`.
    pub fn new(client: AwsClient) -> Self {
        let regions = Cache::new(BUCKETS);
        Self { client, regions }
    }

    /// What a bucket has under a prefix (`ListObjectsV2`).
    ///
    /// # Errors
    /// When S3 does not say.
    pub async fn list(
        &self,
        token: &BearerToken,
        bucket: &str,
        query: Vec<(&'static str, String)>,
    ) -> Result<Listing, AwsError> {
        let operation = "ListObjectsV2";
        let mut all = vec![
            ("list-type", "2".to_owned()),
            ("encoding-type", "url".to_owned()),
        ];
        all.extend(query);
        let request = S3Request {
            query: all,
            ..S3Request::new(operation, Method::GET, bucket)
        };
        let answer = self.send(token, request).await?;
        Listing::read(&answer.body).ok_or(AwsError::Unreadable { operation })
    }

    /// What S3 knows about an object (`HeadObject`).
    ///
    /// # Errors
    /// When there is no such object, or S3 does not say.
    pub async fn head(
        &self,
        token: &BearerToken,
        object: &S3Address,
    ) -> Result<ObjectHead, AwsError> {
        let request = S3Request::about("HeadObject", Method::HEAD, object);
        let answer = self.send(token, request).await?;
        Ok(ObjectHead::read(&answer.headers))
    }

    /// A part of an object (`GetObject` with a range): at most `length` bytes from `offset`.
    ///
    /// # Errors
    /// When there is no such object or part, or S3 does not give it.
    pub async fn get(
        &self,
        token: &BearerToken,
        object: &S3Address,
        offset: u64,
        length: u64,
    ) -> Result<ObjectPart, AwsError> {
        let last = offset.saturating_add(length).saturating_sub(1);
        let mut request = S3Request::about("GetObject", Method::GET, object);
        request
            .headers
            .push(("range", format!("bytes={offset}-{last}")));
        match self.send(token, request).await {
            Ok(answer) => Ok(ObjectPart::read(answer)),
            // No range fits an object without bytes.
            Err(AwsError::Refused { code, .. }) if code == "InvalidRange" && offset == 0 => {
                Ok(ObjectPart::empty())
            }
            Err(error) => Err(error),
        }
    }

    /// Writes an object (`PutObject`); only if there is none yet, unless `overwrite`.
    /// Gives the version, in a bucket that keeps versions.
    ///
    /// # Errors
    /// When S3 does not take it; `PreconditionFailed` when the object exists.
    pub async fn put(
        &self,
        token: &BearerToken,
        object: &S3Address,
        content_type: &str,
        body: Bytes,
        overwrite: bool,
    ) -> Result<Option<String>, AwsError> {
        let mut request = S3Request::about("PutObject", Method::PUT, object);
        request
            .headers
            .push(("content-type", content_type.to_owned()));
        if !overwrite {
            request.headers.push(("if-none-match", "*".to_owned()));
        }
        request.body = body;
        let answer = self.send(token, request).await?;
        Ok(text(&answer.headers, "x-amz-version-id"))
    }

    /// A URL that downloads an object, and how long it is good for.
    ///
    /// # Errors
    /// When there are no credentials to sign it with.
    pub async fn presign(
        &self,
        token: &BearerToken,
        object: &S3Address,
        expires_in: Duration,
    ) -> Result<(Url, Duration), AwsError> {
        let request = S3Request::about("GetObject", Method::GET, object);
        let region = self.region_of(&object.bucket);
        let url = self.url(&request, &region)?;
        self.client.presign(token, &region, &url, expires_in).await
    }

    /// Sends a request to the bucket's region; where S3 says that it is another
    /// than was thought, once more to that one.
    async fn send(
        &self,
        token: &BearerToken,
        request: S3Request<'_>,
    ) -> Result<AwsAnswer, AwsError> {
        let region = self.region_of(request.bucket);
        let answer = self.send_to(token, &request, &region).await?;
        let answer = match moved(&answer, &region) {
            Some(other) => {
                self.regions
                    .insert(request.bucket.to_owned(), other.clone());
                self.send_to(token, &request, &other).await?
            }
            None => answer,
        };
        if answer.status.is_success() {
            return Ok(answer);
        }
        let refusal = answers::refusal(&answer);
        let operation = request.operation;
        Err(self
            .client
            .refusal(token, operation, request.resource(), refusal)
            .await)
    }

    async fn send_to(
        &self,
        token: &BearerToken,
        request: &S3Request<'_>,
        region: &Region,
    ) -> Result<AwsAnswer, AwsError> {
        let aws_request = AwsRequest {
            service: "s3",
            operation: request.operation,
            region,
            method: request.method.clone(),
            url: self.url(request, region)?,
            headers: request.headers.clone(),
            body: request.body.clone(),
        };
        self.client.send(token, aws_request).await
    }

    fn region_of(&self, bucket: &str) -> Region {
        let known = self.regions.get(bucket);
        known.unwrap_or_else(|| self.client.aws.region.clone())
    }

    fn url(&self, request: &S3Request<'_>, region: &Region) -> Result<Url, AwsError> {
        let endpoint = self.client.aws.endpoint.as_ref();
        let operation = request.operation;
        let mut url = address::url(endpoint, region, request.bucket, request.key)
            .ok_or(AwsError::Unsignable { operation })?;
        let query: Vec<_> = request
            .query
            .iter()
            .map(|(name, value)| format!("{name}={}", address::encode(value, false)))
            .collect();
        if !query.is_empty() {
            url.set_query(Some(&query.join("&")));
        }
        Ok(url)
    }
}

impl<'a> S3Request<'a> {
    fn new(operation: &'static str, method: Method, bucket: &'a str) -> Self {
        Self {
            operation,
            method,
            bucket,
            key: None,
            query: Vec::new(),
            headers: Vec::new(),
            body: Bytes::new(),
        }
    }

    fn about(operation: &'static str, method: Method, object: &'a S3Address) -> Self {
        let version = object.version.iter();
        Self {
            key: Some(object.key.as_str()),
            query: version
                .map(|version| ("versionId", version.clone()))
                .collect(),
            ..Self::new(operation, method, &object.bucket)
        }
    }

    fn resource(&self) -> String {
        match self.key {
            Some(key) => format!("object s3://{}/{key}", self.bucket),
            None => format!("bucket {}", self.bucket),
        }
    }
}

/// The bucket's region, when S3 answers that it is not the one that was asked.
fn moved(answer: &AwsAnswer, asked: &Region) -> Option<Region> {
    let statuses = [
        StatusCode::MOVED_PERMANENTLY,
        StatusCode::TEMPORARY_REDIRECT,
        StatusCode::BAD_REQUEST,
        StatusCode::FORBIDDEN,
    ];
    if !statuses.contains(&answer.status) {
        return None;
    }
    let region = text(&answer.headers, "x-amz-bucket-region")?;
    Region::parse(&region).ok().filter(|region| region != asked)
}

fn text(headers: &HeaderMap, name: &str) -> Option<String> {
    headers.get(name)?.to_str().ok().map(str::to_owned)
}
