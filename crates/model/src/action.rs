//! Every step that a world can take, by name. The names are those of docs/proof, one by one.

/// One step. The numbers are slots: 0 is A, the first primary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Time goes on by one tick, and whose authority is over is fenced.
    Tick,
    /// A member sees the record as it stands.
    See(u8),
    /// The holder's compare-and-swap succeeds.
    Renew(u8),
    /// A member acks the holder's heartbeat: (member, holder).
    Ack(u8, u8),
    /// An ack that was on its way arrives: (member, holder).
    AckArrives(u8, u8),
    /// A member hears that the holder is fenced: (member, holder).
    HearFenced(u8, u8),
    /// A newer epoch is in the record, or somebody else holds it.
    StepDown(u8),
    /// The holder writes a higher epoch for the same lead: (holder, epoch).
    Bump(u8, u8),
    /// The record is missing or older than known: the holder writes it again: (holder, epoch).
    Rewrite(u8, u8),
    /// The holder switches a member's user off: (holder, member).
    CutOff(u8, u8),
    /// The holder sends E without who was cut off: (holder, member).
    SendShrink(u8, u8),
    /// The holder sends E with one more: (holder, member).
    SendGrow(u8, u8),
    /// The holder sends a higher k: (holder, k).
    SendRaise(u8, u8),
    /// The holder demotes itself and sends its lease to another: (holder, member).
    SendHandover(u8, u8),
    /// The holder demotes itself and sends its goodbye.
    SendRelease(u8),
    /// The store carries a compare-and-swap out: (owner, place).
    Commit(u8, u8),
    /// The store refuses one: (owner, place).
    Refuse(u8, u8),
    /// Its answer arrives: (owner, place).
    Answer(u8, u8),
    /// Its answer never arrives: (owner, place).
    Silence(u8, u8),
    /// The holder sees that its own unanswered write stands in the record.
    ReadOwn(u8),
    /// The mutant: the old record, read back, counts as the answer.
    ReadBack(u8),
    /// A member that the record named leads: (member, epoch).
    Accept(u8, u8),
    /// A member drops an appointment that it cannot follow.
    Decline(u8),
    /// A candidate promises itself: (candidate, epoch).
    AskFor(u8, u8),
    /// A member promises a candidate: (member, candidate).
    Promise(u8, u8),
    /// The mutant: a promise is forgotten.
    Forget(u8),
    /// The candidate takes the record: (candidate, epoch).
    TakeOver(u8, u8),
    /// The same, and the answer is lost.
    TakeOverUnheard(u8, u8),
    /// The same by a recovery election: (candidate, epoch).
    Recover(u8, u8),
    /// The record's own holder leads again: (holder, epoch).
    LeadAgain(u8, u8),
    /// The last holder takes its release back: (holder, epoch).
    TakeBack(u8, u8),
    /// The holder without an engine names a successor: (holder, successor).
    Appoint(u8, u8),
    /// The first primary of the group: (member, who answered).
    Begin(u8, u8),
    /// A client writes: (primary, write).
    Write(u8, u8),
    /// A replica's engine attaches: (replica, primary).
    Attach(u8, u8),
    /// A full sync ends: (replica, primary).
    Load(u8, u8),
    /// A replica applies the next write: (replica, primary).
    Apply(u8, u8),
    /// A replica's link is lost.
    Detach(u8),
    /// The primary's engine dies under its agent.
    EngineDies(u8),
    /// The engine has started again, at the dead end.
    Reload(u8),
    /// A replica's engine ends and starts again: (replica, the offset that is left).
    EngineRestarts(u8, u8),
    /// A process ends: (member, 0 what it had stays, 1 its last write is lost, 2 all is lost,
    /// 3 it stops cleanly).
    Crash(u8, u8),
    /// It is back.
    Restart(u8),
    /// A pod is made again on the same disk: (old, 1 the old one lives on).
    Recreate(u8, u8),
    /// The record is deleted.
    Delete,
    /// The record is what it was before.
    RollBack,
    /// A link to the first primary is cut.
    CutLink(u8),
    /// It heals.
    HealLink(u8),
}

impl Action {
    /// Its name, without whom it is about.
    pub fn name(&self) -> String {
        let text = format!("{self:?}");
        text.split('(').next().unwrap_or_default().to_owned()
    }
}
