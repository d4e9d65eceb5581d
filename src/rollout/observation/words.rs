//! AWS's words for states, as enums that keep the words they do not know.

use std::fmt;

use serde::{Serialize, Serializer};

/// Declares an enum of AWS's words. A word that this version does not know is kept as it is
/// and decides nothing; tests hold each enum against the values of the SDK.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($variant:ident = $word:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub enum $name {
            $(#[doc = concat!("`", $word, "`")] $variant,)+
            /// A word that this version does not know, or none.
            Unknown(String),
        }

        impl $name {
            /// Reads AWS's word.
            pub fn read(word: &str) -> Self {
                match word {
                    $($word => Self::$variant,)+
                    other => Self::Unknown(other.to_owned()),
                }
            }

            /// AWS's word.
            pub fn as_str(&self) -> &str {
                match self {
                    $(Self::$variant => $word,)+
                    Self::Unknown(other) => other,
                }
            }

            /// The word, where AWS said one that this version does not know.
            pub fn unknown(&self) -> Option<&str> {
                match self {
                    Self::Unknown(word) if !word.is_empty() => Some(word),
                    _ => None,
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl schemars::JsonSchema for $name {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                // AWS may say a word that this version does not know.
                schemars::json_schema!({"type": "string", "examples": [$($word),+]})
            }
        }
    };
}

words! {
    /// `rolloutState` of a deployment (Amazon ECS API Reference, `Deployment`).
    RolloutState {
        InProgress = "IN_PROGRESS",
        Completed = "COMPLETED",
        Failed = "FAILED",
    }
}

words! {
    /// `status` of a service deployment (Amazon ECS API Reference, `ServiceDeployment`).
    ServiceDeploymentStatus {
        Pending = "PENDING",
        InProgress = "IN_PROGRESS",
        Successful = "SUCCESSFUL",
        StopRequested = "STOP_REQUESTED",
        Stopped = "STOPPED",
        RollbackRequested = "ROLLBACK_REQUESTED",
        RollbackInProgress = "ROLLBACK_IN_PROGRESS",
        RollbackSuccessful = "ROLLBACK_SUCCESSFUL",
        RollbackFailed = "ROLLBACK_FAILED",
    }
}

impl ServiceDeploymentStatus {
    /// Whether ECS goes, or went, back to an earlier service revision.
    pub fn is_rollback(&self) -> bool {
        matches!(
            self,
            Self::RollbackRequested
                | Self::RollbackInProgress
                | Self::RollbackSuccessful
                | Self::RollbackFailed
        )
    }

    /// Whether ECS is on its way back.
    pub fn is_returning(&self) -> bool {
        matches!(self, Self::RollbackRequested | Self::RollbackInProgress)
    }

    /// Whether it can still be stopped.
    pub fn is_under_way(&self) -> bool {
        matches!(self, Self::Pending | Self::InProgress)
    }
}

words! {
    /// `lifecycleStage` of a service deployment: where a blue/green, linear or canary
    /// deployment is (Amazon ECS API Reference, `ServiceDeployment`).
    LifecycleStage {
        ReconcileService = "RECONCILE_SERVICE",
        PreScaleUp = "PRE_SCALE_UP",
        ScaleUp = "SCALE_UP",
        PostScaleUp = "POST_SCALE_UP",
        TestTrafficShift = "TEST_TRAFFIC_SHIFT",
        PostTestTrafficShift = "POST_TEST_TRAFFIC_SHIFT",
        ProductionTrafficShift = "PRODUCTION_TRAFFIC_SHIFT",
        PostProductionTrafficShift = "POST_PRODUCTION_TRAFFIC_SHIFT",
        BakeTime = "BAKE_TIME",
        CleanUp = "CLEAN_UP",
    }
}

words! {
    /// `stopCode` of a task (Amazon ECS API Reference, `Task`).
    StopCode {
        TaskFailedToStart = "TaskFailedToStart",
        EssentialContainerExited = "EssentialContainerExited",
        UserInitiated = "UserInitiated",
        ServiceSchedulerInitiated = "ServiceSchedulerInitiated",
        SpotInterruption = "SpotInterruption",
        TerminationNotice = "TerminationNotice",
        InfrastructureHealth = "InfrastructureHealth",
    }
}

words! {
    /// `state` of a target's health (Elastic Load Balancing API Reference, `TargetHealth`).
    TargetState {
        Initial = "initial",
        Healthy = "healthy",
        Unhealthy = "unhealthy",
        UnhealthyDraining = "unhealthy.draining",
        Unused = "unused",
        Draining = "draining",
        Unavailable = "unavailable",
    }
}

impl TargetState {
    /// Whether the target is on its way out.
    pub fn is_draining(&self) -> bool {
        matches!(self, Self::Draining | Self::UnhealthyDraining)
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_ecs::types as ecs;
    use aws_sdk_elasticloadbalancingv2::types as elb;

    use super::*;

    /// An SDK that brings a state which we do not name fails here: look at what it means
    /// for a verdict, then name it.
    #[test]
    fn every_word_of_the_sdk_has_a_name() {
        fn unnamed(words: &[&'static str], named: impl Fn(&str) -> bool) -> Vec<&'static str> {
            words.iter().copied().filter(|word| !named(word)).collect()
        }
        let none: Vec<&str> = Vec::new();
        assert_eq!(
            unnamed(ecs::DeploymentRolloutState::values(), |word| {
                RolloutState::read(word).unknown().is_none()
            }),
            none
        );
        assert_eq!(
            unnamed(ecs::ServiceDeploymentStatus::values(), |word| {
                ServiceDeploymentStatus::read(word).unknown().is_none()
            }),
            none
        );
        assert_eq!(
            unnamed(ecs::ServiceDeploymentLifecycleStage::values(), |word| {
                LifecycleStage::read(word).unknown().is_none()
            }),
            none
        );
        assert_eq!(
            unnamed(ecs::TaskStopCode::values(), |word| {
                StopCode::read(word).unknown().is_none()
            }),
            none
        );
        assert_eq!(
            unnamed(elb::TargetHealthStateEnum::values(), |word| {
                TargetState::read(word).unknown().is_none()
            }),
            none
        );
    }

    #[test]
    fn words_are_kept_as_they_are() {
        for word in ["ROLLBACK_FAILED", "NEXT_YEARS_STATE", ""] {
            assert_eq!(ServiceDeploymentStatus::read(word).as_str(), word);
            assert_eq!(
                serde_json::to_value(ServiceDeploymentStatus::read(word)).unwrap(),
                word
            );
        }
    }
}
