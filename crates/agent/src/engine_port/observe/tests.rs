//! Real `INFO` texts as views, and what the disk has for certain.

use super::*;

impl Durable {
    /// A look that is answered at once.
    fn sees(&mut self, info: &Info, asked: Tick) -> Offset {
        self.see(info, (asked, asked))
    }
}
use platform::{Listen, PeerAddress};

struct Three;

impl Roster for Three {
    fn me(&self) -> Listen {
        Listen {
            name: "cart-0".into(),
            peer: String::new(),
            http: String::new(),
            engine_host: "10.0.0.1".into(),
            engine_port: 6379,
        }
    }

    fn peer(&self, member: &MemberName) -> Option<PeerAddress> {
        let n = member.ordinal() + 1;
        Some(PeerAddress {
            peer: String::new(),
            // Reached by a relay, announced as itself.
            engine_host: "127.0.0.1".into(),
            engine_port: 7000 + n as u16,
            announced: (format!("10.0.0.{n}"), 6379),
        })
    }

    fn members(&self) -> Vec<MemberName> {
        (0..3).map(|n| MemberName(format!("cart-{n}"))).collect()
    }
}

fn replid(digit: char) -> String {
    std::iter::repeat_n(digit, 40).collect()
}

fn primary(offset: u64, more: &str) -> Info {
    let text = format!(
        "# Persistence\r\nloading:0\r\naof_enabled:1\r\naof_rewrite_in_progress:0\r\n\
         aof_last_write_status:ok\r\naof_last_bgrewrite_status:ok\r\n# Replication\r\n\
         role:master\r\nmaster_replid:{}\r\nmaster_repl_offset:{offset}\r\n{more}",
        replid('a')
    );
    Info::parse(&text).unwrap()
}

fn replica(host: &str, port: u16, link: &str) -> Info {
    let text = format!(
        "# Persistence\r\nloading:0\r\n# Replication\r\nrole:slave\r\nmaster_host:{host}\r\n\
         master_port:{port}\r\nmaster_link_status:{link}\r\nmaster_sync_in_progress:0\r\n\
         slave_repl_offset:77\r\nmaster_replid:{}\r\nmaster_repl_offset:77\r\n",
        replid('a')
    );
    Info::parse(&text).unwrap()
}

#[test]
fn a_dead_end_has_no_upstream_and_addresses_become_members() {
    let context = Context::default();
    let seen = |info: &Info, context: &Context| view(info, context, Offset(0), &Three);
    let dead_end = seen(&replica("127.0.0.1", 1, "down"), &context);
    assert_eq!((dead_end.upstream, dead_end.is_primary), (None, false));
    assert_eq!(dead_end.offset, Some(Offset(77)));
    let follows = seen(&replica("127.0.0.1", 7002, "up"), &context);
    assert_eq!(follows.upstream, Some("cart-1".into()));
    assert!(follows.link_up);
    // What it was told wins over a roster that has moved on.
    let told = ("cart-2".into(), "10.9.9.9".to_owned(), 6379);
    let context = Context { followed: Some(told), min_replicas: Some(1), ..Context::default() };
    let moved = seen(&replica("10.9.9.9", 6379, "down"), &context);
    assert_eq!((moved.upstream, moved.min_replicas), (Some("cart-2".into()), 1));
    let stranger = seen(&replica("10.9.9.8", 6379, "up"), &context);
    assert_eq!(stranger.upstream, None);
}

#[test]
fn whoever_follows_a_member_goes_where_it_has_moved_once_the_old_link_is_down() {
    let told = |port| ("cart-1".into(), "127.0.0.1".to_owned(), port);
    let moved = |port, info: &Info| {
        Context { followed: Some(told(port)), ..Context::default() }.moved(info, &Three)
    };
    assert_eq!(moved(7999, &replica("127.0.0.1", 7999, "down")), Some("cart-1".into()));
    assert_eq!(moved(7999, &replica("127.0.0.1", 7999, "up")), None);
    assert_eq!(moved(7002, &replica("127.0.0.1", 7002, "down")), None, "it is there still");
    let dead_end = replica("127.0.0.1", 1, "down");
    assert_eq!(moved(7999, &dead_end), None, "it follows nobody, whatever it was told");
    assert_eq!(Context::default().moved(&dead_end, &Three), None);
}

#[test]
fn replicas_are_known_by_what_they_announce_and_each_counts_once() {
    let lines = "connected_slaves:4\r\n\
                 slave0:ip=10.0.0.2,port=6379,state=online,offset=40,lag=9\r\n\
                 slave1:ip=10.0.0.3,port=6379,state=wait_bgsave,offset=0,lag=0\r\n\
                 slave2:ip=10.0.0.2,port=6379,state=online,offset=50,lag=0\r\n\
                 slave3:ip=10.0.0.9,port=6379,state=online,offset=60,lag=0\r\n";
    let view = view(&primary(60, lines), &Context::default(), Offset(3), &Three);
    assert!(view.is_primary && view.upstream.is_none());
    let seen: Vec<_> =
        view.replicas.iter().map(|r| (r.member.0.as_str(), r.online, r.offset.0)).collect();
    assert_eq!(seen, [("cart-1", true, 50), ("cart-2", false, 0)]);
    assert_eq!(view.durable, Offset(3));
}

