//! What an engine's start, end and full sync leave of what a member claims to hold (failover.md
//! 2.8, protocol-traces D5).

use engine::Replid;

use super::*;
use crate::effect::{Act, AskId, Effect};
use crate::input::{DataFiles, EngineNews, EngineView, Input};
use crate::memory::Memory;
use crate::record::{Record, Version};
use crate::timing::Timing;
use crate::topology::{Durability, Failsafe, Settings};

const NOW: Tick = Tick(1_000_000_000);

fn replid() -> Replid {
    Replid("00000000000000000000000000000000000000a1".to_owned())
}

fn settings() -> Settings {
    let members: Vec<MemberName> = ["cart-0", "cart-1", "cart-2"].map(MemberName::from).into();
    Settings {
        me: members[0].clone(),
        pod: "pod".to_owned(),
        boot: "boot".to_owned(),
        members,
        timing: Timing::DEFAULT,
        durability: Durability::Balanced,
        failsafe: Failsafe::Majority,
        recovery_timeout: Span::from_millis(30_000),
        budget_per_hour: 10,
        gate: false,
        persistent: true,
        fsync_always: false,
        without: None,
    }
}

fn files(found: bool, other: bool) -> DataFiles {
    DataFiles { found, other, unread: false }
}

/// A member whose last engine was stopped cleanly, or not, and whose next one runs.
fn started(clean: bool) -> Election {
    let stamp = Stamp {
        epoch: Epoch(3),
        replid: replid(),
        offset: Offset(700),
        durable: Offset(500),
        complete: true,
        ..Stamp::default()
    };
    let memory = Memory {
        state_id: "disk".into(),
        led: Epoch(3),
        stamp,
        keys: 7,
        exact: true,
        clean,
        ..Memory::default()
    };
    let mut election = Election::new(settings(), memory, NOW);
    election.on_started(1, files(true, false), NOW);
    election.out.take();
    election
}

fn loaded() -> EngineView {
    EngineView {
        replid: replid(),
        offset: Some(Offset(700)),
        durable: Offset(700),
        keys: 7,
        ..EngineView::default()
    }
}

fn promoted(effects: &[Effect]) -> bool {
    let mut commands = effects.iter().filter_map(|effect| match &effect.act {
        Act::Engine { command, .. } => Some(command),
        _ => None,
    });
    commands.any(|command| *command == EngineCommand::Promote)
}

#[test]
fn no_engine_changes_its_data_while_the_disk_still_calls_them_clean() {
    let mut election = started(true);
    election.on_seen(1, NOW, loaded(), NOW);
    let effects = election.out.take();
    let written = effects.iter().find_map(|e| match &e.act {
        Act::Persist { id, memory } => Some((*id, memory.clean)),
        _ => None,
    });
    let (id, clean) = written.expect("the memory is on its way");
    assert!(!clean && election.memory.exact);
    election.engine.want = Posture::Primary;
    election.command_engine(NOW);
    assert!(!promoted(&election.out.take()), "the disk says clean, and the engine may write");
    election.out.confirmed(id);
    election.command_engine(NOW);
    assert!(promoted(&election.out.take()));
}

#[test]
fn only_an_end_with_everything_saved_keeps_a_member_exact() {
    for (exit, keeps) in [
        (Exit::Clean, true),
        (Exit::Unsaved, false),
        (Exit::Signal(9), false),
        (Exit::Code(0), false),
    ] {
        let mut election = started(true);
        election.on_seen(1, NOW, loaded(), NOW);
        election.wish_stop(AskId(1), Span::from_millis(10_000), NOW);
        election.step_stopping(NOW);
        election.on_exited(1, exit, NOW);
        let memory = &election.memory;
        assert_eq!((memory.clean, memory.exact), (keeps, keeps), "{exit}");
    }
}

#[test]
fn a_replica_that_saves_while_it_is_attached_is_not_exact() {
    let attached = EngineView { upstream: Some("cart-0".into()), link_up: true, ..loaded() };
    let mut election = started(true);
    election.on_seen(1, NOW, attached, NOW);
    election.wish_stop(AskId(1), Span::from_millis(10_000), NOW);
    election.step_stopping(NOW);
    let told = |election: &mut Election, command: &EngineCommand| {
        election.out.take().iter().any(
            |effect| matches!(&effect.act, Act::Engine { command: told, .. } if told == command),
        )
    };
    assert!(!told(&mut election, &EngineCommand::Shutdown), "it lets go first");
    let later = NOW + Span::from_millis(600);
    election.step_stopping(later);
    assert!(told(&mut election, &EngineCommand::Shutdown), "one that hangs is not waited for");
    election.on_exited(1, Exit::Clean, later);
    assert!(!election.memory.clean && !election.memory.exact, "more may have come meanwhile");
}

#[test]
fn an_engine_that_ends_while_it_loads_changes_nothing_that_is_known_of_its_files() {
    for exit in [Exit::Clean, Exit::Unsaved, Exit::Signal(9)] {
        for clean in [true, false] {
            let mut election = started(clean);
            election.on_seen(1, NOW, EngineView { loading: true, ..loaded() }, NOW);
            election.on_exited(1, exit, NOW);
            let memory = &election.memory;
            assert_eq!((memory.clean, memory.exact), (clean, clean), "{exit}");
        }
    }
    // Unless it says that they are damaged.
    let mut election = started(true);
    election.on_exited(1, Exit::BadData, NOW);
    assert!(!election.memory.clean && !election.memory.exact);
}

