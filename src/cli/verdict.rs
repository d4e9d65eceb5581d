//! What a verdict means to the caller: the exit code, and the events that tell it.

use super::{Context, Exit};
use crate::report::{Event, Reporter as _};
use crate::rollout::{Diagnosis, Verdict};

/// The exit code of a deployment that was watched, or not waited for.
pub(super) fn exit_of(context: &Context, verdict: Option<&Verdict>, interrupted: bool) -> Exit {
    let signal = context.interrupt.signal().filter(|_| interrupted);
    match (signal, verdict) {
        (Some(signal), _) => signal.into(),
        (None, None | Some(Verdict::Succeeded)) => Exit::Done,
        (None, Some(Verdict::Failed { .. })) => Exit::RolloutFailed,
        (None, Some(Verdict::RolledBack { .. })) => Exit::RolledBack,
        (None, Some(Verdict::Superseded { .. })) => Exit::Superseded,
        (None, Some(Verdict::Unknown { .. })) => Exit::Unknown,
    }
}

/// Tells the diagnosis and the verdict as events.
pub(super) fn tell(
    context: &Context,
    verdict: Option<&Verdict>,
    diagnosis: Option<&Diagnosis>,
    exit: Exit,
    explanation: &str,
) {
    let stopped = diagnosis.map_or(&[][..], |diagnosis| &diagnosis.stopped);
    for group in stopped {
        context.reporter.event(Event::Stopped(group.clone()));
    }
    if let Some(verdict) = verdict {
        context.reporter.event(Event::Verdict {
            verdict: verdict.word().to_owned(),
            exit_code: exit as u8,
            explanation: explanation.to_owned(),
        });
    }
}
