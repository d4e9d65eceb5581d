//! The connection's encryption, looked at on a connection of its own.
//!
//! reqwest shows the certificate only, not TLS's version and cipher; the verifier is the
//! same, so what is accepted here is accepted there.

use std::sync::Arc;
use std::time::Instant;

use jiff::Timestamp;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection};
use rustls_platform_verifier::BuilderVerifierExt;
use schemars::JsonSchema;
use serde::Serialize;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use url::Url;
use x509_parser::prelude::{FromDer, X509Certificate};

use super::exchange::Endpoint;

/// A certificate that ends sooner than this is worth a warning, in days.
pub const EXPIRY_WARNING_DAYS: i64 = 21;

/// The connection's encryption.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(tag = "encryption", rename_all = "snake_case")]
pub enum Transport {
    /// None: plain HTTP.
    None,
    /// TLS.
    Tls {
        /// `TLSv1.3`, as rustls names it.
        protocol: String,
        /// The cipher suite, as the IANA names it.
        cipher: String,
        /// The server's certificate.
        certificate: Option<Certificate>,
    },
    /// TLS by the URL, but it could not be looked at (behind a proxy, for example).
    Unknown {
        /// Why.
        reason: String,
    },
}

/// A server's certificate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Certificate {
    /// Whom it names.
    pub subject: String,
    /// Who says so.
    pub issuer: String,
    /// Until when it is good.
    pub expires_at: Timestamp,
    /// Whole days until then.
    pub days_left: i64,
}

impl Transport {
    pub(super) fn warnings(&self) -> Option<String> {
        match self {
            Self::None => Some("plain http: tokens travel unencrypted".into()),
            Self::Unknown { reason } => Some(format!("the TLS facts are not known: {reason}")),
            Self::Tls {
                certificate: Some(certificate),
                ..
            } if certificate.days_left < EXPIRY_WARNING_DAYS => Some(format!(
                "the certificate of {} ends in {} days, on {}",
                certificate.subject, certificate.days_left, certificate.expires_at
            )),
            Self::Tls { .. } => None,
        }
    }
}

/// Looks at the endpoint's encryption; the requests before have shown whether it is good.
pub(super) async fn look(endpoint: &mut Endpoint) -> Transport {
    if endpoint.url.scheme() != "https" {
        return Transport::None;
    }
    let began = Instant::now();
    let looked = tokio::time::timeout(endpoint.patience, connect(&endpoint.url)).await;
    endpoint.took("tls", began.elapsed());
    match looked {
        Ok(Ok(transport)) => transport,
        Ok(Err(reason)) => Transport::Unknown { reason },
        Err(_) => Transport::Unknown {
            reason: "no TLS handshake in time on a direct connection".into(),
        },
    }
}

async fn connect(url: &Url) -> Result<Transport, String> {
    let host = url.host_str().ok_or("the url names no host")?;
    let port = url.port_or_known_default().unwrap_or(443);
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let name = ServerName::try_from(bare.to_owned()).map_err(|error| error.to_string())?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .with_platform_verifier()
        .map_err(|error| error.to_string())?
        .with_no_client_auth();
    let stream = TcpStream::connect((bare, port))
        .await
        .map_err(|error| error.to_string())?;
    let stream = TlsConnector::from(Arc::new(config))
        .connect(name, stream)
        .await
        .map_err(|error| error.to_string())?;
    Ok(facts(stream.get_ref().1))
}

fn facts(connection: &ClientConnection) -> Transport {
    Transport::Tls {
        protocol: connection
            .protocol_version()
            .and_then(|version| version.as_str())
            .unwrap_or("unknown")
            .replace('_', "."),
        cipher: connection
            .negotiated_cipher_suite()
            .and_then(|suite| suite.suite().as_str())
            .unwrap_or("unknown")
            .replace("TLS13_", "TLS_"),
        certificate: connection
            .peer_certificates()
            .and_then(|chain| chain.first())
            .and_then(|der| certificate(der, Timestamp::now())),
    }
}

fn certificate(der: &[u8], now: Timestamp) -> Option<Certificate> {
    let (_, parsed) = X509Certificate::from_der(der).ok()?;
    let ends = parsed.validity().not_after.timestamp();
    Some(Certificate {
        subject: parsed.subject().to_string(),
        issuer: parsed.issuer().to_string(),
        expires_at: Timestamp::from_second(ends).ok()?,
        days_left: (ends - now.as_second()).div_euclid(24 * 60 * 60),
    })
}
