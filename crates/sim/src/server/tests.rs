//! The model held against what engine.md measured: each test names the fact.

use std::collections::BTreeMap;

use brain::MemberName;

use super::*;
use crate::{MS, SECOND};

/// Engines that hear each other at once.
struct Bench {
    servers: Vec<Server>,
    now: u64,
    replies: Vec<(u64, Reply)>,
    alarms: BTreeMap<u64, Vec<usize>>,
    ops: u64,
}

fn id(m: usize) -> MemberId {
    let m = m.to_string();
    MemberId { name: MemberName(m.clone()), pod: m.clone(), state: m }
}

fn tuning() -> Tuning {
    Tuning { transfer: (0, 0), load: (MS, 0), ..Tuning::default() }
}

impl Bench {
    fn new(n: usize, tuning: Tuning) -> Self {
        let mut bench = Self {
            servers: Vec::new(),
            now: SECOND,
            replies: Vec::new(),
            alarms: BTreeMap::new(),
            ops: 0,
        };
        for m in 0..n {
            bench.servers.push(bench.process(m, tuning, Disk::default()));
        }
        bench
    }

    fn process(&self, m: usize, tuning: Tuning, disk: Disk) -> Server {
        let rng = Prng::new(m as u64 + 100 * self.now);
        Server::start((m, m as u64 + self.now, id(m)), tuning, disk, self.now, rng).0
    }

    fn outs(&mut self, from: usize, outs: Vec<Out>) {
        for out in outs {
            match out {
                Out::Wire { to, conn, wire, .. } => {
                    let outs = self.servers[to].wire(from, conn, wire, self.now);
                    self.outs(to, outs);
                }
                Out::Reply { op, reply, .. } => self.replies.push((op, reply)),
                Out::Alarm(at) => self.alarms.entry(at).or_default().push(from),
            }
        }
    }

    fn pass(&mut self, time: u64) {
        let end = self.now + time;
        while self.now < end {
            self.now += 100 * MS;
            let due: Vec<u64> = self.alarms.range(..=self.now).map(|(at, _)| *at).collect();
            for m in
                due.iter().filter_map(|at| self.alarms.remove(at)).flatten().collect::<Vec<_>>()
            {
                let outs = self.servers[m].alarm(self.now);
                self.outs(m, outs);
            }
            if self.now.is_multiple_of(SECOND) {
                for m in 0..self.servers.len() {
                    let outs = self.servers[m].cron(self.now);
                    self.outs(m, outs);
                }
            }
        }
    }

    fn ask(&mut self, m: usize, what: Ask) -> Option<Reply> {
        self.ops += 1;
        let op = self.ops;
        let outs = self.servers[m].command(ClientCommand { client: 0, op, what }, self.now);
        self.outs(m, outs);
        self.replies.iter().find(|(o, _)| *o == op).map(|(_, r)| *r)
    }

    fn write(&mut self, m: usize, write: Write) -> Option<Reply> {
        self.ask(m, Ask::Write(write))
    }

    fn promote(&mut self, m: usize, admit: &[usize]) {
        let outs = self.servers[m].promote(m as u64 + 1).unwrap();
        self.outs(m, outs);
        let outs = self.servers[m].admit(admit.iter().map(|a| id(*a)).collect(), self.now);
        self.outs(m, outs);
    }

    fn follow(&mut self, m: usize, upstream: Option<usize>) {
        let outs = self.servers[m].replicate(upstream, self.now).unwrap();
        self.outs(m, outs);
        self.pass(SECOND * 2);
    }

    /// Member 0 leads, the others follow, and `writes` are everywhere.
    fn group(n: usize, tuning: Tuning, writes: u64) -> Self {
        let mut bench = Self::new(n, tuning);
        let others: Vec<_> = (1..n).collect();
        bench.promote(0, &others);
        for m in others {
            bench.follow(m, Some(0));
        }
        for write in 1..=writes {
            assert!(matches!(bench.write(0, write), Some(Reply::Written { .. })));
        }
        bench
    }
}

const WRITTEN_0: Option<Reply> = Some(Reply::Written { term: 1 });

