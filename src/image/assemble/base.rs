//! The lower layer: what a static binary in an otherwise empty image needs.
//!
//! There is no `/tmp`, no shell and no library: the root is read-only in production, and
//! the server writes nothing.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::USER_ID;
use super::tarball::Entry;

/// Where the bundle of CA roots is, relative to the root; Debian's path, which most TLS stacks know.
pub const CA_BUNDLE: &str = "etc/ssl/certs/ca-certificates.crt";

/// Width of a line of PEM (RFC 7468, section 2).
const PEM_LINE: usize = 64;

pub fn entries() -> Vec<Entry> {
    let user_name = "nonroot";
    let passwd = format!("{user_name}:x:{USER_ID}:{USER_ID}:{user_name}:/:/sbin/nologin\n");
    let group = format!("{user_name}:x:{USER_ID}:\n");
    vec![
        Entry::directory("etc", 0o755),
        Entry::directory("etc/ssl", 0o755),
        Entry::directory("etc/ssl/certs", 0o755),
        Entry::file(CA_BUNDLE, 0o444, ca_bundle().into_bytes()),
        Entry::file("etc/passwd", 0o444, passwd.into_bytes()),
        Entry::file("etc/group", 0o444, group.into_bytes()),
    ]
}

/// Mozilla's root certificates in PEM.
fn ca_bundle() -> String {
    let mut bundle = String::new();
    for certificate in webpki_root_certs::TLS_SERVER_ROOT_CERTS {
        let encoded = STANDARD.encode(certificate);
        bundle.push_str("-----BEGIN CERTIFICATE-----\n");
        let mut rest = encoded.as_str();
        while !rest.is_empty() {
            let (line, tail) = rest.split_at(PEM_LINE.min(rest.len()));
            bundle.push_str(line);
            bundle.push('\n');
            rest = tail;
        }
        bundle.push_str("-----END CERTIFICATE-----\n");
    }
    bundle
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bundle_holds_every_root_in_pem() {
        let bundle = ca_bundle();
        assert!(bundle.lines().all(|line| line.len() <= PEM_LINE));
        let decoded: Vec<Vec<u8>> = bundle
            .split("-----BEGIN CERTIFICATE-----\n")
            .skip(1)
            .map(|block| {
                let (body, _) = block.split_once("-----END").unwrap();
                STANDARD.decode(body.replace('\n', "")).unwrap()
            })
            .collect();
        let roots = webpki_root_certs::TLS_SERVER_ROOT_CERTS;
        assert!(roots.len() > 50, "{}", roots.len());
        assert_eq!(decoded.len(), roots.len());
        assert!(
            decoded
                .iter()
                .zip(roots)
                .all(|(decoded, root)| decoded == root.as_ref())
        );
    }
}
