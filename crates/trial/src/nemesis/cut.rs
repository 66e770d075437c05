//! The primary behind a cut: from the store, from its peers, from both.

use std::time::Duration;

use tokio::time::sleep;

use super::{DeedError, Done, Scene};
use crate::target::CutFrom;

pub(super) async fn cut(
    scene: &Scene<'_>,
    from: CutFrom,
    length: Duration,
) -> Result<Done, DeedError> {
    let (primary, _) = scene.primary()?;
    let at = scene.clock.now();
    let hands = &scene.target.hands;
    hands.cut(&primary.name, from).await?;
    // The length of the harm, not a wait for anything.
    sleep(length).await;
    hands.heal_all().await?;
    Ok(Done { victim: primary.name.clone(), at, ..Done::default() })
}
