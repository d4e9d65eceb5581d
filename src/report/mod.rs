//! What happens, as events; and who shows them. The stages know [`Event`] and
//! [`Reporter`] only: nothing but a reporter writes to the terminal.

mod event;
mod human;
pub mod table;

use std::sync::Arc;

pub use event::{CheckOutcome, ErrorReport, Event, Record, STREAM_VERSION, Stage};
pub use human::HumanReporter;

/// Shows events.
pub trait Reporter: Send + Sync {
    /// Shows one event.
    fn event(&self, event: Event);

    /// A stage got on.
    fn progress(&self, stage: Stage, message: String) {
        self.event(Event::Progress { stage, message });
    }

    /// Something an operator should know.
    fn warn(&self, message: impl Into<String>)
    where
        Self: Sized,
    {
        self.event(Event::Warning {
            message: message.into(),
        });
    }
}

impl<R: Reporter + ?Sized> Reporter for Arc<R> {
    fn event(&self, event: Event) {
        self.as_ref().event(event);
    }
}
