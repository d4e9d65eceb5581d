//! A proxy before a registry that makes trouble with some requests, and may want a token of its own.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, Method, Response, StatusCode};
use futures::StreamExt;
use tokio::net::TcpListener;

/// What happens to a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Trouble {
    /// Its body ends in the middle, and so does the connection.
    CutRequest,
    /// It is carried out, but its answer is lost.
    CutAnswer,
    /// It is answered with 503.
    Unavailable,
    /// It is answered with 429.
    TooMany,
    /// It takes its time.
    Slow,
    /// It is carried out, but answered with another digest.
    WrongDigest,
    /// What let it in has ended (401).
    Expired,
    /// The same, as ECR says it (403, without a challenge).
    Denied,
}

pub const TROUBLES: [Trouble; 8] = [
    Trouble::CutRequest,
    Trouble::CutAnswer,
    Trouble::Unavailable,
    Trouble::TooMany,
    Trouble::Slow,
    Trouble::WrongDigest,
    Trouble::Expired,
    Trouble::Denied,
];

/// Decides, for the n-th request, what trouble it meets.
pub type Plan = Arc<dyn Fn(usize) -> Option<Trouble> + Send + Sync>;

#[derive(Clone)]
struct Proxy {
    address: SocketAddr,
    upstream: String,
    client: reqwest::Client,
    plan: Plan,
    requests: Arc<AtomicUsize>,
    met: Arc<Mutex<Vec<Trouble>>>,
    /// Bytes of request bodies that reached the registry.
    received: Arc<AtomicUsize>,
    tokens: Option<Tokens>,
}

/// How many tokens were sold, each of them good until it is refused, and the `Authorization` that
/// buys one.
#[derive(Clone)]
struct Tokens {
    price: String,
    sold: Arc<AtomicUsize>,
    refused: Arc<Mutex<BTreeSet<String>>>,
}

/// A running proxy.
pub struct Troublesome {
    pub host: String,
    met: Arc<Mutex<Vec<Trouble>>>,
    received: Arc<AtomicUsize>,
    tokens: Option<Tokens>,
}

impl Troublesome {
    /// A proxy before the registry at `upstream` (host and port) without TLS.
    pub async fn start(upstream: &str, plan: Plan) -> Self {
        Self::with(upstream, plan, None).await
    }

    /// The same, which wants a token (Distribution's "Token Authentication Specification") that
    /// `price`, an `Authorization` header, buys.
    pub async fn with_tokens(upstream: &str, plan: Plan, price: &str) -> Self {
        let tokens = Tokens {
            price: price.to_owned(),
            sold: Arc::default(),
            refused: Arc::default(),
        };
        Self::with(upstream, plan, Some(tokens)).await
    }

    async fn with(upstream: &str, plan: Plan, tokens: Option<Tokens>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let proxy = Proxy {
            address,
            upstream: upstream.to_owned(),
            client: reqwest::Client::builder().no_proxy().build().unwrap(),
            plan,
            requests: Arc::default(),
            met: Arc::default(),
            received: Arc::default(),
            tokens: tokens.clone(),
        };
        let running = Self {
            host: address.to_string(),
            met: proxy.met.clone(),
            received: proxy.received.clone(),
            tokens,
        };
        let router = Router::new().fallback(pass).with_state(proxy);
        tokio::spawn(async move { axum::serve(listener, router).await });
        running
    }

    /// The troubles that requests met.
    pub fn met(&self) -> Vec<Trouble> {
        self.met.lock().unwrap().clone()
    }

    /// Bytes of request bodies that were passed on.
    pub fn received(&self) -> usize {
        self.received.load(Ordering::Relaxed)
    }

    /// How many tokens were sold.
    pub fn tokens_sold(&self) -> usize {
        let tokens = self.tokens.as_ref().unwrap();
        tokens.sold.load(Ordering::Relaxed)
    }
}

/// What ECR answers when a token of its own has ended.
pub const ENDED: &str = "Your authorization token has expired. Reauthenticate and try again.";

fn refusal(status: u16, code: &str) -> Response<Body> {
    saying(status, code, "trouble")
}

