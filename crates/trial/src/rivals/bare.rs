//! One engine and a supervisor: what there is without any failover.

use super::RivalError;
use super::crew::{Crew, Ground, ready};
use super::look::{self, Look};

/// The running rival.
#[derive(Debug)]
pub(super) struct Bare {
    pub(super) crew: Crew,
}

impl Bare {
    pub(super) async fn start(ground: Ground<'_>) -> Result<Self, RivalError> {
        let members = vec![ground.member(0, &[])?];
        let rival = Self { crew: Crew::new(ground, members) };
        ready(|| rival.look()).await?;
        Ok(rival)
    }

    pub(super) async fn look(&self) -> Look {
        look::of_one(&self.crew.members[0].server()).await
    }
}
