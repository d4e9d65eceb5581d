//! A Quilt registry with sample data.
//!
//! It answers `POST /graphql` by the same reduced schema that the MCP server's
//! queries are written against: every operation is validated before it is
//! executed, so a wrong query fails here as it would at a real registry. The
//! local environment serves it so that the first release has tools that answer;
//! the server's tests serve it with [`Faults`] switched on and off. `GET /` is a
//! page that calls an MCP server from a browser, as the catalog's pages do.

mod catalog;
mod faults;
mod graphql;
mod http;
mod page;
mod resolvers;
mod sample;
mod search;

use std::sync::{Arc, PoisonError, RwLock};

use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

pub use catalog::{Bucket, Catalog, Entry, Package, Revision, User};
pub use faults::{Faults, Hold, Refusal};
pub use graphql::SCHEMA_SDL;

/// The bearer token of the sample user. It opens sample data and nothing else.
pub const DEMO_TOKEN: &str = "qk_local_demo";

/// The secret key that the registry lends; it opens nothing.
pub const LENT_SECRET: &str = "lent-secret-key-that-nobody-may-see";

/// How the session tokens begin that the registry lends; the caller's name follows.
pub const LENT_SESSION: &str = "lent-session-token-that-nobody-may-see";

/// A registry: its data, the bearers that it knows, and its faults.
///
/// Clones share all three.
#[derive(Clone, Debug)]
pub struct DemoRegistry {
    inner: Arc<Inner>,
    mcp_endpoint: Option<Arc<str>>,
}

#[derive(Debug)]
struct Inner {
    catalog: RwLock<Arc<Catalog>>,
    faults: Faults,
    engine: graphql::Engine,
}

impl DemoRegistry {
    /// The sample registry, which knows [`DEMO_TOKEN`].
    pub fn sample() -> Self {
        Self::new(sample::catalog())
    }

    /// A registry of the given data.
    pub fn new(catalog: Catalog) -> Self {
        Self {
            inner: Arc::new(Inner {
                catalog: RwLock::new(Arc::new(catalog)),
                faults: Faults::default(),
                engine: graphql::Engine::new(),
            }),
            mcp_endpoint: None,
        }
    }

    /// The registry, whose page calls the MCP server at this URL.
    #[must_use]
    pub fn with_mcp_endpoint(self, url: &str) -> Self {
        Self {
            mcp_endpoint: Some(url.into()),
            ..self
        }
    }

    pub(crate) fn mcp_endpoint(&self) -> Option<&str> {
        self.mcp_endpoint.as_deref()
    }

    /// The switches for failures, and the counts of what was asked.
    pub fn faults(&self) -> &Faults {
        &self.inner.faults
    }

    /// The data as it is now.
    pub fn catalog(&self) -> Arc<Catalog> {
        let catalog = self.inner.catalog.read();
        Arc::clone(&catalog.unwrap_or_else(PoisonError::into_inner))
    }

    /// Changes the data; who reads meanwhile sees all of the change or nothing.
    pub fn change<T>(&self, change: impl FnOnce(&mut Catalog) -> T) -> T {
        let catalog = self.inner.catalog.write();
        change(Arc::make_mut(
            &mut catalog.unwrap_or_else(PoisonError::into_inner),
        ))
    }

    fn engine(&self) -> &graphql::Engine {
        &self.inner.engine
    }

    /// Serves until `shutdown` is cancelled, then lets requests in flight finish.
    ///
    /// # Errors
    /// When the listener fails for good.
    pub async fn serve(
        self,
        listener: TcpListener,
        shutdown: CancellationToken,
    ) -> std::io::Result<()> {
        axum::serve(listener, http::router(self))
            .with_graceful_shutdown(shutdown.cancelled_owned())
            .await
    }
}

/// Serves the sample registry until `shutdown` is cancelled.
///
/// # Errors
/// When the listener fails for good.
pub async fn serve(listener: TcpListener, shutdown: CancellationToken) -> std::io::Result<()> {
    DemoRegistry::sample().serve(listener, shutdown).await
}