fn saying(status: u16, code: &str, message: &str) -> Response<Body> {
    let body = format!(r#"{{"errors":[{{"code":"{code}","message":"{message}"}}]}}"#);
    Response::builder()
        .status(status)
        .body(Body::from(body))
        .unwrap()
}

/// An answer that breaks the connection once it is read; one without a body cannot.
fn broken(method: &Method) -> Response<Body> {
    if method == Method::HEAD {
        return refusal(502, "");
    }
    let cut = futures::stream::iter([Err::<axum::body::Bytes, _>(std::io::Error::other("cut"))]);
    Response::new(Body::from_stream(cut))
}

async fn pass(State(proxy): State<Proxy>, request: Request) -> Response<Body> {
    if request.uri().path() == "/token" {
        return proxy.sell(&request);
    }
    let number = proxy.requests.fetch_add(1, Ordering::Relaxed);
    let trouble = (proxy.plan)(number);
    proxy.met.lock().unwrap().extend(trouble);
    let ends = matches!(trouble, Some(Trouble::Expired | Trouble::Denied));
    if let Some(refused) = proxy.refuse(&request, ends) {
        return if trouble == Some(Trouble::Denied) && shows_token(&request) {
            saying(403, "DENIED", ENDED)
        } else {
            refused
        };
    }
    match trouble {
        Some(Trouble::Unavailable) => return refusal(503, "UNAVAILABLE"),
        Some(Trouble::TooMany) => {
            let mut answer = refusal(429, "TOOMANYREQUESTS");
            answer
                .headers_mut()
                .insert("retry-after", HeaderValue::from_static("0"));
            return answer;
        }
        Some(Trouble::Expired) if proxy.tokens.is_none() => {
            let mut answer = refusal(401, "UNAUTHORIZED");
            let challenge = HeaderValue::from_static("Basic realm=\"test\"");
            answer.headers_mut().insert("www-authenticate", challenge);
            return answer;
        }
        Some(Trouble::Denied) if proxy.tokens.is_none() => return saying(403, "DENIED", ENDED),
        Some(Trouble::Slow) => tokio::time::sleep(Duration::from_millis(30)).await,
        _ => {}
    }
    proxy.forward(request, trouble, number).await
}

fn shows_token(request: &Request) -> bool {
    let shown = request.headers().get("authorization");
    shown
        .and_then(|value| value.to_str().ok())
        .is_some_and(|shown| shown.starts_with("Bearer t"))
}

impl Proxy {
    fn sell(&self, request: &Request) -> Response<Body> {
        let tokens = self.tokens.as_ref().unwrap();
        let paid = request
            .headers()
            .get("authorization")
            .and_then(|value| value.to_str().ok());
        let query = request.uri().query().unwrap_or_default();
        if paid != Some(tokens.price.as_str()) || !query.contains("service=test") {
            return refusal(401, "UNAUTHORIZED");
        }
        let number = tokens.sold.fetch_add(1, Ordering::Relaxed) + 1;
        Response::new(Body::from(format!(r#"{{"token":"t{number}"}}"#)))
    }

    /// Refuses what shows no token, and one that ends with this request; the same request is not
    /// refused again.
    fn refuse(&self, request: &Request, ends: bool) -> Option<Response<Body>> {
        let tokens = self.tokens.as_ref()?;
        let what = format!("{} {}", request.method(), request.uri());
        let shows_token = shows_token(request);
        if shows_token && !ends {
            return None;
        }
        let is_first = tokens.refused.lock().unwrap().insert(what);
        if shows_token && !is_first {
            return None;
        }
        let mut answer = refusal(401, "UNAUTHORIZED");
        let challenge = format!(
            "Bearer realm=\"http://{}/token\",service=\"test\",scope=\"repository:x:pull,push\"",
            self.address
        );
        let challenge = HeaderValue::from_str(&challenge).unwrap();
        answer.headers_mut().insert("www-authenticate", challenge);
        Some(answer)
    }

    async fn forward(
        &self,
        request: Request,
        trouble: Option<Trouble>,
        number: usize,
    ) -> Response<Body> {
        let (parts, body) = request.into_parts();
        let method = parts.method.clone();
        let url = format!("http://{}{}", self.upstream, parts.uri);
        let mut headers = parts.headers;
        if self.tokens.is_some() {
            headers.remove("authorization");
        }
        let received = self.received.clone();
        let mut left = match trouble {
            // Somewhere in the body, another place each time.
            Some(Trouble::CutRequest) => 1 + number * 7919 % 200_000,
            _ => usize::MAX,
        };
        let body = body.into_data_stream().map(move |piece| {
            let mut piece = piece.map_err(std::io::Error::other)?;
            if left == 0 {
                return Err(std::io::Error::other("cut"));
            }
            piece.truncate(left);
            left -= piece.len();
            received.fetch_add(piece.len(), Ordering::Relaxed);
            Ok(piece)
        });
        // The registry names this proxy in its answers, since the header Host goes along.
        let sent = self.client.request(parts.method, url).headers(headers);
        let Ok(answer) = sent.body(reqwest::Body::wrap_stream(body)).send().await else {
            return broken(&method);
        };
        if matches!(trouble, Some(Trouble::CutAnswer | Trouble::CutRequest)) {
            return broken(&method);
        }
        let mut response = Response::builder().status(answer.status().as_u16());
        for (name, value) in answer.headers() {
            response = response.header(name, value);
        }
        let is_head = answer.status() == StatusCode::NO_CONTENT;
        let mut response = response
            .body(if is_head {
                Body::empty()
            } else {
                Body::from_stream(answer.bytes_stream())
            })
            .unwrap();
        let has_digest = response.headers().contains_key("docker-content-digest");
        if trouble == Some(Trouble::WrongDigest) && has_digest {
            let other = format!("sha256:{}", "0".repeat(64));
            let other = HeaderValue::from_str(&other).unwrap();
            response
                .headers_mut()
                .insert("docker-content-digest", other);
        }
        response
    }
}
