//! Any deed, drawn: what comes one after the other is what nobody thought of.

use std::time::Duration;

use super::{Deed, DeedError, Done, Scene, Stopped};
use crate::target::StoreState;

/// The longest freeze and partition: many short ones meet more than few long ones.
const LONGEST: Duration = Duration::from_secs(12);
/// How long the store is ill.
const ILL: Duration = Duration::from_secs(3);

/// One of these, each as likely as the others.
fn deeds(wait: Duration) -> [Deed; 12] {
    [
        Deed::KillEngine,
        Deed::KillAgent,
        Deed::Handover,
        Deed::HandoverKill,
        Deed::Empty,
        Deed::Partition { longest: LONGEST },
        Deed::Partition { longest: LONGEST },
        Deed::FreezeMember { longest: LONGEST },
        Deed::Thaw { stopped: Stopped::Both, wait },
        Deed::StoreDown { length: ILL, crash: true },
        Deed::StoreFault { fault: StoreState::Hung, length: ILL },
        Deed::StoreFault { fault: StoreState::RecordDeleted, length: ILL },
    ]
}

pub(super) async fn any(scene: &Scene<'_>, wait: Duration) -> Result<Done, DeedError> {
    let deed = scene.stream().pick(&deeds(wait));
    // It is one of the above, which never draw again.
    let mut done = Box::pin(deed.commit(scene)).await?;
    done.notes.insert(0, format!("{deed:?}"));
    Ok(done)
}
