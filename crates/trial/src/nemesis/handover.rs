//! A planned handover, to another member each time.

use super::{DeedError, Done, Scene};

pub(super) async fn handover(scene: &Scene<'_>) -> Result<Done, DeedError> {
    let (primary, _) = scene.primary()?;
    let others: Vec<&str> = scene
        .target
        .seats
        .iter()
        .map(|seat| seat.name.as_str())
        .filter(|name| *name != primary.name)
        .collect();
    if others.is_empty() {
        return Err(DeedError::Nobody("member to hand over to"));
    }
    let to = others[scene.number as usize % others.len()];
    let at = scene.clock.now();
    scene.target.hands.handover(Some(to)).await?;
    let notes = vec![format!("handed over to {to}")];
    Ok(Done { victim: primary.name.clone(), at, notes, ..Done::default() })
}
