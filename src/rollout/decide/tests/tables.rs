//! What each history means.

use super::*;
use crate::rollout::observation::LifecycleStage;

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
    let cases: [(Change, &str); 17] = [
        (|seen| seen.service = None, "ecs:DescribeServices"),
        (|seen| seen.tasks = None, "ecs:DescribeTasks"),
        (|seen| seen.target_groups = None, "DescribeTargetHealth"),
        (
            |seen| seen.service_deployment = Sight::Missed,
            "DescribeServiceDeployments",
        ),
        (
            |seen| seen.service_deployment = Sight::Seen(record("IN_PROGRESS")),
            "it is IN_PROGRESS",
        ),
        (
            |seen| {
                seen.service_deployment = Sight::Seen(ServiceDeployment {
                    lifecycle_stage: Some(LifecycleStage::BakeTime),
                    ..record("IN_PROGRESS")
                })
            },
            "IN_PROGRESS in BAKE_TIME",
        ),
        (
            |seen| seen.service_deployment = Sight::Seen(record("NEXT_YEARS_STATE")),
            "NEXT_YEARS_STATE",
        ),
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

fn under_way(seen: &mut Observation) {
    seen.service_deployment = Sight::Seen(record("IN_PROGRESS"));
}

#[test]
fn a_rollback_is_a_rollback_once_it_has_completed() {
    let failed = Deployment {
        reason: "circuit breaker: tasks failed to start.".into(),
        ..deployment(OURS, "ACTIVE", "FAILED")
    };
    let going_back = with(5, |seen| {
        under_way(seen);
        deployments(
            seen,
            vec![deployment(OLD, "PRIMARY", "IN_PROGRESS"), failed.clone()],
        )
    });
    let complete = with(9, |seen| {
        under_way(seen);
        deployments(seen, vec![deployment(OLD, "PRIMARY", "COMPLETED")])
    });
    assert!(waiting(vec![good(0), going_back.clone()]).contains("mcp:1 that took its place"));
    assert_eq!(
        verdict(vec![going_back, complete]),
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
    for sight in [Sight::Unavailable, Sight::Missed] {
        let seen = with(5, |seen| {
            seen.service_deployment = sight.clone();
            deployments(seen, vec![back.clone()]);
        });
        assert!(matches!(verdict(vec![seen]), Verdict::RolledBack { .. }));
    }
}

#[test]
fn the_service_deployment_knows_how_it_ended() {
    let ended = |status: &str, primary: &str| {
        let seen = with(5, |seen| {
            deployments(seen, vec![deployment(primary, "PRIMARY", "COMPLETED")]);
            seen.service_deployment = Sight::Seen(ServiceDeployment {
                reason: "as it is".into(),
                rollback_reason: Some("alarm mcp-5xx fired".into()),
                ..record(status)
            });
        });
        verdict(vec![seen.clone(), seen])
    };
    assert_eq!(
        ended("ROLLBACK_SUCCESSFUL", "ecs-svc/3"),
        Verdict::RolledBack {
            to: PREVIOUS.into(),
            reason: "alarm mcp-5xx fired".into()
        }
    );
    assert!(matches!(
        ended("ROLLBACK_FAILED", OURS),
        Verdict::Failed {
            evidence: Evidence::DeploymentFailed { .. }
        }
    ));
    assert_eq!(
        ended("STOPPED", OURS),
        Verdict::Failed {
            evidence: Evidence::Stopped {
                reason: "as it is".into()
            }
        }
    );
    assert!(matches!(
        ended("STOPPED", "ecs-svc/9"),
        Verdict::Superseded { .. }
    ));
}

#[test]
fn a_redeploy_of_the_same_revision_that_was_rolled_back_is_no_success() {
    let mut plan = plan();
    plan.previous_revision = Some(REVISION.into());
    let back = Deployment {
        task_definition: REVISION.into(),
        reason: "ECS deployment circuit breaker: rolling back to deploymentId ecs-svc/1.".into(),
        ..deployment("ecs-svc/3", "PRIMARY", "COMPLETED")
    };
    let mut history = History::default();
    history.push(with(20, |seen| {
        seen.service_deployment = Sight::Unavailable;
        deployments(seen, vec![back]);
    }));
    assert!(matches!(
        decide(&plan, &history),
        Decision::Done(Verdict::RolledBack { .. })
    ));
}

#[test]
fn ecs_is_given_time_to_begin_its_rollback() {
    let gave_up = |at| {
        with(at, |seen| {
            under_way(seen);
            deployments(seen, vec![deployment(OURS, "PRIMARY", "FAILED")]);
        })
    };
    waiting(vec![gave_up(0), gave_up(59)]);
    assert!(matches!(
        verdict(vec![gave_up(0), gave_up(60)]),
        Verdict::Failed { .. }
    ));
    let mut first_release = plan();
    first_release.previous_revision = None;
    let mut history = History::default();
    history.push(gave_up(0));
    assert!(matches!(
        decide(&first_release, &history),
        Decision::Done(Verdict::Failed { .. })
    ));
}

#[test]
fn while_ecs_goes_back_nothing_else_is_decided() {
    let mut first_release = plan();
    first_release.previous_revision = None;
    let seen = |at, record: ServiceDeployment, primary: Deployment| {
        with(at, |seen| {
            seen.service_deployment = Sight::Seen(record);
            seen.tasks = Some(vec![failed_task("1"), failed_task("2")]);
            seen.target_groups = Some(Vec::new());
            deployments(seen, vec![primary]);
        })
    };
    let failed = |id| deployment(id, "PRIMARY", "FAILED");
    for plan in [plan(), first_release] {
        let mut history = History::default();
        for (at, status) in [(0, "ROLLBACK_REQUESTED"), (99, "ROLLBACK_IN_PROGRESS")] {
            history.push(seen(at, record(status), failed(OURS)));
            assert!(matches!(decide(&plan, &history), Decision::Wait { .. }));
            history.push(seen(at + 1, record(status), failed(OLD)));
            assert!(matches!(decide(&plan, &history), Decision::Wait { .. }));
        }
        history.push(seen(101, record("ROLLBACK_SUCCESSFUL"), failed(OLD)));
        let Decision::Done(Verdict::RolledBack { to, .. }) = decide(&plan, &history) else {
            panic!("a return that came to its end is no rollback");
        };
        assert_eq!(to, PREVIOUS);
    }
}

#[test]
fn a_service_that_wants_no_task_proves_nothing() {
    let idle = |at| {
        with(at, |seen| {
            let nothing = Deployment {
                desired: 0,
                running: 0,
                ..deployment(OURS, "PRIMARY", "COMPLETED")
            };
            deployments(seen, vec![nothing]);
            seen.tasks = Some(Vec::new());
        })
    };
    waiting(vec![idle(0), idle(9)]);
    let Verdict::Unknown { waiting_for } = verdict(vec![idle(0), idle(10)]) else {
        panic!("something is known of no task");
    };
    assert!(waiting_for.contains("desired count of the service is 0"));
}

#[test]
fn a_pair_of_target_groups_counts_where_the_task_serves() {
    let seen = |at| {
        with(at, |seen| {
            let mut pair = group(&[("1", "unused"), ("2", "healthy")]);
            pair.targets.extend(group(&[("1", "healthy")]).targets);
            seen.target_groups = Some(vec![pair]);
        })
    };
    assert_eq!(verdict(vec![seen(0), seen(10)]), Verdict::Succeeded);
}

#[test]
fn somebody_elses_deployment_supersedes() {
    let theirs = Deployment {
        task_definition: "td/mcp:9".into(),
        ..deployment("ecs-svc/9", "PRIMARY", "IN_PROGRESS")
    };
    let superseded = Verdict::Superseded {
        by: "ecs-svc/9".into(),
        revision: "td/mcp:9".into(),
    };
    let seen = |sight: Sight<ServiceDeployment>| {
        with(5, |seen| {
            seen.service_deployment = sight;
            deployments(
                seen,
                vec![theirs.clone(), deployment(OURS, "ACTIVE", "IN_PROGRESS")],
            )
        })
    };
    for sight in [
        Sight::Unavailable,
        Sight::Seen(record("STOPPED")),
        Sight::Seen(record("SUCCESSFUL")),
    ] {
        assert_eq!(verdict(vec![good(0), seen(sight)]), superseded);
    }
    // Its record still calls ours under way: it may be about to tell of a rollback.
    let unexplained = seen(Sight::Seen(record("IN_PROGRESS")));
    waiting(vec![unexplained.clone(), unexplained.clone()]);
    assert_eq!(verdict(vec![unexplained; 3]), superseded);
}

#[test]
fn failing_tasks_are_decided_on_the_second_one() {
    let one = with(3, |seen| {
        seen.service_deployment = Sight::Seen(ServiceDeployment {
            breaker: Some(Breaker {
                failures: 2,
                threshold: 3,
            }),
            ..record("IN_PROGRESS")
        });
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
    let verdict = verdict(vec![one, two]);
    let Verdict::Failed {
        evidence: Evidence::TasksFail { count, .. },
    } = &verdict
    else {
        panic!("not decided: {verdict}");
    };
    assert_eq!(*count, 2);
    assert!(
        verdict.to_string().contains("2 of the 3 failures"),
        "{verdict}"
    );
}

/// Also while the first is still being stopped.
#[test]
fn one_task_that_failed_its_checks_and_one_that_fails_them_are_two() {
    let seen = |status: &str, state| {
        with(3, |seen| {
            under_way(seen);
            deployments(seen, vec![deployment(OURS, "PRIMARY", "IN_PROGRESS")]);
            let mut stopped = failed_task("7");
            stopped.last_status = status.into();
            stopped.stop_code = Some(StopCode::ServiceSchedulerInitiated);
            stopped.stopped_reason = Some("Task failed ELB health checks in (tg)".into());
            seen.tasks = Some(vec![stopped, task("1", "RUNNING")]);
            seen.target_groups = Some(vec![group(&[("1", state)])]);
        })
    };
    for status in ["DEACTIVATING", "STOPPING", "DEPROVISIONING", "STOPPED"] {
        waiting(vec![seen(status, "initial")]);
        assert!(matches!(
            verdict(vec![seen(status, "unhealthy")]),
            Verdict::Failed {
                evidence: Evidence::TasksFail { count: 2, .. }
            }
        ));
    }
}

#[test]
fn a_task_that_is_stopped_for_its_checks_is_one_failure_while_and_after() {
    let seen = |statuses: &[&str]| {
        with(3, |seen| {
            under_way(seen);
            deployments(seen, vec![deployment(OURS, "PRIMARY", "IN_PROGRESS")]);
            let tasks = statuses.iter().zip(["7", "8"]);
            let tasks = tasks.map(|(status, id)| Task {
                last_status: (*status).into(),
                stop_code: Some(StopCode::ServiceSchedulerInitiated),
                stopped_reason: Some("Task failed ELB health checks in (tg)".into()),
                ..failed_task(id)
            });
            seen.tasks = Some(tasks.collect());
            seen.target_groups = Some(vec![group(&[])]);
        })
    };
    waiting(vec![seen(&["DEACTIVATING"]), seen(&["STOPPED"])]);
    // An older look after a newer one does not count it twice.
    waiting(vec![seen(&["STOPPED"]), seen(&["DEACTIVATING"])]);
    let both = seen(&["STOPPED", "DEACTIVATING"]);
    assert!(matches!(
        verdict(vec![both]),
        Verdict::Failed {
            evidence: Evidence::TasksFail { count: 2, .. }
        }
    ));
}

#[test]
fn tasks_that_were_stopped_on_purpose_are_no_evidence() {
    let mut stopped = failed_task("7");
    stopped.stop_code = Some(StopCode::ServiceSchedulerInitiated);
    stopped.stopped_reason = Some("Scaling activity initiated by (deployment ecs-svc/2)".into());
    assert!(!stopped.failed());
    stopped.stopped_reason = Some("Task failed ELB health checks in (target-group tg)".into());
    assert!(stopped.failed());
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
