//! What must never come of any order of steps (failover.md 2.3).

/// A property that a search may find broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Property {
    /// Two members have authority.
    I1 = 1,
    /// A later primary lacks a write for which WAIT answered.
    I2 = 2,
    /// A primary is incomplete, or below the stamp of somebody who promised it.
    I3 = 3,
    /// An epoch has authority after a higher one had it.
    I6 = 4,
    /// A primary without any fault but cut links, with its store, has lost its authority
    /// (failover.md 2.5, lazy lease).
    Lazy = 5,
}

impl Property {
    /// The property that a state's `fault` names.
    pub fn of(fault: u8) -> Option<Property> {
        [Self::I1, Self::I2, Self::I3, Self::I6, Self::Lazy]
            .into_iter()
            .find(|property| *property as u8 == fault)
    }
}

impl std::fmt::Display for Property {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Property::I1 => "I1: two members have authority",
            Property::I2 => "I2: a waited write is missing",
            Property::I3 => "I3: a lesser copy leads",
            Property::I6 => "I6: an epoch does not grow",
            Property::Lazy => "lazy: a healthy primary has lost its authority",
        })
    }
}
