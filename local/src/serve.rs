//! The environment's life: folder, lock, listeners, parts, and the end.

use std::fs;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use quilt_demo_registry::DemoRegistry;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinSet;

use crate::aws::{Moment, names};
use crate::description;
use crate::engine::Engine;
use crate::lock::Lock;
use crate::logs::Logs;
use crate::registry::blobs::Blobs;
use crate::runtime::{Runtime, image, process};
use crate::state::{Addresses, State, store};
use crate::world::World;
use crate::{Description, Error, Options, Ports, RuntimeKind};
use crate::{api, load_balancer, registry};

/// How often the state is compared with what is on disk.
const SAVE_INTERVAL: Duration = Duration::from_millis(500);
/// How long requests under way may take to finish once every task has ended.
const LAST_REQUESTS: Duration = Duration::from_secs(2);

/// Runs a local environment until SIGTERM, SIGINT or `POST /_local/stop`; then stops every task and
/// releases everything.
///
/// It listens on 127.0.0.1 only, and its tasks on addresses of 127.64.0.0/10. Signatures of AWS
/// requests are not verified: who can reach the loopback interface may use it.
///
/// # Errors
/// When the state folder cannot be used or is in use, a port is taken, or no task could be started
/// with these options. Nothing is left running then.
pub async fn serve(options: Options) -> Result<(), Error> {
    let folder = prepare(&options.state_dir)?;
    let _lock = Lock::acquire(&folder)?;
    remove(&description::path(&folder))?;
    let stored = store::load(&folder)?;
    let former = stored.as_ref().map(|state| state.addresses.clone());
    let listeners = Listeners::open(options.ports, former.unwrap_or_default()).await?;
    let runtime = runtime(&options, &folder).await?;

    let now = Moment::now();
    let addresses = listeners.addresses()?;
    let state = match stored {
        Some(mut state) => {
            let processes = state.recover(addresses, now);
            process::end_leftovers(&processes);
            state
        }
        None => State::seed(addresses, now),
    };
    let world = Arc::new(open_world(&folder, state, options.runtime)?);
    world.save()?;
    let result = run(&world, listeners, runtime).await;
    remove(&description::path(&folder))?;
    world.save()?;
    result
}

/// Makes the folder and proves that it can be written, before anything starts.
fn prepare(state_dir: &Path) -> Result<std::path::PathBuf, Error> {
    fs::create_dir_all(state_dir).map_err(Error::state("create", state_dir))?;
    let folder = fs::canonicalize(state_dir).map_err(Error::state("resolve", state_dir))?;
    let probe = || -> io::Result<()> {
        let mut file = tempfile::tempfile_in(&folder)?;
        io::Write::write_all(&mut file, &[0; 64 * 1024])?;
        file.sync_data()
    };
    probe().map_err(Error::state("write to", &folder))?;
    Ok(folder)
}

fn open_world(folder: &Path, state: State, runtime: RuntimeKind) -> Result<World, Error> {
    let images = image::root_filesystems(folder);
    if images.exists() {
        fs::remove_dir_all(&images).map_err(Error::state("clear", &images))?;
    }
    fs::create_dir_all(&images).map_err(Error::state("create", &images))?;
    let logs = Logs::open(&folder.join("logs"))?;
    logs.create_group(names::LOG_GROUP, Moment::now())
        .map_err(Error::state("create a log group in", folder))?;
    let blobs = Blobs::open(&folder.join("registry"))?;
    Ok(World::new(folder.to_owned(), state, logs, blobs, runtime))
}

async fn runtime(options: &Options, folder: &Path) -> Result<Runtime, Error> {
    match options.runtime {
        RuntimeKind::Process => Ok(Runtime::Process(process::Processes::start(
            options.launcher.clone(),
        )?)),
        RuntimeKind::Docker => Ok(Runtime::Docker(
            crate::runtime::docker::Engine::connect(folder).await?,
        )),
    }
}

/// Everything that listens.
struct Listeners {
    endpoint: TcpListener,
    registry: TcpListener,
    load_balancer: TcpListener,
    quilt_registry: TcpListener,
}

impl Listeners {
    async fn open(ports: Ports, former: Addresses) -> Result<Self, Error> {
        Ok(Self {
            endpoint: listen("AWS endpoint", ports.endpoint, former.endpoint).await?,
            registry: listen("image registry", ports.registry, former.registry).await?,
            load_balancer: listen("load balancer", ports.load_balancer, former.load_balancer)
                .await?,
            quilt_registry: listen(
                "demo Quilt registry",
                ports.quilt_registry,
                former.quilt_registry,
            )
            .await?,
        })
    }

    fn addresses(&self) -> Result<Addresses, Error> {
        let port = |listener: &TcpListener| {
            listener
                .local_addr()
                .map(|address| address.port())
                .map_err(|error| Error::Ended {
                    part: "listener",
                    reason: error.to_string(),
                })
        };
        Ok(Addresses {
            endpoint: port(&self.endpoint)?,
            registry: port(&self.registry)?,
            load_balancer: port(&self.load_balancer)?,
            quilt_registry: port(&self.quilt_registry)?,
            former_registries: Vec::new(),
        })
    }
}

/// Takes the port; where any will do, the former life's if it is still free.
async fn listen(name: &'static str, port: u16, former: u16) -> Result<TcpListener, Error> {
    if port == 0
        && former != 0
        && let Ok(listener) = TcpListener::bind((Ipv4Addr::LOCALHOST, former)).await
    {
        return Ok(listener);
    }
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    TcpListener::bind(address)
        .await
        .map_err(|source| match source.kind() {
            io::ErrorKind::AddrInUse => Error::PortInUse {
                listener: name,
                address,
            },
            _ => Error::Listen {
                listener: name,
                address,
                source,
            },
        })
}

