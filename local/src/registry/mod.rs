//! The OCI registry under ECR: the distribution specification over plain HTTP, on its own listener.
//! <https://github.com/opencontainers/distribution-spec/blob/v1.1.0/spec.md>

pub(crate) mod auth;
pub(crate) mod blobs;
mod download;
mod error;
mod manifests;
mod route;
mod upload;

use std::io;
use std::sync::Arc;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::response::{IntoResponse, Response};
use http::header::{HeaderName, HeaderValue};
use http::{Method, StatusCode};
use tokio::net::TcpListener;

use crate::listener;
use crate::world::World;
use error::Error;
use route::Route;

pub(crate) const DOCKER_CONTENT_DIGEST: HeaderName =
    HeaderName::from_static("docker-content-digest");
const API_VERSION: HeaderName = HeaderName::from_static("docker-distribution-api-version");

/// Serves until the environment's shutdown.
pub(crate) async fn serve(listener: TcpListener, world: Arc<World>) -> io::Result<()> {
    let shutdown = world.shutdown.clone();
    let app = Router::new()
        .fallback(answer)
        .layer(DefaultBodyLimit::disable())
        .with_state(world);
    listener::serve(listener, app, shutdown).await
}

async fn answer(State(world): State<Arc<World>>, request: Request) -> Response {
    let method = request.method().clone();
    let uri = request.uri().clone();
    let mut response = match handle(&world, request).await {
        Ok(response) => response,
        Err(error) => {
            tracing::info!(%method, path = uri.path(), %error, "registry");
            error.into_response()
        }
    };
    response
        .headers_mut()
        .insert(API_VERSION, HeaderValue::from_static("registry/2.0"));
    response
}

async fn handle(world: &Arc<World>, request: Request) -> Result<Response, Error> {
    auth::check(world, request.headers())?;
    let route = route::parse(request.uri().path()).ok_or(Error::NoSuchPath)?;
    if let Some(name) = route.repository()
        && world.read(|state| state.repository(name).is_none())
    {
        return Err(Error::NameUnknown(name.to_owned()));
    }
    let query = Query::parse(request.uri().query());
    let method = request.method().clone();
    match (method, route) {
        (Method::GET | Method::HEAD, Route::Base) => Ok(StatusCode::OK.into_response()),
        (method @ (Method::GET | Method::HEAD), Route::Blob { name, digest }) => {
            download::blob(world, &method, &name, &digest, request.headers()).await
        }
        (Method::POST, Route::Uploads { name }) => {
            upload::start(world, &name, &query, request.into_body()).await
        }
        (Method::GET, Route::Upload { name, id }) => upload::status(world, &name, &id).await,
        (Method::PATCH, Route::Upload { name, id }) => {
            let range = request.headers().get(http::header::CONTENT_RANGE).cloned();
            upload::append(world, &name, &id, range.as_ref(), request.into_body()).await
        }
        (Method::PUT, Route::Upload { name, id }) => {
            let range = request.headers().get(http::header::CONTENT_RANGE).cloned();
            upload::finish(
                world,
                &name,
                &id,
                range.as_ref(),
                &query,
                request.into_body(),
            )
            .await
        }
        (Method::DELETE, Route::Upload { id, .. }) => upload::cancel(world, &id).await,
        (method @ (Method::GET | Method::HEAD), Route::Manifest { name, reference }) => {
            manifests::get(world, &method, &name, &reference).await
        }
        (Method::PUT, Route::Manifest { name, reference }) => {
            manifests::put(world, &name, &reference, request).await
        }
        (Method::GET, Route::Tags { name }) => Ok(manifests::tags(world, &name, &query)),
        (Method::GET, Route::Referrers { name, digest }) => {
            Ok(manifests::referrers(world, &name, &digest, &query))
        }
        _ => Err(Error::Unsupported),
    }
}

/// The query of a request.
struct Query(Vec<(String, String)>);

impl Query {
    fn parse(query: Option<&str>) -> Self {
        let pairs = url::form_urlencoded::parse(query.unwrap_or_default().as_bytes());
        Self(pairs.into_owned().collect())
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }
}
