//! What no history may mean: a small model of ECS plays a deployment's fate, the looks at it
//! lose parts, mix moments and bring words that nobody knows, and the verdict is held against
//! the fate.

use proptest::prelude::*;

use super::*;
use crate::rollout::observation::Breaker;

const OURS_AGAIN: &str = "ecs-svc/3";
const THEIRS: &str = "ecs-svc/9";

/// What truly happens to our deployment, all of it within the first two minutes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// It becomes live and stays so.
    Lives,
    /// It becomes live, one target falls ill for a while, and recovers.
    Recovers,
    /// It becomes live, and then one of its targets is ill for good.
    FallsIll,
    /// Its tasks crash; ECS gives it up and goes back.
    IsRolledBack,
    /// Its tasks crash; ECS gives it up and leaves it there.
    IsGivenUp,
    /// An alarm fires after it was complete; ECS goes back.
    IsRolledBackWhileBaking,
    /// Somebody deploys another revision.
    IsSuperseded,
    /// Somebody stops it before it is complete.
    IsStopped,
    /// Somebody scales the service to nothing.
    IsScaledToNothing,
    /// Its tasks run another image than ours.
    RunsAnotherDigest,
    /// Its tasks are never registered in the second target group.
    LacksATarget,
}

const FATES: [Fate; 11] = [
    Fate::Lives,
    Fate::Recovers,
    Fate::FallsIll,
    Fate::IsRolledBack,
    Fate::IsGivenUp,
    Fate::IsRolledBackWhileBaking,
    Fate::IsSuperseded,
    Fate::IsStopped,
    Fate::IsScaledToNothing,
    Fate::RunsAnotherDigest,
    Fate::LacksATarget,
];

/// One deployment's life.
#[derive(Debug, Clone)]
struct Story {
    fate: Fate,
    /// When its tasks are up and ECS calls it complete, if it comes to that.
    completes: u64,
    /// When the fate strikes.
    strikes: u64,
    /// How long what follows takes: a rollback, an illness.
    lasts: u64,
    /// Whether it deploys the very revision that ran before.
    same_revision: bool,
    target_groups: usize,
    fail_fast: bool,
}

impl Story {
    fn plan(&self) -> Plan {
        Plan {
            previous_revision: Some(self.old_revision().into()),
            fail_fast: self.fail_fast,
            ecs_rolls_back: matches!(
                self.fate,
                Fate::IsRolledBack | Fate::IsRolledBackWhileBaking
            ),
            timeout: Duration::from_secs(10_000),
            ..plan()
        }
    }