#[test]
fn e1_a_dead_end_refuses_and_the_replica_keeps_its_data() {
    let mut bench = Bench::group(2, tuning(), 3);
    let disk = Disk::default();
    bench.servers[0] = bench.process(0, tuning(), disk);
    let outs = bench.servers[0].admit(vec![id(1)], bench.now);
    bench.outs(0, outs);
    bench.pass(10 * SECOND);
    assert_eq!(bench.servers[1].data, [1, 2, 3]);
    assert!(!matches!(bench.servers[1].link, Link::Up { .. }));
}

#[test]
fn e2_an_empty_primary_wipes_its_replicas() {
    let mut bench = Bench::group(2, tuning(), 3);
    bench.servers[0] = bench.process(0, tuning(), Disk::default());
    bench.promote(0, &[1]);
    bench.pass(10 * SECOND);
    assert_eq!(bench.servers[1].data, []);
}

#[test]
fn e6_aof_forgets_its_stream_and_rdb_keeps_it() {
    let bench = Bench::group(2, tuning(), 5);
    let (replid, offset) = (bench.servers[1].replid.clone(), bench.servers[1].offset);
    let aof = bench.process(1, tuning(), bench.servers[1].clone().die(false));
    assert_ne!(aof.replid, replid);
    assert_eq!((aof.offset, aof.data.len()), (0, 5));
    let tuning = Tuning { persistence: Persistence::Rdb, ..tuning() };
    let mut bench = Bench::group(2, tuning, 5);
    bench.pass(SECOND);
    let (replid_rdb, offset_rdb) = (bench.servers[1].replid.clone(), bench.servers[1].offset);
    let disk = bench.servers[1].clone().die(true);
    let mut rdb = bench.process(1, tuning, disk);
    assert_ne!(rdb.replid, replid_rdb, "it says so only when it has read the file");
    rdb.alarm(bench.now + SECOND);
    assert_eq!((rdb.replid.clone(), rdb.offset), (replid_rdb, offset_rdb));
    let names = [MemberName("0".into()), MemberName("1".into())];
    assert!(rdb.view(&names).offset.is_some());
    assert!(offset > 0 && offset_rdb > 0);
}

#[test]
fn a_sibling_follows_a_promoted_replica_partially_and_divergence_costs_a_full_sync() {
    let mut bench = Bench::group(3, tuning(), 4);
    // Member 0 writes on alone, beyond where the others are.
    let outs = bench.servers[0].admit(vec![], bench.now);
    bench.outs(0, outs);
    bench.write(0, 99);
    bench.promote(1, &[0, 2]);
    let before = bench.servers[2].data.clone();
    bench.follow(2, Some(1));
    assert!(matches!(bench.servers[2].link, Link::Up { .. }));
    assert_eq!(bench.servers[2].data, before);
    assert!(!bench.servers[2].position_lost);
    bench.follow(0, Some(1));
    assert_eq!(bench.servers[0].data, [1, 2, 3, 4], "the divergent write is gone with a full sync");
}

#[test]
fn an_aborted_full_sync_leaves_no_position() {
    let mut bench = Bench::group(2, Tuning { flush_first: true, ..tuning() }, 3);
    let conn = bench.servers[1].upstream_conn().unwrap();
    bench.servers[1].wire(0, conn, Wire::FullBegin { brings: Vec::new() }, bench.now);
    bench.servers[1].wire(0, conn, Wire::Closed, bench.now);
    let names = [MemberName("0".into()), MemberName("1".into())];
    assert_eq!(bench.servers[1].view(&names).offset, None);
    assert!(!bench.servers[1].complete);
    assert_eq!(bench.servers[1].data, []);
}

#[test]
fn a_full_sync_whose_file_never_came_leaves_copy_and_position() {
    let mut bench = Bench::group(2, tuning(), 3);
    let names = [MemberName("0".into()), MemberName("1".into())];
    let (data, before) = (bench.servers[1].data.clone(), bench.servers[1].view(&names));
    assert!(before.offset.is_some() && before.link_up);
    let conn = bench.servers[1].upstream_conn().unwrap();
    bench.servers[1].wire(0, conn, Wire::FullBegin { brings: Vec::new() }, bench.now);
    assert_eq!(bench.servers[1].view(&names).offset, None);
    bench.servers[1].wire(0, conn, Wire::Closed, bench.now);
    let after = bench.servers[1].view(&names);
    assert_eq!((after.offset, after.replid), (before.offset, before.replid));
    assert!(bench.servers[1].complete && !after.link_up);
    assert_eq!(bench.servers[1].data, data);
}

