//! `INFO` replies as real engines gave them, and what is left of them when they are cut.

use super::*;

const PRIMARY: &str = include_str!("../../samples/info-redis-7.0-primary.txt");
const REPLICA: &str = include_str!("../../samples/info-redis-7.0-replica.txt");
const LINK_DOWN: &str = include_str!("../../samples/info-redis-7.0-replica-link-down.txt");
const REPLID: &str = "90318b24713864b43ba1a231f650de08c2c098b8";

#[test]
fn a_primary() {
    let info = Info::parse(PRIMARY).unwrap();
    assert_eq!(info.server.redis_version.as_deref(), Some("7.0.15"));
    assert_eq!(info.server.valkey_version, None);
    assert_eq!(info.server.mode.as_deref(), Some("standalone"));
    assert_eq!(info.server.process_id, Some(5997));
    assert_eq!(info.server.tcp_port, Some(46011));
    assert_eq!(info.server.uptime_s, Some(5));
    assert_eq!(info.memory.used_bytes, Some(1_059_136));
    assert_eq!(info.memory.total_system_bytes, Some(25_276_514_304));
    assert_eq!(info.persistence.rdb_ok, Some(true));
    assert_eq!(info.persistence.aof_enabled, Some(false));
    assert_eq!(info.persistence.loading_percent, None);
    assert_eq!(info.stats.sync_full, Some(1));
    assert_eq!(info.stats.sync_partial_ok, Some(1));
    assert_eq!(info.keys, Some(2));
    assert_eq!(info.cpu_ms, Some(20));
    let replication = &info.replication;
    assert_eq!(replication.role, Some(Role::Primary));
    assert_eq!(replication.link_up, None);
    assert_eq!(replication.replid2, None);
    assert_eq!(replication.second_offset, None);
    assert_eq!(replication.failover_state.as_deref(), Some("no-failover"));
    assert_eq!(replication.backlog_first, Some(Offset(1)));
    let [replica] = replication.replicas.as_slice() else { panic!("{replication:?}") };
    assert_eq!((replica.host.as_str(), replica.port), ("127.0.0.1", 46012));
    assert_eq!((replica.state.as_str(), replica.lag_s), ("online", Some(1)));
    assert!(!replica.is_streaming(), "it has acknowledged nothing yet");
}

#[test]
fn a_replica() {
    let info = Info::parse(REPLICA).unwrap();
    let replication = &info.replication;
    assert_eq!(replication.role, Some(Role::Replica));
    assert_eq!(replication.primary_host.as_deref(), Some("127.0.0.1"));
    assert_eq!(replication.primary_port, Some(46011));
    assert_eq!(replication.link_up, Some(true));
    assert_eq!(replication.sync_in_progress, Some(false));
    assert_eq!(replication.replica_read_offset, Some(Offset(65)));
    assert_eq!(
        info.position(),
        Some(Position { replid: Replid(REPLID.to_owned()), offset: Offset(65) })
    );
}

#[test]
fn a_replica_without_its_primary_keeps_its_position() {
    let info = Info::parse(LINK_DOWN).unwrap();
    assert_eq!(info.replication.link_up, Some(false));
    assert_eq!(info.replication.link_down_s, Some(2));
    assert_eq!(info.replication.last_io_s, None);
    assert_eq!(info.position().map(|p| p.offset), Some(Offset(65)));
    assert_eq!(info.keys, None);
}

#[test]
fn what_a_failed_full_sync_leaves_behind_is_no_position() {
    // engine.md 1.4: replid and master_repl_offset are the old, high ones; the data are gone.
    let text = format!(
        "# Replication\r\nrole:slave\r\nmaster_sync_in_progress:0\r\nslave_repl_offset:1\r\n\
         master_replid:{REPLID}\r\nmaster_repl_offset:3097963\r\n"
    );
    let info = Info::parse(&text).unwrap();
    assert_eq!(info.replication.primary_offset, Some(Offset(3_097_963)));
    assert_eq!(info.position(), None);
}

