//! The certification authorities that the registry's certificate is checked against.

use reqwest::Certificate;

/// Where the roots came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RootSource {
    /// The platform's bundle, or the one that `SSL_CERT_FILE` or `SSL_CERT_DIR` names.
    Platform,
    /// Mozilla's list, as built into the binary.
    Embedded,
}

/// The platform's roots, or the embedded ones where the platform has none.
///
/// An image that holds nothing but the binary has no bundle, and must still be
/// able to reach the registry.
pub fn trusted_roots() -> (Vec<Certificate>, RootSource) {
    let platform: Vec<_> = rustls_native_certs::load_native_certs()
        .certs
        .iter()
        .filter_map(|der| Certificate::from_der(der).ok())
        .collect();
    if !platform.is_empty() {
        return (platform, RootSource::Platform);
    }
    let embedded = webpki_root_certs::TLS_SERVER_ROOT_CERTS
        .iter()
        .filter_map(|der| Certificate::from_der(der).ok())
        .collect();
    (embedded, RootSource::Embedded)
}