/// What serves, by its name.
type Parts = JoinSet<(&'static str, io::Result<()>)>;

async fn run(world: &Arc<World>, listeners: Listeners, runtime: Runtime) -> Result<(), Error> {
    let handler = |source| Error::Ended {
        part: "signal handler",
        reason: io::Error::to_string(&source),
    };
    let mut terminate = signal(SignalKind::terminate()).map_err(handler)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(handler)?;
    let stop = async {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
            () = world.shutdown.cancelled() => {}
        }
    };

    let quilt_shutdown = world.shutdown.clone();
    let quilt = demo_registry(world);
    let mut parts = Parts::new();
    let part = |name, result| (name, result);
    let (endpoint, images) = (Arc::clone(world), Arc::clone(world));
    let balancer = Arc::clone(world);
    parts.spawn(async move {
        part(
            "AWS endpoint",
            api::serve(listeners.endpoint, endpoint).await,
        )
    });
    parts.spawn(async move {
        part(
            "image registry",
            registry::serve(listeners.registry, images).await,
        )
    });
    parts.spawn(async move {
        part(
            "load balancer",
            load_balancer::serve(listeners.load_balancer, balancer).await,
        )
    });
    parts.spawn(async move {
        part(
            "demo Quilt registry",
            quilt.serve(listeners.quilt_registry, quilt_shutdown).await,
        )
    });
    let engine = tokio::spawn(Engine::new(Arc::clone(world), runtime).run());
    let saver = tokio::spawn(save_regularly(Arc::clone(world)));
    describe(world)?;
    tracing::info!("the local environment is up");

    let result = until_stopped(stop, &mut parts).await;
    world.shutdown.cancel();
    tracing::info!("the local environment ends");
    let stopped = engine.await.map_err(|error| Error::Ended {
        part: "engine",
        reason: error.to_string(),
    });
    let finish = async { while parts.join_next().await.is_some() {} };
    // A stream that never ends is cut here.
    let _ = tokio::time::timeout(LAST_REQUESTS, finish).await;
    parts.shutdown().await;
    saver.abort();
    result.and(stopped)
}

/// The registry, whose page calls the load balancer.
fn demo_registry(world: &World) -> DemoRegistry {
    let balancer = world.read(|state| state.addresses.load_balancer_url());
    DemoRegistry::sample().with_mcp_endpoint(&format!("{balancer}/mcp/"))
}

/// Waits for the stop.
///
/// # Errors
/// When a part ends first. An idle part ends at once with a stop, so the stop is looked at first.
async fn until_stopped(stop: impl Future<Output = ()>, parts: &mut Parts) -> Result<(), Error> {
    tokio::select! {
        biased;
        () = stop => Ok(()),
        Some(ended) = parts.join_next() => Err(unexpected_end(ended)),
    }
}

fn unexpected_end(ended: Result<(&'static str, io::Result<()>), tokio::task::JoinError>) -> Error {
    let (part, reason) = match ended {
        Ok((part, Ok(()))) => (part, "it stopped listening".to_owned()),
        Ok((part, Err(error))) => (part, error.to_string()),
        Err(error) => ("listener", error.to_string()),
    };
    Error::Ended { part, reason }
}

async fn save_regularly(world: Arc<World>) {
    loop {
        tokio::time::sleep(SAVE_INTERVAL).await;
        let saving = Arc::clone(&world);
        match tokio::task::spawn_blocking(move || saving.save()).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::error!(%error, "the state is not on disk"),
            Err(error) => tracing::error!(%error, "the state is not on disk"),
        }
    }
}

fn describe(world: &World) -> Result<(), Error> {
    let addresses = world.read(|state| state.addresses.clone());
    let description = Description {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        pid: std::process::id(),
        endpoint_url: format!("http://127.0.0.1:{}", addresses.endpoint),
        registry: addresses.registry_host(),
        load_balancer_url: addresses.load_balancer_url(),
        quilt_registry_url: addresses.quilt_registry_url(),
        account_id: names::ACCOUNT.to_owned(),
        region: names::REGION.to_owned(),
        cluster: names::CLUSTER.to_owned(),
        service: names::SERVICE.to_owned(),
        container: names::CONTAINER.to_owned(),
        repository: names::SERVICE.to_owned(),
        log_group: names::LOG_GROUP.to_owned(),
        runtime: world.runtime,
        started_at: Moment::now().to_rfc3339(),
        alive: true,
    };
    let path = description::path(&world.state_dir);
    let text = serde_json::to_vec_pretty(&description)
        .map_err(|error| Error::state("write", &path)(error.into()))?;
    store::replace(&path, &text)
}

fn remove(path: &Path) -> Result<(), Error> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(Error::state("remove", path)(error))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use super::*;

    async fn ended_parts() -> Parts {
        let mut parts = Parts::new();
        let part = parts.spawn(async { ("load balancer", Ok(())) });
        while !part.is_finished() {
            tokio::task::yield_now().await;
        }
        parts
    }

    #[tokio::test]
    async fn parts_that_end_with_the_stop_are_no_failure() {
        for _ in 0..64 {
            until_stopped(ready(()), &mut ended_parts().await)
                .await
                .unwrap();
        }
    }

    #[tokio::test]
    async fn a_part_that_ends_without_a_stop_is_named() {
        let error = until_stopped(pending(), &mut ended_parts().await)
            .await
            .unwrap_err();
        assert_eq!(
            error.to_string(),
            "the load balancer ended: it stopped listening"
        );
    }
}
