//! Readiness, tokens and metrics.

use super::*;
use brain::report::AuthorityReport;

fn report(role: &str) -> MemberReport {
    MemberReport {
        name: "cart-0".into(),
        role: role.into(),
        link_up: true,
        complete: true,
        ..MemberReport::default()
    }
}

#[test]
fn ready_is_who_can_serve_what_its_role_promises() {
    assert_eq!(why_not_ready(&report("replica")), None);
    let cut = MemberReport { link_up: false, ..report("replica") };
    assert!(why_not_ready(&cut).is_some());
    let behind = MemberReport { lag: Some(LAG_MAX_BYTES + 1), ..report("replica") };
    assert!(why_not_ready(&behind).is_some_and(|why| why.contains("behind")));
    assert!(why_not_ready(&report("primary")).is_some());
    let held = AuthorityReport { mode: "lease+peers".into(), ..AuthorityReport::default() };
    let primary = MemberReport { authority: Some(held), ..report("primary") };
    assert_eq!(why_not_ready(&primary), None);
    assert!(why_not_ready(&report("dead-end")).is_some());
}

#[test]
fn only_the_token_of_this_group_opens() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("key");
    std::fs::write(&path, "0123456789abcdef\nfedcba9876543210\n").unwrap();
    let keys = PeerKeys::read(&path).unwrap();
    let headers = |value: String| {
        let mut headers = HeaderMap::new();
        headers.insert(header::AUTHORIZATION, value.parse().unwrap());
        headers
    };
    for key in keys.all() {
        let token = format!("Bearer {}", key.bearer_token("cart"));
        assert!(bears_token(&headers(token), &keys, "cart"));
        let other = format!("Bearer {}", key.bearer_token("other"));
        assert!(!bears_token(&headers(other), &keys, "cart"));
    }
    assert!(!bears_token(&headers("Bearer x".into()), &keys, "cart"));
    assert!(!bears_token(&HeaderMap::new(), &keys, "cart"));
}

#[test]
fn metrics_have_the_common_names_and_no_invented_zeros() {
    let info = Info::parse(
        "# Server\r\nredis_version:7.0.15\r\nuptime_in_seconds:12\r\n# Clients\r\n\
         connected_clients:3\r\n# Stats\r\ntotal_commands_processed:77\r\n# Replication\r\n\
         role:master\r\nconnected_slaves:2\r\nmaster_repl_offset:99\r\n",
    )
    .unwrap();
    let text = metrics::render(&report("primary"), Some(&info));
    for line in [
        "redis_up 1.0",
        "redis_connected_clients 3.0",
        "redis_uptime_in_seconds 12.0",
        "redis_commands_processed_total 77",
        "redis_connected_slaves 2.0",
        "interrex_is_primary 1.0",
    ] {
        assert!(text.lines().any(|found| found == line), "{line} is not in:\n{text}");
    }
    assert!(!text.contains("redis_memory_used_bytes"), "{text}");
    assert!(text.ends_with("# EOF\n"));
    let down = metrics::render(&report("down"), None);
    assert!(down.lines().any(|line| line == "redis_up 0.0"), "{down}");
}

use engine::Info;