#[test]
fn a_replica_that_falls_silent_acknowledges_no_more_before_the_guard_refuses() {
    let acks = |lag: u64, max_lag_s| {
        let line = format!("slave0:ip=10.0.0.2,port=6379,state=online,offset=40,lag={lag}\r\n");
        let lines = format!("connected_slaves:1\r\n{line}");
        let context = Context { max_lag_s, ..Context::default() };
        view(&primary(60, &lines), &context, Offset(0), &Three).replicas[0].acks
    };
    assert!(acks(0, 3) && acks(2, 3));
    assert!(!acks(3, 3), "at more than 3 s the engine refuses");
    assert!(acks(1, 1) && !acks(2, 1), "acknowledgements come once a second");
}

#[test]
fn everysec_is_certain_two_seconds_later_and_always_at_once() {
    let at = |ms: u64| Tick(ms * 1_000_000);
    let mut everysec = Durable::new(Persistence::AofEverysec, false);
    assert_eq!(everysec.sees(&primary(100, ""), at(0)), Offset(0));
    assert_eq!(everysec.sees(&primary(200, ""), at(1000)), Offset(0));
    assert_eq!(everysec.sees(&primary(300, ""), at(2000)), Offset(100));
    assert_eq!(everysec.sees(&primary(300, ""), at(3500)), Offset(200));
    let mut always = Durable::new(Persistence::AofAlways, false);
    assert_eq!(always.sees(&primary(100, ""), at(0)), Offset(100));
    let mut none = Durable::new(Persistence::None, false);
    none.sees(&primary(100, ""), at(0));
    assert_eq!(none.sees(&primary(100, ""), at(9000)), Offset(0));
}

#[test]
fn a_full_sync_takes_everything_back_until_the_append_only_file_is_whole_again() {
    let at = |ms: u64| Tick(ms * 1_000_000);
    let mut durable = Durable::new(Persistence::AofEverysec, false);
    durable.sees(&primary(100, ""), at(0));
    assert_eq!(durable.sees(&primary(100, ""), at(2000)), Offset(100));
    let syncing = Info::parse(
        "# Persistence\r\nloading:0\r\n# Replication\r\nrole:slave\r\n\
         master_sync_in_progress:1\r\n",
    );
    assert_eq!(durable.sees(&syncing.unwrap(), at(2500)), Offset(0));
    let rewriting = primary(500, "").persistence;
    let mut info = primary(500, "");
    info.persistence = engine::info::Persistence { aof_rewriting: Some(true), ..rewriting };
    assert_eq!(durable.sees(&info, at(3000)), Offset(0));
    assert_eq!(durable.sees(&info, at(6000)), Offset(0));
    assert_eq!(durable.sees(&primary(600, ""), at(6500)), Offset(0));
    assert_eq!(durable.sees(&primary(700, ""), at(8500)), Offset(600));
}

#[test]
fn a_full_sync_after_a_start_from_the_append_only_file_is_certain_of_nothing_either() {
    let at = |ms: u64| Tick(ms * 1_000_000);
    let replica = |more: &str| {
        let text = format!(
            "# Persistence\r\nloading:0\r\naof_enabled:1\r\naof_last_write_status:ok\r\n\
             aof_last_bgrewrite_status:ok\r\n# Replication\r\nrole:slave\r\n{more}"
        );
        Info::parse(&text).unwrap()
    };
    let kinds = [(Persistence::AofEverysec, 600), (Persistence::AofAlways, 700)];
    for (persistence, in_the_end) in kinds {
        // Such an engine has no place in a stream before its sync.
        let mut durable = Durable::new(persistence, false);
        assert_eq!(durable.sees(&replica("master_sync_in_progress:0\r\n"), at(0)), Offset(0));
        assert_eq!(durable.sees(&replica("master_sync_in_progress:1\r\n"), at(500)), Offset(0));
        let mut info = primary(500, "");
        info.persistence.aof_rewriting = Some(true);
        assert_eq!(durable.sees(&info, at(1000)), Offset(0));
        assert_eq!(durable.sees(&info, at(9000)), Offset(0));
        durable.sees(&primary(600, ""), at(10_000));
        assert_eq!(durable.sees(&primary(700, ""), at(13_000)), Offset(in_the_end));
    }
}

#[test]
fn everysec_is_certain_of_nothing_that_an_fsync_has_not_ended_for() {
    let at = |ms: u64| Tick(ms * 1_000_000);
    let hangs = |offset| {
        let mut info = primary(offset, "");
        info.persistence.aof_pending_fsync = Some(1);
        info
    };
    let mut durable = Durable::new(Persistence::AofEverysec, false);
    durable.sees(&primary(100, ""), at(0));
    assert_eq!(durable.sees(&hangs(200), at(1000)), Offset(0));
    assert_eq!(durable.sees(&hangs(300), at(20_000)), Offset(0), "for however long it hangs");
    // It has begun after the look at 100; what came later waits for the next one.
    assert_eq!(durable.sees(&primary(400, ""), at(20_100)), Offset(100));
    assert_eq!(durable.sees(&primary(500, ""), at(21_000)), Offset(100));
    assert_eq!(durable.sees(&primary(500, ""), at(22_100)), Offset(400));
}