#[test]
fn no_position_while_data_are_on_their_way() {
    let with = |from: &str, to: &str| {
        let text = REPLICA.replace(from, to);
        assert_ne!(text, REPLICA, "{from} is not in the sample");
        Info::parse(&text).unwrap().position()
    };
    assert_eq!(with("master_sync_in_progress:0", "master_sync_in_progress:1"), None);
    assert_eq!(with("slave_repl_offset:65", "slave_repl_offset:-1"), None);
    assert_eq!(with("loading:0", "loading:1"), None);
    assert_eq!(with("role:slave", "role:sentinel"), None);
    let zeros = "0".repeat(40);
    assert_eq!(with(&format!("master_replid:{REPLID}"), &format!("master_replid:{zeros}")), None);
}

#[test]
fn a_fresh_primary_stands_at_its_beginning() {
    let text = format!("role:master\r\nmaster_replid:{REPLID}\r\nmaster_repl_offset:0\r\n");
    assert_eq!(Info::parse(&text).unwrap().position().map(|p| p.offset), Some(Offset(0)));
}

#[test]
fn replicas_with_names_other_states_and_ipv6() {
    let text = "# Replication\r\nrole:master\r\nconnected_slaves:4\r\n\
        slave0:ip=fd00::7,port=6379,state=online,offset=9000,lag=0,type=replica\r\n\
        slave1:ip=cart-1.cart-peers,port=6379,state=wait_bgsave,offset=0,lag=0\r\n\
        slave2:ip=10.0.0.1,port=nonsense,state=online,offset=1,lag=0\r\n";
    let replicas = Info::parse(text).unwrap().replication.replicas;
    assert_eq!(replicas.len(), 2, "a line that cannot be read, and one that is missing");
    assert_eq!(replicas[0].ip(), Some("fd00::7".parse().unwrap()));
    assert!(replicas[0].is_streaming());
    assert_eq!((replicas[1].host.as_str(), replicas[1].ip()), ("cart-1.cart-peers", None));
    assert!(!replicas[1].is_streaming());
}

#[test]
fn a_cut_line_is_left_out() {
    let text = "# Replication\r\nrole:master\r\nmaster_repl_offset:123456\r\n";
    assert_eq!(Info::parse(text).unwrap().replication.primary_offset, Some(Offset(123_456)));
    for cut in 1..10 {
        let text = &text[..text.len() - cut];
        let offset = Info::parse(text).unwrap().replication.primary_offset;
        assert!(offset.is_none() || cut == 1 || offset == Some(Offset(123_456)), "{cut}");
        if cut > 1 {
            assert_eq!(offset, None, "{text:?}");
        }
    }
}

#[test]
fn every_prefix_is_read_or_refused_without_a_panic() {
    for text in [PRIMARY, REPLICA, LINK_DOWN] {
        for end in 0..text.len() {
            if let Ok(info) = Info::parse(&text[..end]) {
                let _ = info.position();
            }
        }
    }
}

#[test]
fn what_is_no_info_is_an_error() {
    for text in ["", "PONG", "<html>\n<body>a:b</body>\n", "NOAUTH Authentication required.\n"] {
        let error = Info::parse(text).unwrap_err();
        let start: String = text.chars().take(40).collect();
        assert_eq!(error, InfoError::NotInfo { start });
    }
}

#[test]
fn an_empty_keyspace_is_zero_keys() {
    assert_eq!(Info::parse("# Keyspace\r\n").unwrap().keys, Some(0));
    let two = "# Keyspace\r\ndb0:keys=3,expires=0,avg_ttl=0\r\ndb7:keys=4,expires=1,avg_ttl=9\r\n";
    assert_eq!(Info::parse(two).unwrap().keys, Some(7));
    assert_eq!(Info::parse("# Server\r\nredis_version:7.0.15\r\n").unwrap().keys, None);
}

#[test]
fn a_valkey_names_its_mode_otherwise() {
    let text = "# Server\r\nredis_version:7.2.4\r\nserver_name:valkey\r\nvalkey_version:9.1.2\r\n\
                server_mode:standalone\r\n";
    let server = Info::parse(text).unwrap().server;
    assert_eq!(server.mode.as_deref(), Some("standalone"));
    assert_eq!(server.valkey_version.as_deref(), Some("9.1.2"));
}
