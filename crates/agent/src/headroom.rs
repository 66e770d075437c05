//! Whether a member has the disk and the memory that a primary's load may take.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use brain::{Input, Shortage};
use engine::info::Memory;
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::{MissedTickBehavior, interval, timeout};

use crate::Config;
use crate::engine_port::EngineHandle;
use crate::inbox::{Inbox, tell};

/// Between two looks: a disk that fills up is left before the engine notices.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Free space is looked at when less than this share of the file system is left…
const DISK_FREE_PERCENT: u64 = 10;

/// … and is enough at any share when there is this much…
const DISK_FREE_BYTES: u64 = 1 << 30;

/// … and this many times what the engine has in memory: a rewritten append-only file or a copy from
/// the primary lies beside the old one until it is whole, and writes go on meanwhile.
const DISK_FREE_DATASETS: u64 = 2;

/// Of `maxmemory`, where nothing is evicted.
const MEMORY_USED_PERCENT: u64 = 95;

/// Who was short once is no more with so much of what would do: nobody hands over to and fro at a
/// limit.
const AGAIN_PERCENT: u64 = 125;

/// A file system that has not answered for so long has no room: a dead disk holds its asker.
const DISK_ANSWERS_WITHIN: Duration = Duration::from_secs(3);

/// Tells every change of what this member lacks.
pub(crate) async fn watch(config: Arc<Config>, engine: Arc<EngineHandle>, inbox: Inbox) {
    let mut known = None;
    let mut looks = interval(LOOK_EVERY);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let look = {
        let data = config.data.clone();
        move || Space::of(&data)
    };
    let (mut answer, mut last) = (Answer::default(), None);
    loop {
        looks.tick().await;
        let space = answer.within(DISK_ANSWERS_WITHIN, &look).await;
        let info = engine.facts().info;
        let memory = info.as_deref().map(|info| &info.memory);
        let short = shortage(space, memory, last);
        // A look that came too late says nothing of what there was.
        if space.is_some() {
            last = short;
        }
        if known != Some(short) {
            known = Some(short);
            tell(&inbox, Input::Room { short }).await;
        }
    }
}

/// A look that waits for a disk, on a thread of its own: the agent's goes on deciding. One that
/// does not come back is waited for again, so that a dead disk holds one thread, not one a second.
#[derive(Default)]
struct Answer(Option<JoinHandle<Option<Space>>>);

impl Answer {
    /// What the look says, or `None` when it has not come back by then.
    async fn within<F>(&mut self, limit: Duration, look: &F) -> Option<Space>
    where
        F: Fn() -> Option<Space> + Clone + Send + 'static,
    {
        let running = self.0.get_or_insert_with(|| spawn_blocking(look.clone()));
        let answer = timeout(limit, running).await.ok()?;
        self.0 = None;
        answer.ok().flatten()
    }
}

/// What a file system has, in bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Space {
    /// Free for those who are not root.
    pub(crate) free: u64,
    /// All of it.
    all: u64,
}

impl Space {
    /// Of the file system that holds this; `None` when it cannot be asked.
    pub(crate) fn of(path: &Path) -> Option<Self> {
        let disk = nix::sys::statvfs::statvfs(path).ok()?;
        // macOS has narrower types here.
        #[allow(clippy::useless_conversion, clippy::unnecessary_cast, clippy::cast_lossless)]
        let (free, all, unit) =
            (disk.blocks_available() as u64, disk.blocks() as u64, disk.fragment_size() as u64);
        Some(Self { free: free.saturating_mul(unit), all: all.saturating_mul(unit) })
    }

    /// Too little for a primary whose engine holds so much in memory.
    fn is_short(self, used_memory: u64, was_short: bool) -> bool {
        let share = self.all / 100 * DISK_FREE_PERCENT;
        let need = DISK_FREE_BYTES.max(used_memory.saturating_mul(DISK_FREE_DATASETS));
        let least = share.min(need);
        let least = if was_short { least / 100 * AGAIN_PERCENT } else { least };
        self.free <= least && self.all > 0
    }
}