#[test]
fn looks_that_take_time_and_meet_every_other_fsync_go_on_being_certain() {
    let at = |ms: u64| Tick(ms * 1_000_000);
    let mut durable = Durable::new(Persistence::AofEverysec, false);
    let mut certain = Offset(0);
    for look in 0..240_u64 {
        let mut info = primary(look, "");
        info.persistence.aof_pending_fsync = Some(look % 2);
        certain = durable.see(&info, (at(look * 500), at(look * 500 + 2)));
    }
    assert!(certain >= Offset(230), "{certain} of 239");
}

#[test]
fn a_late_answer_counts_from_when_it_came() {
    let at = |ms: u64| Tick(ms * 1_000_000);
    let mut durable = Durable::new(Persistence::AofEverysec, false);
    durable.sees(&primary(100, ""), at(0));
    // Busy for three seconds: what it says then was written just now.
    assert_eq!(durable.see(&primary(900, ""), (at(1000), at(4000))), Offset(0));
    assert_eq!(durable.sees(&primary(900, ""), at(4100)), Offset(100));
    assert_eq!(durable.sees(&primary(900, ""), at(6100)), Offset(900));
}

#[test]
fn a_snapshot_of_a_clean_stop_is_no_append_only_file() {
    let mut info = primary(500, "");
    info.persistence.aof_rewriting = Some(true);
    let mut always = Durable::new(Persistence::AofAlways, true);
    assert_eq!(always.sees(&info, Tick(0)), Offset(0));
    let mut everysec = Durable::new(Persistence::AofEverysec, true);
    assert_eq!(everysec.sees(&info, Tick(0)), Offset(500));
}

#[test]
fn a_full_sync_that_no_look_saw_takes_everything_back_too() {
    let at = |ms: u64| Tick(ms * 1_000_000);
    let rewriting = |offset| {
        let mut info = primary(offset, "");
        info.persistence.aof_rewriting = Some(true);
        info
    };
    let mut first = Durable::new(Persistence::AofAlways, false);
    assert_eq!(first.sees(&rewriting(500), at(0)), Offset(0));
    assert_eq!(first.sees(&primary(510, ""), at(100)), Offset(510));
    let mut later = Durable::new(Persistence::AofAlways, false);
    assert_eq!(later.sees(&primary(100, ""), at(0)), Offset(100));
    let mut other = rewriting(900);
    other.replication.replid = Some(Replid(replid('c')));
    assert_eq!(later.sees(&other, at(100)), Offset(0));
}

#[test]
fn a_snapshot_holds_what_was_there_before_it_began() {
    let info = |offset, saving: u8, last: u64| {
        let text = format!(
            "# Persistence\r\nloading:0\r\nrdb_bgsave_in_progress:{saving}\r\n\
             rdb_last_save_time:{last}\r\n# Replication\r\nrole:master\r\nmaster_replid:{}\r\n\
             master_repl_offset:{offset}\r\n",
            replid('b')
        );
        Info::parse(&text).unwrap()
    };
    let mut durable = Durable::new(Persistence::Rdb, false);
    assert_eq!(durable.sees(&info(10, 0, 1), Tick(0)), Offset(0));
    assert_eq!(durable.sees(&info(20, 1, 1), Tick(1)), Offset(0));
    assert_eq!(durable.sees(&info(30, 0, 2), Tick(2)), Offset(10));
    // One that was begun of the data from before a full sync says nothing of those after it.
    let syncing = "# Persistence\r\nloading:0\r\n# Replication\r\nrole:slave\r\n\
         master_sync_in_progress:1\r\n";
    assert_eq!(durable.sees(&Info::parse(syncing).unwrap(), Tick(3)), Offset(0));
    assert_eq!(durable.sees(&info(15, 0, 3), Tick(4)), Offset(0));
    assert_eq!(durable.sees(&info(20, 1, 3), Tick(5)), Offset(0));
    assert_eq!(durable.sees(&info(25, 0, 4), Tick(6)), Offset(15));
}

#[test]
fn a_demoted_primary_without_replicas_keeps_its_position_until_it_follows() {
    let text = format!(
        "# Persistence\r\nloading:0\r\n# Replication\r\nrole:slave\r\nmaster_host:127.0.0.1\r\n\
         master_port:1\r\nmaster_link_status:down\r\nmaster_sync_in_progress:0\r\n\
         slave_repl_offset:0\r\nmaster_replid:{}\r\nmaster_repl_offset:0\r\n",
        replid('a')
    );
    let info = Info::parse(&text).unwrap();
    let seen = |context: &Context| view(&info, context, Offset(0), &Three).offset;
    assert_eq!(seen(&Context::default()), None);
    let led =
        |digit| Context { led: Some((Replid(replid(digit)), Offset(0))), ..Context::default() };
    assert_eq!(seen(&led('a')), Some(Offset(0)));
    assert_eq!(seen(&led('b')), None);
}
