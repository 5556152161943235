//! What a run says and leaves behind: progress, events, curves, overlays and the summary.

mod alike;
mod canvas;
mod comparison;
mod curve;
mod events;
mod heartbeat;
mod overlay;
mod progress;
mod results;
mod scored;
mod summary;
mod table;

pub use alike::alike;
pub use comparison::{Comparison, StepCost};
pub use curve::draw_curve;
pub use events::{EVENTS, Event, EventLog, seconds_per_step};
pub use overlay::{Overlay, draw_overlay};
pub use progress::Progress;
pub use results::print_result;
pub use scored::Scored;
pub use summary::{Origin, Report, SUMMARY, Subject};
pub use table::Table;