#[test]
fn another_file_than_the_one_written_last_is_of_no_known_line() {
    let read = |other_file: bool, replid: Replid, offset: Option<Offset>| {
        let mut election = started(true);
        election.on_seen(1, NOW, loaded(), NOW);
        election.memory.stamp.durable = election.memory.stamp.offset;
        let before = election.memory.stamp.clone();
        election.on_exited(1, Exit::Signal(9), NOW);
        election.on_started(2, files(true, other_file), NOW);
        election.on_seen(2, NOW, EngineView { replid, offset, ..loaded() }, NOW);
        (before, election.memory.stamp.clone())
    };
    let unknown = || Replid("f".repeat(40));
    let (before, stamp) = read(false, unknown(), None);
    assert_eq!((stamp.epoch, stamp.offset), (before.epoch, before.durable));
    // An old snapshot beside an append-only file that has lost its manifest.
    let (_, stamp) = read(true, unknown(), None);
    assert_eq!((stamp.epoch, stamp.offset, stamp.complete), (Epoch(0), Offset(0), true));
    // One that says its place in the line says what it is worth.
    let (before, stamp) = read(true, loaded().replid, Some(Offset(7)));
    assert_eq!((stamp.epoch, stamp.offset), (before.epoch, Offset(7)));
}

#[test]
fn deaths_are_few_and_of_this_boot() {
    let mut memory = Memory::default();
    (1..=9).for_each(|at| memory.note_death(Tick(at)));
    assert_eq!(memory.deaths, [Tick(7), Tick(8), Tick(9)]);
    memory.forget_deaths(Tick(8));
    assert_eq!(memory.deaths, [Tick(7), Tick(8)], "the machine was started anew since");
}

#[test]
fn whose_files_could_not_be_read_does_not_say_that_it_had_nothing() {
    let empty = || EngineView { keys: 0, replid: Replid::default(), offset: None, ..loaded() };
    let mut wiped = started(false);
    wiped.on_exited(1, Exit::Signal(9), NOW);
    let mut unread = started(false);
    unread.on_exited(1, Exit::BadData, NOW);
    // An append-only file without its manifest is moved aside before any engine looks at it, and an
    // agent may end before it has said that its engine could not read.
    let mut moved = started(false);
    moved.on_exited(1, Exit::Signal(9), NOW);
    let aside = DataFiles { unread: true, ..files(false, false) };
    let none = files(false, false);
    for (election, found, lost) in
        [(&mut wiped, none, true), (&mut unread, none, false), (&mut moved, aside, false)]
    {
        // What could not be read was moved aside: the engine finds no files.
        election.on_started(2, found, NOW);
        election.on_seen(2, NOW, empty(), NOW);
        assert_eq!(election.standing().lost, lost);
        assert!(!election.memory.stamp.complete);
    }
    // Nor does it begin anew, all alone: a person decides. Whoever has lost everything does.
    let later = NOW + Span::from_millis(60_000);
    for (mut election, blocked) in [(wiped, false), (unread, true), (moved, true)] {
        let name = election.id.name.clone();
        election.settings.members = vec![name.clone()];
        election.peers.clear();
        let record = Record { initialised: true, ..Record::first(vec![name], 5_000) };
        election.store.known = true;
        election.on(Input::Watched(Some((Version("v9".into()), record))), later);
        let view = empty();
        election.on(Input::Engine(EngineNews::Seen { run: 2, asked: later, view }), later);
        assert_eq!(election.creation.is_none(), blocked);
        assert_eq!(election.blocked.is_some_and(|why| why.contains("moved aside")), blocked);
    }
}

/// A member whose engine was seen in a full sync, and then without a link, with this in it.
fn synced_unseen(replid: &Replid, offset: Option<u64>, keys: u64) -> Election {
    let mut election = started(true);
    election.on_seen(1, NOW, loaded(), NOW);
    let upstream = Some(MemberName::from("cart-1"));
    let syncing = EngineView { upstream, sync_in_progress: true, offset: None, ..loaded() };
    election.on_seen(1, NOW, syncing.clone(), NOW);
    assert!(!election.memory.stamp.complete, "nobody knows what is in it");
    let offset = offset.map(Offset);
    let replid = replid.clone();
    let ended = EngineView { sync_in_progress: false, replid, offset, keys, ..syncing };
    election.on_seen(1, NOW, ended, NOW);
    election
}

#[test]
fn a_sync_that_ended_with_its_link_leaves_a_whole_copy_of_no_known_epoch() {
    let other = Replid("00000000000000000000000000000000000000b2".to_owned());
    let election = synced_unseen(&other, Some(62), 3);
    let stamp = &election.memory.stamp;
    assert!(stamp.complete && stamp.filled && !stamp.hollow && !election.memory.exact);
    assert_eq!((stamp.epoch, stamp.offset, &stamp.replid), (Epoch(0), Offset(62), &other));
}

#[test]
fn a_sync_whose_file_never_came_leaves_the_copy_from_before() {
    let election = synced_unseen(&replid(), Some(700), 7);
    let stamp = &election.memory.stamp;
    assert!(stamp.complete && election.memory.exact);
    assert_eq!((stamp.epoch, stamp.offset), (Epoch(3), Offset(700)));
}

#[test]
fn a_sync_that_left_no_position_or_no_key_leaves_no_whole_copy() {
    for (offset, keys) in [(None, 7), (None, 0), (Some(62), 0)] {
        let election = synced_unseen(&replid(), offset, keys);
        assert!(!election.memory.stamp.complete, "{offset:?} {keys}");
    }
}
