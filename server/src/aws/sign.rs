//! AWS Signature Version 4 (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv.html>).

use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{
    PayloadChecksumKind, PercentEncodingMode, SignableBody, SignableRequest, SignatureLocation,
    SigningSettings, UriPathNormalizationMode, sign,
};
use aws_sigv4::sign::v4;
use http::{HeaderMap, HeaderName, HeaderValue};
use url::Url;

use super::region::Region;
use crate::registry::LentCredentials;

/// What a signature is made for.
pub(super) struct Scope<'a> {
    /// The service's signing name.
    pub(super) service: &'static str,
    /// The region that answers.
    pub(super) region: &'a Region,
    /// Whose credentials sign.
    pub(super) credentials: &'a LentCredentials,
}

/// The request cannot be signed.
#[derive(Clone, Copy, Debug)]
pub(super) struct SigningFailed;

impl Scope<'_> {
    /// The headers that authorise this request.
    pub(super) fn headers(
        &self,
        method: &str,
        url: &Url,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Result<HeaderMap, SigningFailed> {
        let mut settings = self.settings();
        settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
        let signable = SignableRequest::new(
            method,
            url.as_str(),
            headers.iter().copied(),
            SignableBody::Bytes(body),
        )
        .map_err(|_| SigningFailed)?;
        let instructions = self.sign(signable, settings)?;
        let mut signed = HeaderMap::new();
        for (name, value) in instructions.headers() {
            let name = HeaderName::try_from(name).map_err(|_| SigningFailed)?;
            let mut value = HeaderValue::try_from(value).map_err(|_| SigningFailed)?;
            value.set_sensitive(true);
            signed.insert(name, value);
        }
        Ok(signed)
    }

    /// The URL with a signature in it, good for a GET until `expires_in` is over.
    pub(super) fn presigned(&self, url: &Url, expires_in: Duration) -> Result<Url, SigningFailed> {
        let mut settings = self.settings();
        settings.signature_location = SignatureLocation::QueryParams;
        settings.expires_in = Some(expires_in);
        let nothing = std::iter::empty();
        let signable =
            SignableRequest::new("GET", url.as_str(), nothing, SignableBody::UnsignedPayload)
                .map_err(|_| SigningFailed)?;
        let instructions = self.sign(signable, settings)?;
        let mut presigned = url.clone();
        presigned
            .query_pairs_mut()
            .extend_pairs(instructions.params());
        Ok(presigned)
    }

    fn sign(
        &self,
        request: SignableRequest<'_>,
        settings: SigningSettings,
    ) -> Result<aws_sigv4::http_request::SigningInstructions, SigningFailed> {
        let lent = self.credentials;
        let identity = Credentials::new(
            &lent.access_key_id,
            &lent.secret_access_key,
            Some(lent.session_token.clone()),
            Some(lent.expires),
            "registry",
        )
        .into();
        let params = v4::SigningParams::builder()
            .identity(&identity)
            .region(self.region.as_str())
            .name(self.service)
            .time(SystemTime::now())
            .settings(settings)
            .build()
            .map_err(|_| SigningFailed)?
            .into();
        let (instructions, _) = sign(request, &params)
            .map_err(|_| SigningFailed)?
            .into_parts();
        Ok(instructions)
    }

    /// S3 signs a path as it is sent; the other services, encoded once more.
    fn settings(&self) -> SigningSettings {
        let mut settings = SigningSettings::default();
        if self.service == "s3" {
            settings.percent_encoding_mode = PercentEncodingMode::Single;
            settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
        }
        settings
    }
}
