//! One system on a stage of its own: a namespace, the system, a client on another host than the
//! primary, and what one harm does to them.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior, interval};
use trial::rivals::{Contender, Event};
use trial::station::{Finished, Noticed};

use crate::error::Error;
use crate::station::Station;
use crate::wait::until;

use super::harm::{self, Done, Witness};
use super::list::Harm;
use super::system::{Ground, Seen, System};

/// A system is made within seconds; on a busy machine, with Sentinels that look around every 10 s
/// and pods that may be called ready only after 20 s, it takes longer.
const READY_WITHIN: Duration = Duration::from_secs(180);
/// How long after a harm has ended a system is watched; then it is stuck.
const WATCHED: Duration = Duration::from_secs(120);
/// It is healthy when nothing is missing for this long: a failover may be about to begin.
const STEADY: Duration = Duration::from_secs(1);
/// Between two looks meanwhile: each asks every engine.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// Until writes flow in a healthy system.
const WRITES_WITHIN: Duration = Duration::from_secs(20);
/// How long a write of a stuck system may still take, once it was watched for long enough.
const LAST_WAIT: Duration = Duration::from_secs(1);
/// How much later than its answer was sent we may take note of it, with two clocks read one after
/// the other.
const SLACK: Duration = Duration::from_millis(200);

/// A system and its client.
pub(super) struct Scene<'a> {
    /// Where it was made.
    pub(super) ground: Ground<'a>,
    /// The namespace of all of it.
    pub(super) namespace: String,
    /// The system.
    pub(super) system: System,
    client: Option<(String, Station)>,
    /// So many clients were started: a name is used once, since its pod may still be ending.
    clients: u32,
}

/// One harm, and what came of it.
pub(super) struct Outcome {
    /// What is reported.
    pub(super) event: Event,
    /// What the engines are: `valkey 8.1.1`.
    pub(super) engine: Option<String>,
    /// Why the next harm needs another one, if it does.
    pub(super) wear: Option<&'static str>,
}

/// Everything that was measured of one harm.
struct Measured {
    number: u32,
    harm: Harm,
    before: Seen,
    done: Done,
    after: Seen,
    healthy: Option<Duration>,
    noticed: Noticed,
    /// The count of every write; `None` when nobody leads who could be asked.
    finished: Option<Finished>,
    beside: Option<Beside>,
}

/// What the client on the side of who was cut off was told there.
#[derive(Clone, Copy, Debug, Default)]
struct Beside {
    acked: u64,
    lost: u64,
    late: u64,
}

impl<'a> Scene<'a> {
    /// Makes the namespace and the system.
    pub(super) async fn set(
        ground: Ground<'a>,
        who: Contender,
        namespace: &str,
    ) -> Result<Self, Error> {
        ground.cluster.make_namespace(namespace).await?;
        let system = System::make(ground, who, namespace).await?;
        Ok(Self { ground, namespace: namespace.to_owned(), system, client: None, clients: 0 })
    }

    /// Does one harm to the healthy system under load, and measures.
    pub(super) async fn event(&mut self, harm: Harm, number: u32) -> Result<Outcome, Error> {
        let before = self.settled(harm).await?;
        let client = self.client_apart(&before).await?;
        client.begin_beside(before.copies, before.members()).await?;
        let measured = self.measure(&client, harm, number, before).await;
        let measured = match measured {
            Ok(measured) => measured,
            Err(error) => {
                // A load that goes on would be in the way of what comes next.
                let _ = client.finish().await;
                return Err(error);
            }
        };
        let wear = self.system.wear(&measured.before, &measured.after);
        let engine = measured.before.engine.clone();
        let event = measured.event();
        let wear = if event.is_stuck() { Some("it did not come back") } else { wear };
        Ok(Outcome { event, engine, wear })
    }

