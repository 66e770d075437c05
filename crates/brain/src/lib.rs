//! Every decision of a group, as a deterministic state machine. Pure: no clock, no socket, no log.
//! It returns effects with reasons; an agent (or the simulator) carries them out.

mod cure;
pub mod effect;
pub mod election;
pub mod identity;
pub mod input;
pub mod memory;
pub mod message;
pub mod reason;
pub mod record;
pub mod report;
pub mod spec;
pub mod stamp;
pub mod time;
pub mod timing;
pub mod topology;

pub use cure::{Cure, Without};
pub use effect::{Act, AskId, Effect, EngineCommand, GateDeadline, PersistId, RequestId, Route};
pub use election::{Election, rules};
pub use identity::{Ended, Epoch, Incarnation, MemberId, MemberName};
pub use input::{
    DataFiles, EngineNews, EngineView, Exit, Input, ProcessState, ReplicaView, Shortage,
    StoreOutcome, Wish,
};
pub use memory::Memory;
pub use message::{Message, Standing};
pub use reason::{BEGINS_EMPTY, Reason};
pub use record::{Electorate, HandoverWish, Lineage, Record, Released, Seat, Version};
pub use stamp::Stamp;
pub use time::{Span, Tick};
pub use timing::Timing;
pub use topology::{Durability, Failsafe, Settings};
