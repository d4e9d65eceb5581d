//! Tables for what each history means, and properties for what no history may mean.

use proptest::prelude::*;

use super::*;
use crate::rollout::observation::{Container, Target, TargetGroup};

const OURS: &str = "ecs-svc/2";
const OLD: &str = "ecs-svc/1";
const REVISION: &str = "arn:aws:ecs:us-east-1:123456789012:task-definition/mcp:2";
const PREVIOUS: &str = "arn:aws:ecs:us-east-1:123456789012:task-definition/mcp:1";
const DIGEST: &str = "sha256:new";

fn plan() -> Plan {
    Plan {
        deployment: OURS.into(),
        revision: REVISION.into(),
        previous_revision: Some(PREVIOUS.into()),
        container: "mcp-server".into(),
        digest: Some(DIGEST.into()),
        bake: Duration::from_secs(10),
        timeout: Duration::from_secs(600),
        fail_fast: true,
    }
}

fn deployment(id: &str, status: &str, rollout: &str) -> Deployment {
    Deployment {
        id: id.into(),
        status: status.into(),
        task_definition: if id == OURS { REVISION } else { PREVIOUS }.into(),
        desired: 2,
        pending: 0,
        running: 2,
        failed: 0,
        rollout: RolloutState::read(rollout),
        reason: String::new(),
        created_at: None,
    }
}

fn task(id: &str, status: &str) -> Task {
    Task {
        id: id.into(),
        deployment: OURS.into(),
        task_definition: REVISION.into(),
        last_status: status.into(),
        desired_status: if status == "STOPPED" {
            "STOPPED"
        } else {
            "RUNNING"
        }
        .into(),
        stop_code: None,
        stopped_reason: None,
        private_ip: Some(format!("10.0.0.{id}")),
        containers: vec![Container {
            name: "mcp-server".into(),
            image_digest: Some(DIGEST.into()),
            exit_code: None,
            reason: None,
        }],
        created_at: None,
    }
}

fn failed_task(id: &str) -> Task {
    Task {
        stop_code: Some("EssentialContainerExited".into()),
        stopped_reason: Some("Essential container in task exited".into()),
        ..task(id, "STOPPED")
    }
}

fn group(states: &[(&str, &str)]) -> TargetGroup {
    TargetGroup {
        arn: "tg".into(),
        port: 8000,
        targets: states
            .iter()
            .map(|(id, state)| Target {
                ip: format!("10.0.0.{id}"),
                port: 8000,
                state: (*state).into(),
                reason: None,
                description: None,
            })
            .collect(),
    }
}

fn service(deployments: Vec<Deployment>) -> Service {
    Service {
        name: "mcp".into(),
        status: "ACTIVE".into(),
        desired: 2,
        deployments,
        events: Vec::new(),
    }
}

/// Everything as it should be.
fn good(at: u64) -> Observation {
    Observation {
        elapsed: Duration::from_secs(at),
        service: Some(service(vec![deployment(OURS, "PRIMARY", "COMPLETED")])),
        tasks: Some(vec![task("1", "RUNNING"), task("2", "RUNNING")]),
        target_groups: Some(vec![group(&[("1", "healthy"), ("2", "healthy")])]),
        failures: Vec::new(),
    }
}

fn with(at: u64, change: impl FnOnce(&mut Observation)) -> Observation {
    let mut seen = good(at);
    change(&mut seen);
    seen
}

fn deployments(seen: &mut Observation, deployments: Vec<Deployment>) {
    seen.service = Some(service(deployments));
}

fn after(observations: Vec<Observation>) -> Decision {
    let mut history = History::default();
    for observation in observations {
        history.push(observation);
    }
    decide(&plan(), &history)
}

fn verdict(observations: Vec<Observation>) -> Verdict {
    match after(observations) {
        Decision::Done(verdict) => verdict,
        Decision::Wait { waiting_for } => panic!("still waiting for {waiting_for}"),
    }
}

fn waiting(observations: Vec<Observation>) -> String {
    match after(observations) {
        Decision::Wait { waiting_for } => waiting_for,
        Decision::Done(verdict) => panic!("decided too early: {verdict}"),
    }
}

#[test]
fn succeeds_once_everything_held_through_the_bake_time() {
    assert!(waiting(vec![]).contains("first observation"));
    assert!(waiting(vec![good(0)]).contains("bake"));
    assert!(waiting(vec![good(0), good(9)]).contains("bake"));
    assert_eq!(verdict(vec![good(0), good(10)]), Verdict::Succeeded);
}

#[test]
fn a_lapse_starts_the_bake_time_again() {
    let unhealthy = with(5, |seen| {
        seen.target_groups = Some(vec![group(&[("1", "healthy"), ("2", "unhealthy")])])
    });
    assert!(waiting(vec![good(0), unhealthy.clone(), good(10)]).contains("bake"));
    assert_eq!(
        verdict(vec![good(0), unhealthy, good(10), good(20)]),
        Verdict::Succeeded
    );
}