    /// Waits until the system is healthy and stays so. A roll begins with pods that Kubernetes
    /// calls ready.
    async fn settled(&self, harm: Harm) -> Result<Seen, Error> {
        let mut since: Option<Instant> = None;
        until(&format!("{} to be healthy", self.namespace), READY_WITHIN, async || {
            let asked = Instant::now();
            let mut seen = self.system.look().await;
            if harm == Harm::Planned {
                let unready = seen.places.iter().filter(|place| !place.is_ready);
                let unready = unready.map(|place| format!("the pod {} is not ready", place.name));
                seen.ailments.extend(unready);
            }
            if !seen.is_healthy() {
                since = None;
                return Err(seen.words());
            }
            let since = *since.get_or_insert(asked);
            if asked - since >= STEADY { Ok(seen) } else { Err("it is so only now".to_owned()) }
        })
        .await
    }

    /// The client, on another host than the primary: what is done to that host is not done to it.
    async fn client_apart(&mut self, seen: &Seen) -> Result<Station, Error> {
        let broken = seen.host(&seen.leader());
        if let Some((name, station)) = &self.client {
            if station.host != broken {
                return Ok(station.clone());
            }
            self.ground.cluster.delete_pod(&self.namespace, name).await?;
        }
        let hosts = self.ground.cluster.hosts().await?;
        let host = hosts.into_iter().find(|host| *host != broken);
        let why = "a client needs another host than the primary's, and there is only one";
        let host = host.ok_or_else(|| Error::NotHere { why: why.to_owned() })?;
        let (name, station) = self.start("client", &host).await?;
        self.client = Some((name, station.clone()));
        Ok(station)
    }

    /// Starts one more client on this host.
    pub(super) async fn start(
        &mut self,
        what: &str,
        host: &str,
    ) -> Result<(String, Station), Error> {
        let name = format!("{what}-{}", self.clients);
        self.clients += 1;
        let Ground { cluster, tools, .. } = self.ground;
        let access = self.system.access();
        let station = Station::start(cluster, tools, &access, &name, host).await?;
        Ok((name, station))
    }

    async fn measure(
        &mut self,
        client: &Station,
        harm: Harm,
        number: u32,
        before: Seen,
    ) -> Result<Measured, Error> {
        until("writes to flow", WRITES_WITHIN, async || {
            let now = client.now().await.map_err(|error| error.chain())?;
            if now.acked_per_s > 0 { Ok(()) } else { Err("none is acknowledged".to_owned()) }
        })
        .await?;
        let done = harm::commit(self, client, harm, number, &before).await?;
        let (after, healthy) = self.watch(client, &before, &done).await;
        let patience = if healthy.is_some() { WRITES_WITHIN } else { LAST_WAIT };
        let noticed = client.noticed(done.from, &after.leader(), patience).await?;
        // Without anybody who leads nothing can be counted: that is said, and is no failure.
        let finished = client.finish().await.ok();
        let beside = match &done.witness {
            Some(witness) => self.hear(witness, &before, &after, &noticed).await,
            None => Some(Beside::default()),
        };
        Ok(Measured { number, harm, before, done, after, healthy, noticed, finished, beside })
    }

