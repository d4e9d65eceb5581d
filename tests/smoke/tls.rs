//! Over TLS, by the real binary: the certificate is this test's own CA's.

use std::io;
use std::net::SocketAddr;

use axum::http::StatusCode;
use axum::response::IntoResponse;
use axum::serve::Listener;
use jiff::{SignedDuration, Timestamp};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::support::cli::{Cli, Run};
use crate::support::tls::acceptor;

struct TlsListener {
    listener: TcpListener,
    acceptor: TlsAcceptor,
}

impl Listener for TlsListener {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        loop {
            let (stream, peer) = self.listener.accept().await.unwrap();
            // A client that does not like the certificate goes away.
            if let Ok(stream) = self.acceptor.accept(stream).await {
                return (stream, peer);
            }
        }
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        self.listener.local_addr()
    }
}

/// Runs `smoke` against a server whose certificate ends after `days`.
fn smoke_over_tls(days: i64, trusted: bool) -> Run {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let ca = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    let day = |days: i64| {
        let at =
            Timestamp::now() + SignedDuration::from_hours(24 * days) + SignedDuration::from_mins(5);
        std::time::SystemTime::from(at).into()
    };
    (params.not_before, params.not_after) = (day(-100), day(days));
    let certificate = params.signed_by(&key, &ca).unwrap();

    let runtime = tokio::runtime::Runtime::new().unwrap();
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
    let port = listener.local_addr().unwrap().port();
    let listener = TlsListener {
        listener,
        acceptor: acceptor(&certificate, &key),
    };
    let refuse =
        || async { (StatusCode::UNAUTHORIZED, [("www-authenticate", "Bearer")]).into_response() };
    let app = axum::Router::new().fallback(refuse);
    runtime.spawn(async move { axum::serve(listener, app).await.unwrap() });

    let cli = Cli::new();
    cli.write("ca.pem", &ca.pem());
    cli.write(
        "quilt-mcp.toml",
        &format!(
            "[environments.staging]\naccount_id = \"123456789012\"\nregion = \"us-east-1\"\n\
             repository = \"quilt-mcp\"\ncluster = \"quilt\"\nservice = \"mcp\"\n\
             url = \"https://localhost:{port}/mcp/\"\n"
        ),
    );
    let file = cli.work().join("ca.pem");
    let cli = match trusted {
        true => cli.variable("SSL_CERT_FILE", file),
        false => cli,
    };
    cli.run(&["smoke", "--env", "staging", "--output", "json"])
}

#[test]
fn the_encryption_is_told() {
    let result = smoke_over_tls(90, true).result();
    let transport = &result["smoke"]["transport"];
    assert_eq!(transport["encryption"], "tls");
    assert_eq!(transport["protocol"], "TLSv1.3");
    assert!(
        transport["cipher"].as_str().unwrap().starts_with("TLS_"),
        "{transport}"
    );
    assert_eq!(transport["certificate"]["days_left"], 90);
    assert!(
        !result["smoke"]["warnings"].to_string().contains("ends in"),
        "{result}"
    );
}

#[test]
fn a_certificate_that_ends_soon_is_warned_of() {
    let run = smoke_over_tls(20, true);
    assert_eq!(run.result()["smoke"]["handshake"], "unauthenticated");
    assert!(run.stderr.contains("ends in 20 days"), "{run:?}");
}

#[test]
fn an_expired_or_foreign_certificate_fails() {
    for (days, trusted, says) in [
        (-1, true, "expired"),
        (90, false, "certificate is not accepted"),
    ] {
        let run = smoke_over_tls(days, trusted);
        run.assert_refusal(12, &[says]);
        assert_eq!(run.json()["error"]["exit_code"], 12);
    }
}