#[test]
fn what_is_missing_is_named_and_never_success() {
    type Change = fn(&mut Observation);
    let cases: [(Change, &str); 13] = [
        (|seen| seen.service = None, "ecs:DescribeServices"),
        (|seen| seen.tasks = None, "ecs:DescribeTasks"),
        (|seen| seen.target_groups = None, "DescribeTargetHealth"),
        (|seen| deployments(seen, vec![]), "PRIMARY"),
        (
            |seen| deployments(seen, vec![deployment(OURS, "PRIMARY", "IN_PROGRESS")]),
            "IN_PROGRESS",
        ),
        (
            |seen| deployments(seen, vec![deployment(OURS, "PRIMARY", "NEXT_YEARS_STATE")]),
            "NEXT_YEARS_STATE",
        ),
        (
            |seen| seen.tasks = Some(vec![task("1", "RUNNING")]),
            "1 of 2",
        ),
        (
            |seen| seen.tasks = Some(vec![task("1", "RUNNING"), task("2", "ACTIVATING")]),
            "1 of 2",
        ),
        (
            |seen| {
                seen.tasks = Some(vec![
                    task("1", "RUNNING"),
                    task("2", "RUNNING"),
                    task("3", "RUNNING"),
                ])
            },
            "3 of 2",
        ),
        (
            |seen| {
                seen.tasks.as_mut().unwrap()[0].containers[0].image_digest =
                    Some("sha256:old".into())
            },
            "not sha256:old",
        ),
        (
            |seen| seen.tasks.as_mut().unwrap()[0].containers[0].image_digest = None,
            "which image",
        ),
        (
            |seen| seen.target_groups = Some(vec![group(&[("1", "healthy")])]),
            "registered",
        ),
        (
            |seen| {
                seen.target_groups
                    .as_mut()
                    .unwrap()
                    .push(group(&[("1", "healthy"), ("2", "initial")]))
            },
            "it is initial",
        ),
    ];
    for (change, says) in cases {
        let waiting_for = waiting(vec![good(0), good(9), with(20, change)]);
        assert!(
            waiting_for.contains(says),
            "{waiting_for} does not say {says}"
        );
        let late = verdict(vec![good(0), with(600, change)]);
        assert!(matches!(late, Verdict::Unknown { .. }), "{late}");
    }
}

#[test]
fn a_rollback_is_a_rollback_once_it_has_completed() {
    let failed = Deployment {
        reason: "circuit breaker: tasks failed to start.".into(),
        ..deployment(OURS, "ACTIVE", "FAILED")
    };
    let under_way = with(5, |seen| {
        deployments(
            seen,
            vec![deployment(OLD, "PRIMARY", "IN_PROGRESS"), failed.clone()],
        )
    });
    let complete = with(9, |seen| {
        deployments(seen, vec![deployment(OLD, "PRIMARY", "COMPLETED")])
    });
    assert!(waiting(vec![good(0), under_way.clone()]).contains("rollback to mcp:1"));
    assert_eq!(
        verdict(vec![good(0), under_way, complete]),
        Verdict::RolledBack {
            to: PREVIOUS.into(),
            reason: "circuit breaker: tasks failed to start.".into()
        }
    );
}

#[test]
fn a_rollback_that_was_over_between_two_looks_is_seen_by_its_reason() {
    let back = Deployment {
        reason: "ECS deployment circuit breaker: rolling back to deploymentId ecs-svc/1.".into(),
        ..deployment("ecs-svc/3", "PRIMARY", "COMPLETED")
    };
    let seen = with(5, |seen| deployments(seen, vec![back]));
    assert!(matches!(verdict(vec![seen]), Verdict::RolledBack { .. }));
}

#[test]
fn somebody_elses_deployment_supersedes() {
    let theirs = Deployment {
        task_definition: "td/mcp:9".into(),
        ..deployment("ecs-svc/9", "PRIMARY", "IN_PROGRESS")
    };
    let seen = with(5, |seen| {
        deployments(
            seen,
            vec![theirs, deployment(OURS, "ACTIVE", "IN_PROGRESS")],
        )
    });
    assert_eq!(
        verdict(vec![good(0), seen]),
        Verdict::Superseded {
            by: "ecs-svc/9".into(),
            revision: "td/mcp:9".into()
        }
    );
}

#[test]
fn failing_tasks_are_decided_on_the_second_one() {
    let one = with(3, |seen| {
        deployments(seen, vec![deployment(OURS, "PRIMARY", "IN_PROGRESS")]);
        seen.tasks = Some(vec![failed_task("7")]);
        seen.target_groups = Some(vec![group(&[])]);
    });
    assert!(matches!(after(vec![one.clone()]), Decision::Wait { .. }));
    // The first one may be forgotten by ECS when the second one comes.
    let two = with(6, |seen| {
        *seen = one.clone();
        seen.tasks = Some(vec![failed_task("8")]);
    });
    let Verdict::Failed {
        evidence: Evidence::TasksFail { count, .. },
    } = verdict(vec![one, two])
    else {
        panic!("not decided");
    };
    assert_eq!(count, 2);
}