    /// Looks until the system is healthy again, or was watched for long enough; gives the last
    /// look, and how long after the harm had begun it was healthy, if ever.
    async fn watch(
        &self,
        client: &Station,
        before: &Seen,
        done: &Done,
    ) -> (Seen, Option<Duration>) {
        let deadline = done.over + WATCHED;
        let mut aimed = before.members();
        let mut since: Option<Instant> = None;
        let mut looks = interval(LOOK_EVERY);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            looks.tick().await;
            let asked = Instant::now();
            let mut seen = self.system.look().await;
            // Pods that have got new addresses meanwhile are probed there.
            let members = seen.members();
            if members != aimed && client.aim(&members).await.is_ok() {
                aimed = members;
            }
            let old = unchanged(&done.expects, &before.lives, &seen.lives);
            seen.ailments.extend(old);
            since = seen.is_healthy().then(|| since.unwrap_or(asked));
            match since {
                Some(since) if asked - since >= STEADY => return (seen, Some(since - done.begun)),
                None if Instant::now() >= deadline => return (seen, None),
                _ => {}
            }
        }
    }

    /// What a client on the primary's own side was told while that host was cut off.
    async fn hear(
        &self,
        witness: &Witness,
        before: &Seen,
        after: &Seen,
        noticed: &Noticed,
    ) -> Option<Beside> {
        let (old, new) = (before.leader(), after.leader());
        let first = noticed.members.get(&new).filter(|_| new != old);
        let late = match first {
            Some(first) => {
                let first = Duration::from_secs_f64(first.first_ms.max(0.0) / 1000.0);
                let from = witness.from.plus(first + SLACK);
                let heard = witness.station.noticed(from, "", Duration::from_millis(1)).await;
                heard.ok()?.members.get(&old).map_or(0, |acked| acked.count)
            }
            None => 0,
        };
        let finished = witness.station.finish().await.ok()?;
        // Its pod ends with the namespace if not now.
        let _ = self.ground.cluster.delete_pod(&self.namespace, &witness.name).await;
        let lost = finished.lost_acked + finished.lost_replicated;
        Some(Beside { acked: finished.acked, lost, late })
    }
}

/// The members that were to begin a new life and have not, in words.
fn unchanged(
    expects: &[String],
    before: &BTreeMap<String, String>,
    now: &BTreeMap<String, String>,
) -> Vec<String> {
    let is_old =
        |member: &&String| now.get(*member).is_none_or(|life| before.get(*member) == Some(life));
    let old = expects.iter().filter(is_old);
    old.map(|member| format!("{member} has not begun a new life")).collect()
}

impl Measured {
    fn event(self) -> Event {
        let (old, new) = (self.before.leader(), self.after.leader());
        let took_over = !new.is_empty() && new != old;
        let beside = self.beside.unwrap_or_default();
        let finished = self.finished.clone().unwrap_or_default();
        let acked = finished.acked.saturating_sub(finished.acked_probes) + beside.acked;
        let lost = finished.lost_acked + finished.lost_replicated;
        let lost = lost.saturating_sub(finished.lost_probes) + beside.lost;
        let is_counted = self.finished.is_some() && self.beside.is_some() && acked > 0;
        Event {
            number: self.number,
            write_gap_ms: self.noticed.write_gap_ms,
            writes_back: self.noticed.writes_back,
            healthy_ms: self.healthy.map(in_ms),
            harm_ms: in_ms(self.done.over - self.done.begun),
            acked,
            lost,
            lost_waited: finished.lost_replicated,
            lost_seeds: finished.lost_seeds,
            is_counted,
            late_acks: if took_over { self.late(&new) + beside.late } else { 0 },
            two_at_once: self.noticed.changes.saturating_sub(self.expected_changes(took_over)),
            is_fenced: self.before.is_fenced,
            ailments: if self.healthy.is_none() { self.after.ailments } else { Vec::new() },
            primaries: (old, new),
        }
    }

    /// How many epochs there were more in the end, where there are any.
    fn epochs(&self) -> Option<u64> {
        Some(self.after.epoch?.saturating_sub(self.before.epoch?))
    }

    /// How often leadership may have changed hands.
    fn expected_changes(&self, took_over: bool) -> u64 {
        match self.epochs() {
            Some(epochs) => epochs,
            // Nobody counts how often others change it when all their pods are made anew.
            None if self.harm == Harm::Planned => self.noticed.changes,
            None => u64::from(took_over),
        }
    }

    /// Acknowledgements of the old primary after the new one's first. With more than one change an
    /// engine may have led twice, and nothing is known.
    fn late(&self, new: &str) -> u64 {
        if self.harm == Harm::Planned || self.epochs().is_some_and(|epochs| epochs != 1) {
            return 0;
        }
        let first = self.noticed.members.get(new).map(|acked| acked.first_ms);
        let thawed = in_ms(self.done.over - self.done.begun);
        let queued = first.filter(|first| *first < thawed).map_or(0, |_| self.done.queued_acked);
        self.noticed.late + queued
    }
}

