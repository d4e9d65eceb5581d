//! AWS's APIs on one listener: ECS, ECR and CloudWatch Logs (AWS JSON 1.1), ELBv2 and STS (AWS
//! Query), told apart by `X-Amz-Target` and by the `Version` of a form.
//!
//! A request needs an `Authorization` header, as every client sends it; signatures are not verified.

mod control;
mod dispatch;
mod ecr;
mod ecs;
mod elbv2;
mod error;
mod input;
mod logs;
mod page;
mod query;
mod refusal;
mod sts;
mod xml;

use std::io;
use std::sync::Arc;

use axum::Router;
use axum::routing::post;
use tokio::net::TcpListener;

use crate::listener;
use crate::world::World;

/// Serves until the environment's shutdown.
pub(crate) async fn serve(listener: TcpListener, world: Arc<World>) -> io::Result<()> {
    let shutdown = world.shutdown.clone();
    let app = Router::new()
        .route("/", post(dispatch::answer))
        .nest("/_local", control::routes(Arc::clone(&world)))
        .with_state(world);
    listener::serve(listener, app, shutdown).await
}