#[test]
fn tasks_that_were_stopped_on_purpose_are_no_evidence() {
    let mut stopped = failed_task("7");
    stopped.stop_code = Some("ServiceSchedulerInitiated".into());
    stopped.stopped_reason = Some("Scaling activity initiated by (deployment ecs-svc/2)".into());
    assert!(!stopped_by_failure(&stopped));
    stopped.stopped_reason = Some("Task failed ELB health checks in (target-group tg)".into());
    assert!(stopped_by_failure(&stopped));
}

#[test]
fn a_service_that_goes_away_is_a_failure() {
    let gone = with(5, |seen| {
        seen.service.as_mut().unwrap().status = "DRAINING".into()
    });
    assert!(matches!(
        verdict(vec![gone]),
        Verdict::Failed {
            evidence: Evidence::ServiceInactive { .. }
        }
    ));
}

prop_compose! {
    /// One look at a service in whatever state, with whatever parts missing.
    fn any_observation()(
        rollout in prop::sample::select(vec!["IN_PROGRESS", "COMPLETED", "FAILED", "SOMETHING_NEW"]),
        primary in prop::sample::select(vec![OURS, OLD, "ecs-svc/9"]),
        reason in prop::sample::select(vec!["", "rolling back to deploymentId ecs-svc/1."]),
        statuses in prop::collection::vec(prop::sample::select(vec!["RUNNING", "PENDING", "STOPPED"]), 0..4),
        states in prop::collection::vec(prop::sample::select(vec!["healthy", "unhealthy", "initial", "draining"]), 4),
        digest in prop::sample::select(vec![Some(DIGEST), Some("sha256:old"), None]),
        missing in prop::collection::vec(prop::bool::weighted(0.2), 3),
    ) -> Observation {
        let ids = ["1", "2", "3", "4"];
        let mut deployments = vec![Deployment { reason: reason.into(), ..deployment(primary, "PRIMARY", rollout) }];
        if primary != OURS {
            deployments.push(deployment(OURS, "ACTIVE", "FAILED"));
        }
        let tasks: Vec<Task> = statuses.iter().zip(ids).map(|(status, id)| {
            let mut task = if *status == "STOPPED" { failed_task(id) } else { task(id, status) };
            task.containers[0].image_digest = digest.map(str::to_owned);
            task
        }).collect();
        let targets: Vec<(&str, &str)> = ids.into_iter().zip(states).collect();
        Observation {
            elapsed: Duration::ZERO,
            service: (!missing[0]).then(|| service(deployments)),
            tasks: (!missing[1]).then_some(tasks),
            target_groups: (!missing[2]).then(|| vec![group(&targets)]),
            failures: Vec::new(),
        }
    }
}

/// What must be so of the last observation of a history that succeeds, written out
/// again from the words of the design, not from the code above.
fn is_live(seen: &Observation) -> bool {
    let (Some(service), Some(tasks), Some(groups)) =
        (&seen.service, &seen.tasks, &seen.target_groups)
    else {
        return false;
    };
    let Some(primary) = service
        .deployments
        .iter()
        .find(|deployment| deployment.status == "PRIMARY")
    else {
        return false;
    };
    let running: Vec<&Task> = tasks
        .iter()
        .filter(|task| task.deployment == OURS && task.last_status == "RUNNING")
        .collect();
    primary.id == OURS
        && primary.rollout == RolloutState::Completed
        && running.len() == 2
        && running.iter().all(|task| {
            task.containers[0].image_digest.as_deref() == Some(DIGEST)
                && groups.iter().all(|group| {
                    group.targets.iter().any(|target| {
                        Some(&target.ip) == task.private_ip.as_ref() && target.state == "healthy"
                    })
                })
        })
}

proptest! {
    #[test]
    fn no_history_succeeds_unless_its_end_is_live(
        observations in prop::collection::vec(any_observation(), 0..8),
        ends_well in any::<bool>(),
    ) {
        let mut history = History::default();
        let mut observations = observations;
        if ends_well {
            observations.extend([good(0), good(0)]);
        }
        for (index, mut observation) in observations.into_iter().enumerate() {
            observation.elapsed = Duration::from_secs(index as u64 * 11);
            history.push(observation);
        }
        if let Decision::Done(Verdict::Succeeded) = decide(&plan(), &history) {
            let held: Vec<&Observation> =
                history.observations().iter().rev().take_while(|seen| is_live(seen)).collect();
            prop_assert!(held.len() >= 2, "succeeded on {} good observation(s)", held.len());
        }
    }

    #[test]
    fn every_history_that_ends_well_succeeds(
        lapses in prop::collection::vec(any_observation(), 0..6),
    ) {
        let mut history = History::default();
        let mut at = 0;
        for mut lapse in lapses {
            // Only what does not end a deployment: the service is ours all along.
            deployments(&mut lapse, vec![deployment(OURS, "PRIMARY", "IN_PROGRESS")]);
            lapse.tasks = lapse.tasks.map(|tasks| tasks.into_iter().filter(|task| !task.is_stopped()).collect());
            lapse.elapsed = Duration::from_secs(at);
            at += 7;
            history.push(lapse);
        }
        history.push(good(at));
        history.push(good(at + 10));
        prop_assert_eq!(decide(&plan(), &history), Decision::Done(Verdict::Succeeded));
    }
}