fn in_ms(length: Duration) -> f64 {
    length.as_micros() as f64 / 1000.0
}

#[cfg(test)]
mod tests {
    use trial::journal::At;
    use trial::station::Acked;

    use super::*;

    fn measured(change: impl FnOnce(&mut Measured)) -> Event {
        let seen = |leader: &str| Seen { primary: Some(leader.to_owned()), ..Seen::default() };
        let begun = Instant::now();
        let over = begun + Duration::from_secs(30);
        let noticed = Noticed {
            write_gap_ms: 7_000.0,
            writes_back: true,
            gap_from_ms: 1.0,
            read_gap_ms: 0.0,
            members: BTreeMap::from([(
                "rival-1".to_owned(),
                Acked { first_ms: 7_000.0, last_ms: 31_000.0, count: 9 },
            )]),
            changes: 1,
            late: 2,
        };
        let finished = Finished {
            acked: 1_000,
            acked_probes: 400,
            lost_acked: 30,
            lost_replicated: 3,
            lost_probes: 20,
            ..Finished::default()
        };
        let done = Done {
            from: At(0),
            begun,
            over,
            expects: Vec::new(),
            queued_acked: 320,
            witness: None,
        };
        let mut measured = Measured {
            number: 0,
            harm: Harm::HostFreeze,
            before: seen("rival-0"),
            done,
            after: seen("rival-1"),
            healthy: Some(Duration::from_secs(40)),
            noticed,
            finished: Some(finished),
            beside: Some(Beside::default()),
        };
        change(&mut measured);
        measured.event()
    }

    #[test]
    fn what_probers_wrote_is_nobodys_loss_and_what_the_witness_wrote_is() {
        let event = measured(|_| ());
        assert_eq!((event.acked, event.lost, event.lost_waited), (600, 13, 3));
        assert!(event.is_counted && !event.is_stuck());
        let beside = Beside { acked: 50, lost: 40, late: 5 };
        let event = measured(|it| it.beside = Some(beside));
        assert_eq!((event.acked, event.lost), (650, 53));
        assert!(!measured(|it| it.beside = None).is_counted);
        assert!(!measured(|it| it.finished = None).is_counted);
    }

    #[test]
    fn a_late_acknowledgement_needs_a_new_primary_that_was_first() {
        assert_eq!(measured(|_| ()).late_acks, 322);
        let slow = |it: &mut Measured| {
            it.noticed.members.values_mut().for_each(|acked| acked.first_ms = 30_500.0);
        };
        assert_eq!(measured(slow).late_acks, 2, "what waited was answered before it");
        let same = |it: &mut Measured| it.after.primary = Some("rival-0".to_owned());
        assert_eq!(measured(same).late_acks, 0, "nobody took over");
        assert_eq!(measured(|it| it.harm = Harm::Planned).late_acks, 0);
        let twice = |it: &mut Measured| {
            (it.before.epoch, it.after.epoch) = (Some(4), Some(6));
            it.noticed.changes = 3;
        };
        assert_eq!((measured(twice).late_acks, measured(twice).two_at_once), (0, 1));
    }

    #[test]
    fn who_has_not_come_back_says_what_is_missing() {
        let event = measured(|it| {
            it.healthy = None;
            it.after.ailments = vec!["rival-0 has no link".to_owned()];
        });
        assert!(event.is_stuck());
        assert_eq!(event.ailments, ["rival-0 has no link"]);
    }

    #[test]
    fn a_life_that_is_not_told_is_not_a_new_one() {
        let of = |life: &str| BTreeMap::from([("rival-0".to_owned(), life.to_owned())]);
        let expects = ["rival-0".to_owned()];
        assert_eq!(unchanged(&expects, &of("a"), &of("b")), Vec::<String>::new());
        let old = ["rival-0 has not begun a new life"];
        assert_eq!(unchanged(&expects, &of("a"), &of("a")), old);
        assert_eq!(unchanged(&expects, &of("a"), &BTreeMap::new()), old);
    }
}