    fn old_revision(&self) -> &'static str {
        if self.same_revision {
            REVISION
        } else {
            PREVIOUS
        }
    }

    /// Whether the fate is of the kind that strikes, and has.
    fn struck(&self, at: u64) -> bool {
        at >= self.strikes
    }

    /// Whether the deployment is live at this moment, in truth.
    fn is_live(&self, at: u64) -> bool {
        at >= self.completes
            && match self.fate {
                Fate::Lives => true,
                Fate::Recovers => !self.struck(at) || at >= self.strikes + self.lasts,
                Fate::FallsIll
                | Fate::IsRolledBackWhileBaking
                | Fate::IsSuperseded
                | Fate::IsScaledToNothing => !self.struck(at),
                Fate::IsRolledBack
                | Fate::IsStopped
                | Fate::IsGivenUp
                | Fate::RunsAnotherDigest
                | Fate::LacksATarget => false,
            }
    }

    fn crashes(&self) -> bool {
        matches!(self.fate, Fate::IsRolledBack | Fate::IsGivenUp)
    }

    fn is_complete(&self, at: u64) -> bool {
        at >= self.completes && !self.crashes() && self.fate != Fate::IsStopped
    }

    fn service(&self, at: u64) -> Service {
        let state = if self.is_complete(at) {
            "COMPLETED"
        } else {
            "IN_PROGRESS"
        };
        let mut ours = deployment(OURS, "PRIMARY", state);
        let mut all = Vec::new();
        if self.struck(at) {
            let back = || Deployment {
                task_definition: self.old_revision().into(),
                reason: "ECS deployment circuit breaker: rolling back to deploymentId ecs-svc/1."
                    .into(),
                ..deployment(
                    OURS_AGAIN,
                    "PRIMARY",
                    if at < self.strikes + self.lasts {
                        "IN_PROGRESS"
                    } else {
                        "COMPLETED"
                    },
                )
            };
            match self.fate {
                Fate::IsRolledBack | Fate::IsRolledBackWhileBaking => {
                    ours = deployment(OURS, "ACTIVE", "FAILED");
                    all.push(back());
                }
                Fate::IsGivenUp => ours.rollout = RolloutState::Failed,
                Fate::IsSuperseded => {
                    ours.status = "ACTIVE".into();
                    all.push(Deployment {
                        task_definition: "td/mcp:9".into(),
                        ..deployment(THEIRS, "PRIMARY", "IN_PROGRESS")
                    });
                }
                Fate::IsScaledToNothing => ours.desired = 0,
                _ => {}
            }
        }
        // A deployment that was replaced leaves the list after a while.
        let gone = ours.status == "ACTIVE" && at >= self.strikes + self.lasts;
        if !gone {
            all.push(ours);
        }
        service(all)
    }

    fn record(&self, at: u64) -> ServiceDeployment {
        let over = at >= self.strikes + self.lasts;
        let status = match self.fate {
            Fate::IsRolledBack | Fate::IsRolledBackWhileBaking if self.struck(at) && over => {
                "ROLLBACK_SUCCESSFUL"
            }
            Fate::IsRolledBack | Fate::IsRolledBackWhileBaking if self.struck(at) => {
                "ROLLBACK_IN_PROGRESS"
            }
            Fate::IsGivenUp | Fate::IsStopped if self.struck(at) => "STOPPED",
            Fate::IsSuperseded if self.struck(at) && !self.is_complete(self.strikes) => "STOPPED",
            // An alarm can only roll back what is still under way.
            Fate::IsRolledBackWhileBaking => "IN_PROGRESS",
            _ if self.is_complete(at) => "SUCCESSFUL",
            _ => "IN_PROGRESS",
        };
        ServiceDeployment {
            breaker: self.crashes().then_some(Breaker {
                failures: 2,
                threshold: 3,
            }),
            ..record(status)
        }
    }

    fn tasks(&self, at: u64) -> Vec<Task> {
        let gone = self.struck(at)
            && matches!(
                self.fate,
                Fate::IsSuperseded | Fate::IsScaledToNothing | Fate::IsRolledBackWhileBaking
            );
        if self.crashes() {
            let crashed = at / 4;
            return (0..crashed.min(5))
                .map(|number| failed_task(&(number + 10).to_string()))
                .collect();
        }
        if gone {
            return Vec::new();
        }
        let status = if at + 2 >= self.completes {
            "RUNNING"
        } else {
            "PENDING"
        };
        let mut tasks = vec![task("1", status), task("2", status)];
        if self.fate == Fate::RunsAnotherDigest {
            tasks[1].containers[0].image_digest = Some("sha256:old".into());
        }
        tasks
    }

    fn target_groups(&self, at: u64) -> Vec<TargetGroup> {
        let state = |ill: bool| match (at + 1 >= self.completes, ill) {
            (false, _) => "initial",
            (true, true) => "unhealthy",
            (true, false) => "healthy",
        };
        let ill = self.struck(at)
            && match self.fate {
                Fate::Recovers => at < self.strikes + self.lasts,
                Fate::FallsIll => true,
                _ => false,
            };
        let whole = || group(&[("1", state(false)), ("2", state(ill))]);
        let mut groups = vec![whole(); self.target_groups];
        if self.fate == Fate::LacksATarget {
            groups.push(group(&[("1", state(false))]));
        }
        groups
    }
}

/// What a look loses of the truth.
#[derive(Debug, Clone)]
struct Blur {
    /// Seconds since the look before.
    after: u64,
    /// How old each part is: the calls of one look are not of one moment.
    age: [u64; 4],
    missing: [bool; 4],
    unknown_word: bool,
}

const CLEAR: Blur = Blur {
    after: 6,
    age: [0; 4],
    missing: [false; 4],
    unknown_word: false,
};

/// One look at the story, `service_deployments` telling whether the caller may see them.
fn look(story: &Story, at: u64, blur: &Blur, service_deployments: bool) -> Observation {
    let [service, record, tasks, groups] = blur.age.map(|age| at.saturating_sub(age));
    let mut seen = Observation {
        elapsed: Duration::from_secs(at),
        service: (!blur.missing[0]).then(|| story.service(service)),
        service_deployment: match (service_deployments, blur.missing[1]) {
            (false, _) => Sight::Unavailable,
            (true, true) => Sight::Missed,
            (true, false) => Sight::Seen(story.record(record)),
        },
        tasks: (!blur.missing[2]).then(|| story.tasks(tasks)),
        target_groups: (!blur.missing[3]).then(|| story.target_groups(groups)),
        stack: None,
        failures: Vec::new(),
    };
    if blur.unknown_word {
        for deployment in seen.service.iter_mut().flat_map(|it| &mut it.deployments) {
            deployment.rollout = RolloutState::Unknown("NEXT_YEARS_STATE".into());
        }
        if let Sight::Seen(record) = &mut seen.service_deployment {
            record.status = ServiceDeploymentStatus::Unknown("NEXT_YEARS_STATE".into());
        }
    }
    seen
}

