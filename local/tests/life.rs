//! Starting, stopping, crashing, recovering; and what prevents a start.

mod common;

use std::net::TcpListener;
use std::process::{Command, Output};

use common::{FIXTURE, Release, eventually};
use quilt_mcp_local::describe;
use rustix::process::Signal;

/// Process ids of what runs below the state folder.
fn processes_of(folder: &std::path::Path) -> Vec<String> {
    let folder = folder.to_str().unwrap();
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let name = entry.file_name().into_string().unwrap();
        let Ok(target) = std::fs::read_link(entry.path().join("exe")) else {
            continue;
        };
        if name.bytes().all(|byte| byte.is_ascii_digit())
            && target
                .to_str()
                .is_some_and(|target| target.starts_with(folder))
        {
            found.push(name);
        }
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_leaves_nothing_behind() {
    let mut environment = common::start().await;
    environment.release(Release::Serve("one")).await;
    environment.settled().await;
    let folder = environment.state_dir();
    assert_eq!(processes_of(&folder).len(), 2);
    let url = format!("{}/_local/stop", environment.description.endpoint_url);
    let response = environment.http.post(url).send().await.unwrap();
    assert_eq!(response.status(), 202);
    assert!(environment.child.wait().unwrap().success());
    assert_eq!(processes_of(&folder), Vec::<String>::new());
    assert_eq!(describe(&folder).unwrap(), None);
    for url in [
        &environment.description.endpoint_url,
        &environment.description.load_balancer_url,
        &environment.description.quilt_registry_url,
    ] {
        TcpListener::bind(url.strip_prefix("http://").unwrap()).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_demo_registrys_page_calls_the_load_balancer() {
    let environment = common::start().await;
    let page = environment
        .http
        .get(&environment.description.quilt_registry_url)
        .send()
        .await
        .unwrap();
    assert_eq!(page.status(), 200);
    let endpoint = format!("{}/mcp/", environment.description.load_balancer_url);
    let html = page.text().await.unwrap();
    assert!(html.contains(&format!("value=\"{endpoint}\"")), "{html}");
}

#[tokio::test(flavor = "multi_thread")]
async fn sigterm_is_a_stop() {
    let mut environment = common::start().await;
    environment.signal(Signal::TERM);
    assert!(environment.child.wait().unwrap().success());
    assert_eq!(describe(&environment.state_dir()).unwrap(), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_crash_no_task_is_orphaned_and_the_next_life_recovers() {
    let mut environment = common::start().await;
    environment.release(Release::Serve("one")).await;
    let service = environment.settled().await;
    let before = environment.tasks("RUNNING").await;
    // The state is on disk within moments, not at once.
    let state = environment.state_dir().join("state.json");
    eventually("the state is written", async || {
        let text = std::fs::read_to_string(&state).unwrap();
        text.contains("has reached a steady state.").then_some(())
    })
    .await;
    environment.child.kill().unwrap();
    environment.child.wait().unwrap();
    let folder = environment.state_dir();
    eventually("the tasks end with the environment", async || {
        processes_of(&folder).is_empty().then_some(())
    })
    .await;
    let left = describe(&folder).unwrap().unwrap();
    assert!(!left.alive);

    let kept = std::mem::replace(&mut environment.folder, tempfile::tempdir().unwrap());
    let next = common::start_in(kept).await;
    eventually("the service is back", async || {
        let found = next.service().await;
        (found["runningCount"] == 2).then_some(())
    })
    .await;
    eventually("its targets are healthy", async || {
        (next.get("/mcp/").await.status() == 200).then_some(())
    })
    .await;
    assert_eq!(next.version().await, "one");
    assert_eq!(
        next.service().await["taskDefinition"],
        service["taskDefinition"]
    );
    for task in before {
        let input = serde_json::json!({ "tasks": [task["taskArn"]] });
        let found = next.ecs("DescribeTasks", input).await["tasks"][0].take();
        assert_eq!(found["lastStatus"], "STOPPED");
        assert_eq!(found["stopCode"], "TerminationNotice");
    }
}

fn refused(folder: &std::path::Path, port: Option<u16>) -> String {
    let mut command = Command::new(FIXTURE);
    command.arg("serve").arg(folder);
    if let Some(port) = port {
        command.env("LOAD_BALANCER_PORT", port.to_string());
    }
    let Output { status, stderr, .. } = command.output().unwrap();
    assert!(!status.success());
    String::from_utf8(stderr).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn only_one_environment_per_state_folder() {
    let environment = common::start().await;
    let error = refused(&environment.state_dir(), None);
    assert!(error.contains("already runs"), "{error}");
    assert_eq!(environment.get("/").await.status(), 404);
}

#[test]
fn a_port_in_use_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let error = refused(folder.path(), Some(port));
    assert!(
        error.contains(&format!("port {port} of 127.0.0.1 is in use")),
        "{error}"
    );
    assert!(error.contains("load balancer"), "{error}");
    assert!(!folder.path().join("state.json").exists());
}

#[test]
fn an_unusable_state_folder_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, "").unwrap();
    let error = refused(&file.join("state"), None);
    assert!(error.contains("file/state"), "{error}");
    // A device that is always full.
    let error = refused(std::path::Path::new("/dev/full"), None);
    assert!(error.contains("/dev/full"), "{error}");
}

#[test]
fn a_state_that_cannot_be_read_is_not_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state.json");
    std::fs::write(&state, "{}").unwrap();
    let error = refused(folder.path(), None);
    assert!(error.contains("state.json"), "{error}");
    assert_eq!(std::fs::read_to_string(state).unwrap(), "{}");
}