/// What a member with such a disk lacks to lead, by what it lacked at the last look; `memory` is
/// what its engine says, if it has answered (failover.md 2.12, disk full). A file system that
/// cannot be asked has no room.
fn shortage(
    space: Option<Space>,
    memory: Option<&Memory>,
    last: Option<Shortage>,
) -> Option<Shortage> {
    let used = memory.and_then(|memory| memory.used_bytes).unwrap_or(0);
    let was_short = last == Some(Shortage::Disk);
    if space.is_none_or(|space| space.is_short(used, was_short)) {
        return Some(Shortage::Disk);
    }
    memory.is_some_and(is_full).then_some(Shortage::Memory)
}

/// Whether an engine that evicts nothing is about to refuse writes.
fn is_full(memory: &Memory) -> bool {
    let limit = memory.maxmemory_bytes.unwrap_or(0);
    let evicts = memory.policy.as_deref().is_some_and(|policy| policy != "noeviction");
    limit > 0 && !evicts && memory.used_bytes.unwrap_or(0) >= limit / 100 * MEMORY_USED_PERCENT
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;
    const GIB: u64 = 1 << 30;

    #[test]
    fn a_small_disk_is_short_by_its_share() {
        let used = 10 * MIB;
        let short = |free| Space { free, all: GIB }.is_short(used, false);
        assert!(short(99 * MIB));
        assert!(!short(110 * MIB));
        assert!(short(0));
    }

    #[test]
    fn a_big_disk_is_short_by_what_the_data_need() {
        let short = |free, used| Space { free, all: 250 * GIB }.is_short(used, false);
        assert!(!short(20 * GIB, MIB), "8 % of it are plenty for 1 MiB");
        assert!(short(20 * GIB, 12 * GIB), "a second copy needs more");
        assert!(!short(26 * GIB, 100 * GIB), "never above the share");
        assert!(short(GIB, MIB));
    }

    #[test]
    fn who_was_short_needs_more_than_who_was_not() {
        let space = Space { free: 110 * MIB, all: GIB };
        assert!(!space.is_short(MIB, false));
        assert!(space.is_short(MIB, true));
        assert!(!Space { free: 130 * MIB, ..space }.is_short(MIB, true));
    }

    #[test]
    fn what_has_no_size_is_never_short() {
        assert!(!Space { free: 0, all: 0 }.is_short(MIB, false));
    }

    #[test]
    fn memory_counts_where_nothing_is_evicted() {
        let memory = |policy: &str, maxmemory| Memory {
            used_bytes: Some(96),
            maxmemory_bytes: Some(maxmemory),
            policy: Some(policy.to_owned()),
            ..Memory::default()
        };
        assert!(is_full(&memory("noeviction", 100)));
        assert!(!is_full(&memory("noeviction", 200)));
        assert!(!is_full(&memory("allkeys-lru", 100)));
        assert!(!is_full(&memory("noeviction", 0)), "0 is no limit");
    }

    #[test]
    fn a_place_that_is_not_there_has_no_room() {
        let space = Space::of(Path::new("/nowhere/at/all"));
        assert_eq!(shortage(space, None, None), Some(Shortage::Disk));
    }

    #[tokio::test]
    async fn a_disk_that_does_not_answer_is_asked_once_and_holds_nobody() {
        let (disk, asked) = std::sync::mpsc::channel::<()>();
        let asked = Arc::new(std::sync::Mutex::new(asked));
        let look = move || {
            asked.lock().ok()?.recv().ok()?;
            Some(Space { free: 1, all: 1 })
        };
        let mut answer = Answer::default();
        let soon = Duration::from_millis(20);
        assert!(answer.within(soon, &look).await.is_none());
        assert!(answer.within(soon, &look).await.is_none());
        disk.send(()).expect("the one look still waits");
        assert!(answer.within(Duration::from_secs(60), &look).await.is_some());
        drop(disk);
        let one_look_took_it = answer.within(Duration::from_secs(60), &look).await;
        assert!(one_look_took_it.is_none(), "no other look was there to take it");
    }
}