/// Watches as the engine does: look by look, until there is a verdict. Answers it with its time.
fn watch(story: &Story, blurs: &[Blur], service_deployments: bool) -> (Verdict, u64) {
    let plan = story.plan();
    let mut history = History::default();
    let mut at = 0;
    let settled = std::iter::repeat_n(&CLEAR, 400);
    for blur in blurs.iter().chain(settled) {
        at += blur.after;
        history.push(look(story, at, blur, service_deployments));
        if let Decision::Done(verdict) = decide(&plan, &history) {
            return (verdict, at);
        }
    }
    let nothing = Verdict::Unknown {
        waiting_for: "the end of time".into(),
    };
    (nothing, at)
}

prop_compose! {
    fn any_story(fates: &'static [Fate])(
        fate in prop::sample::select(fates),
        completes in 5..40_u64,
        strikes in 5..60_u64,
        lasts in 1..30_u64,
        same_revision in prop::bool::weighted(0.2),
        target_groups in 1..=2_usize,
        fail_fast in any::<bool>(),
    ) -> Story {
        Story { fate, completes, strikes, lasts, same_revision, target_groups, fail_fast }
    }
}

prop_compose! {
    fn any_blur()(
        after in 1..15_u64,
        age in prop::array::uniform4(0..3_u64),
        missing in prop::array::uniform4(prop::bool::weighted(0.3)),
        unknown_word in prop::bool::weighted(0.1),
    ) -> Blur {
        Blur { after, age, missing, unknown_word }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2048))]

    /// No history in which our deployment was rolled back, superseded, stopped or had an
    /// unhealthy own target at the end gives Succeeded.
    #[test]
    fn success_is_true(
        story in any_story(&FATES),
        blurs in prop::collection::vec(any_blur(), 0..30),
        service_deployments in any::<bool>(),
    ) {
        let (verdict, at) = watch(&story, &blurs, service_deployments);
        if verdict == Verdict::Succeeded {
            // The parts of the last look are at most two seconds old.
            prop_assert!((at.saturating_sub(2)..=at).any(|at| story.is_live(at)), "not live at {at}");
            let bake = story.plan().bake.as_secs();
            prop_assert!(at >= story.completes + bake, "did not bake at {at}");
        }
    }

    /// Every history that ends well ends in Succeeded, however little was seen on the way.
    #[test]
    fn what_ends_well_succeeds(
        story in any_story(&[Fate::Lives, Fate::Recovers]),
        blurs in prop::collection::vec(any_blur(), 0..30),
        service_deployments in any::<bool>(),
    ) {
        let (verdict, _) = watch(&story, &blurs, service_deployments);
        prop_assert_eq!(verdict, Verdict::Succeeded);
    }

    /// Whatever does not end well is called what it is.
    #[test]
    fn a_bad_end_has_its_name(
        story in any_story(&FATES),
        blurs in prop::collection::vec(any_blur(), 0..30),
        service_deployments in any::<bool>(),
    ) {
        let (verdict, at) = watch(&story, &blurs, service_deployments);
        if verdict == Verdict::Succeeded {
            return Ok(());
        }
        let named = match story.fate {
            Fate::Lives | Fate::Recovers => false,
            Fate::FallsIll | Fate::RunsAnotherDigest | Fate::LacksATarget => {
                matches!(verdict, Verdict::Unknown { .. })
            }
            Fate::IsRolledBack => matches!(
                verdict,
                Verdict::RolledBack { .. } | Verdict::Failed { evidence: Evidence::TasksFail { .. } }
            ),
            Fate::IsGivenUp => matches!(verdict, Verdict::Failed { .. }),
            Fate::IsRolledBackWhileBaking => matches!(verdict, Verdict::RolledBack { .. }),
            Fate::IsSuperseded => matches!(verdict, Verdict::Superseded { .. }),
            // Without its record nothing tells that it was stopped.
            Fate::IsStopped => !service_deployments
                || matches!(verdict, Verdict::Failed { evidence: Evidence::Stopped { .. } }),
            Fate::IsScaledToNothing => matches!(verdict, Verdict::Unknown { .. }),
        };
        prop_assert!(named, "{:?} is called {verdict} at {at}", story.fate);
    }

    /// The very same looks give the very same decision: there is no clock in it.
    #[test]
    fn a_decision_depends_on_the_history_alone(
        story in any_story(&FATES),
        blurs in prop::collection::vec(any_blur(), 1..20),
    ) {
        let plan = story.plan();
        let mut history = History::default();
        let mut at = 0;
        for blur in &blurs {
            at += blur.after;
            history.push(look(&story, at, blur, true));
        }
        prop_assert_eq!(decide(&plan, &history), decide(&plan, &history.clone()));
    }
}
