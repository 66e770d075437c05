//! Twins: a pod that was deleted by force while its host was out of sight lives on beside the one
//! that was made in its place, under its name (protocol-traces H7).

use brain::{MemberId, MemberName};

use super::{Member, World};
use crate::network::Plane;
use crate::server::{Disk, Link, Role};
use crate::{MS, SECOND};

impl World {
    /// Makes another pod of this one's name, on another host, with its disk as it is now or with an
    /// empty one. The old one lives on, cut from these. False where nothing was made: see
    /// [`World::may_live_on`].
    pub(super) fn make_twin(
        &mut self,
        old: usize,
        keeps_disk: bool,
        paths: &[(Plane, usize, usize)],
    ) -> bool {
        let named = self.stands.iter().position(|m| *m == old);
        let Some(named) = named.filter(|_| self.may_live_on(old)) else { return false };
        let twin = self.members.len();
        let mut member = Member::new(self.name(old), &self.plan, &mut self.rng);
        let was = &mut self.members[old];
        if keeps_disk {
            let running = was.server.as_ref().map(|server| server.clone().die(false));
            member.disk = running.unwrap_or_else(|| was.disk.clone());
            member.memory.clone_from(&was.memory);
            member.set_aside.clone_from(&was.set_aside);
        }
        was.heir = Some(member.disk.data.clone());
        self.names.push(member.name.clone());
        self.members.push(member);
        self.tunings.push(self.tunings[old]);
        self.told.push(self.told[old].clone());
        self.watched.push(0);
        self.stands[named] = twin;
        for (m, member) in self.members.iter().enumerate() {
            if member.agent.as_ref().is_some_and(|agent| agent.links.contains(&named)) {
                self.dialled.entry((m, named)).or_insert(old);
            }
        }
        for (plane, from, to) in paths {
            self.network.cut(*plane, *from, *to);
        }
        let after = self.rng.range(100 * MS, 5 * SECOND);
        self.member_back(twin, after);
        self.refresh_links();
        true
    }

    /// Whether a world may have it live on. A primary's pod out of sight together with as many of
    /// its electorate as hold it is what failover.md 2.0 does not cover.
    fn may_live_on(&self, old: usize) -> bool {
        let Some((_, record)) = &self.store.record else { return false };
        let Some(holder) = &record.holder else { return false };
        let out = |m: &usize| *m == old || self.is_old(*m);
        let lives_on =
            |id: &MemberId| (0..self.members.len()).filter(out).any(|m| self.identity(m) == *id);
        let e = &record.electorate;
        let seats = e.members().filter(|id| lives_on(id)).count();
        let hold = seats >= brain::rules::acks(e.len(), e.copies, e.failsafe);
        let room = self.members.len() < 3 * self.plan.members;
        room && self.members[old].agent.is_some() && !(hold && lives_on(&holder.id))
    }

    /// Whether another has its name now, and it lives.
    fn is_old(&self, m: usize) -> bool {
        self.members[m].heir.is_some() && !self.members[m].broken
    }

    /// The kubelet is back, or the host is gone: the old pod ends, with whatever it alone had.
    pub(super) fn end_old(&mut self, m: usize) {
        let Some(left) = self.members[m].heir.clone().filter(|_| self.is_old(m)) else { return };
        self.members[m].broken = true;
        self.end_agent(m, false);
        self.end_server(m, brain::Exit::Signal(9));
        let had = std::mem::take(&mut self.members[m].disk);
        self.note_loss(m, had.data, &Disk { data: left, ..Disk::default() });
        self.members[m].memory = None;
        self.refresh_links();
    }

    /// Who is at the other end of this member's connection to the peer of this number's name.
    pub(super) fn other_end(&self, m: usize, named: usize) -> usize {
        self.dialled.get(&(m, named)).copied().unwrap_or(self.stands[named])
    }

    /// Whom this member's words to that name reach.
    pub(super) fn reached(&self, m: usize, name: &MemberName) -> Option<usize> {
        let named = self.names.iter().position(|n| n == name)?;
        Some(self.other_end(m, named))
    }

    /// Who this is, or was in an earlier pod of its; else who has its name.
    pub(super) fn place_of(&self, id: &MemberId) -> Option<usize> {
        let is = |m: &usize| self.names[*m] == id.name && id.pod.starts_with(&format!("pod{m}-"));
        (0..self.members.len()).find(is).or_else(|| self.index(&id.name))
    }

    /// An agent whose engine has no link to an address looks up who has the name now.
    pub(super) fn follow_where_it_moved(&mut self, m: usize) {
        let Some(server) = &self.members[m].server else { return };
        let Role::Replica { upstream: Some(at) } = server.role else { return };
        let Some(now_at) = self.index(&self.names[at]).filter(|to| *to != at) else { return };
        let now = self.now;
        if server.link == Link::Down
            && let Some(server) = self.members[m].server.as_mut()
            && let Ok(outs) = server.replicate(Some(now_at), now)
        {
            self.outs(m, outs);
        }
    }
}