#[test]
fn wait_counts_only_who_is_attached_online_and_there() {
    let mut bench = Bench::group(3, tuning(), 1);
    let wait = Ask::Wait { copies: 2, timeout: SECOND };
    assert_eq!(bench.ask(0, wait), Some(Reply::Copies(2)));
    let outs = bench.servers[0].admit(vec![id(1)], bench.now);
    bench.outs(0, outs);
    bench.write(0, 2);
    assert_eq!(bench.ask(0, wait), None, "it blocks");
    bench.pass(3 * SECOND);
    assert_eq!(bench.replies.last().unwrap().1, Reply::Copies(1), "and says one in the end");
    assert!(!bench.servers[2].data.contains(&2), "a member whose user is off gets nothing");
}

#[test]
fn e7_postponed_writes_run_again_as_what_the_engine_is_then() {
    let mut bench = Bench::group(2, tuning(), 1);
    let outs = bench.servers[0].pause(bench.now + 10 * SECOND);
    bench.outs(0, outs);
    assert_eq!(bench.write(0, 2), None);
    bench.follow(0, None);
    let outs = bench.servers[0].unpause(bench.now);
    bench.outs(0, outs);
    assert_eq!(bench.replies.last().unwrap().1, Reply::Refused(Why::ReadOnly));
    let mut bench = Bench::group(2, tuning(), 1);
    let outs = bench.servers[0].pause(bench.now + SECOND);
    bench.outs(0, outs);
    assert_eq!(bench.write(0, 2), None);
    bench.pass(2 * SECOND);
    assert_eq!(Some(bench.replies.last().unwrap().1), WRITTEN_0);
}

#[test]
fn min_replicas_is_refreshed_by_the_cron_and_by_a_closed_link_only() {
    let mut bench = Bench::group(2, tuning(), 1);
    bench.servers[0].set_min_replicas(1, bench.now);
    assert_eq!(bench.write(0, 2), WRITTEN_0);
    // Silent for five seconds: known only after the next cron (E3b).
    bench.now += 5 * SECOND;
    assert_eq!(bench.write(0, 3), WRITTEN_0);
    bench.servers.truncate(1);
    bench.servers[0].attached.values_mut().for_each(|a| a.member = 0);
    let _ = bench.servers[0].cron(bench.now);
    assert_eq!(bench.write(0, 4), Some(Reply::Refused(Why::NoReplicas)));
}

#[test]
fn a_chained_replica_is_served_only_while_its_upstream_is_linked() {
    let mut bench = Bench::group(3, tuning(), 2);
    let outs = bench.servers[1].admit(vec![id(2)], bench.now);
    bench.outs(1, outs);
    bench.follow(2, Some(1));
    assert!(matches!(bench.servers[2].link, Link::Up { .. }));
    bench.write(0, 3);
    assert_eq!(bench.servers[2].data, [1, 2, 3]);
    assert_eq!(bench.servers[2].offset, bench.servers[0].offset);
    bench.follow(1, None);
    bench.follow(2, None);
    bench.follow(2, Some(1));
    assert!(!matches!(bench.servers[2].link, Link::Up { .. }), "-NOMASTERLINK");
}

#[test]
fn the_offset_of_a_lone_primary_stands_still_before_7_2() {
    for (counts_alone, offset) in [(false, 0), (true, 2)] {
        let mut bench = Bench::new(1, Tuning { counts_alone, ..tuning() });
        bench.promote(0, &[]);
        bench.write(0, 1);
        bench.write(0, 2);
        assert_eq!(bench.servers[0].offset, offset);
    }
}

#[test]
fn a_load_refuses_orders_and_promotion() {
    let mut bench = Bench::new(1, tuning());
    let disk = Disk { data: vec![1], position: None, offset: 0, found: true };
    bench.servers[0] = bench.process(0, tuning(), disk);
    assert!(bench.servers[0].promote(1).is_err());
    assert!(bench.servers[0].replicate(Some(0), bench.now).is_err());
}
