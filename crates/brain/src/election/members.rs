//! Who the members are: what the record says, so that a group can grow and shrink while it runs.

use crate::effect::Act;
use crate::identity::MemberName;
use crate::reason::Reason;

use super::Election;

impl Election {
    /// Takes over the record's list of members, should it be another one than is known. Whoever is
    /// in the electorate, holds the record, or is this very member stays on the list until it is
    /// not: it is a list of who is spoken to, and proves nothing (failover.md 2.11).
    pub(super) fn heed_members(&mut self) {
        let Some(record) = self.store.record() else { return };
        if record.members.is_empty() {
            return;
        }
        let mut members: Vec<MemberName> = record.members.clone();
        members.extend(self.members_of_record().into_iter().map(|id| id.name));
        members.push(self.id.name.clone());
        members.sort_by_key(|name| (name.ordinal(), name.clone()));
        members.dedup();
        let mut known = self.settings.members.clone();
        known.sort_by_key(|name| (name.ordinal(), name.clone()));
        if members == known {
            return;
        }
        self.peers.retain(|name, _| members.contains(name));
        for name in members.iter().filter(|name| **name != self.id.name) {
            self.peers.entry(name.clone()).or_default();
        }
        let list = members.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        self.settings.members.clone_from(&members);
        let why = Reason::detail("members", format!("the members are {list}"));
        self.out.push(Act::Members(members), why);
    }
}
