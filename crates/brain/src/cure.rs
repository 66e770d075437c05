//! The cures of the protocol: each closes a hole that an earlier wording had. Tests take one out
//! and expect the checkers to see it; nothing else can.

/// What a test takes out: one cure, or two where the second stands in for the first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Without(pub Cure, pub Option<Cure>);

impl Without {
    /// Whether this cure is among what is taken out.
    pub fn lacks(&self, cure: Cure) -> bool {
        self.0 == cure || self.1 == Some(cure)
    }
}

impl From<Cure> for Without {
    fn from(cure: Cure) -> Self {
        Self(cure, None)
    }
}

/// One cure. The letters are the rows of the traces in `docs/failover.md`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Cure {
    /// H1: a compare-and-swap without an answer stays in force until a later one has succeeded.
    JointUntilOwnSuccess,
    /// H2: who has sent the lease away leads again only by a higher epoch.
    HigherEpochAfterGiving,
    /// H3: an appointed primary counts its lease from its own compare-and-swap.
    AppointedNeedsAcks,
    /// H4: a changed electorate counts from the sending.
    JointFromSending,
    /// H5: only a holder with authority writes a missing record again.
    RecreateWithAuthority,
    /// H7: acks and promises count for the pod and the state too.
    WholeIdentity,
    /// H8: a restarted member waits T_p before its first promise.
    WaitAfterRestart,
    /// H10: where nothing is decided by seats, strangers in their place tell of the holder.
    StrangersTell,
    /// D1: a promise detaches the engine first.
    DetachBeforePromise,
    /// D2: the primary admits.
    PrimaryAdmits,
    /// D3, D9, D11, D12: somebody in the quorum stands.
    SomebodyStands,
    /// D4: an epoch is earned at its start offset.
    EpochAtStart,
    /// D5: an unclean stop makes inexact.
    ExactOnlyWhenClean,
    /// D6: an appointed primary still holds its stamp.
    AppointedHoldsStamp,
    /// D7: raising k waits.
    RaiseWaits,
    /// D8: attachment is on disk before it happens.
    AttachOnDisk,
    /// D16: the primary admits who has acknowledged its lead.
    AdmitAfterAck,
    /// D9: a seat says from where it stands.
    SeatFrom,
    /// D10: a promise is for one electorate.
    PromiseForElectorate,
    /// D11: a shrink lifts the seats of who remains.
    ShrinkLifts,
    /// D12: a shrink lifts the holder's own.
    ShrinkLiftsHolder,
    /// D13: a restarted holder asks witnesses.
    RestartedAsksWitnesses,
    /// D14: the highest stamp leads.
    HighestLeads,
    /// D15: a bump changes authority only.
    BumpIsNoLineage,
    /// L2: a holder without authority says so.
    FencedIsNotSeen,
    /// L3: a handover keeps the old primary in the electorate.
    HandoverKeepsOld,
    /// L8: the last holder may take its release back.
    TakeBackRelease,
    /// L9: exactness is asked of witnesses, not of who stands.
    StandingNeedsNoExactness,
    /// L10: the recovery election.
    Recovery,
    /// L11: who could not lead keeps nobody else from it.
    UnableGivesWay,
    /// L12: a holder that cannot promote makes way.
    HolderMakesWay,
    /// The lazy lease returns to R on a missed ack.
    LazyReturns,
    /// A promise is on disk before it is sent.
    PromiseOnDisk,
    /// Promises first, then the compare-and-swap.
    PromisesBeforeLease,
    /// The peers' deadline counts from the heartbeat's sending.
    AckFromSending,
    /// A shrink waits until the rest has the cut offset.
    ShrinkWaits,
    /// A newcomer is in the record before it is admitted.
    GrowBeforeAttach,
    /// An engine starts at the dead end.
    DeadEndStart,
    /// A voter refuses a lower stamp.
    VotersProtect,
    /// The fence ends before the challenger may begin.
    Margin,
    /// A stamp is compared by its epoch before its offset.
    StampByEpoch,
    /// A death certificate is for one run, not for its pod.
    CertificateOfOneRun,
    /// H7: once its patience is over, a recovery election counts only the pods that a held record
    /// names.
    RecoveryByPods,
    /// A route gives way to none of a lower epoch.
    RouteByEpoch,
}
