//! Serves the sample registry on a loopback address: `cargo run -p quilt-demo-registry --example serve -- 127.0.0.1:8081`

use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let address = std::env::args()
        .nth(1)
        .unwrap_or_else(|| "127.0.0.1:0".to_owned());
    let listener = TcpListener::bind(address).await?;
    println!("http://{}", listener.local_addr()?);
    quilt_demo_registry::serve(listener, CancellationToken::new()).await
}
