//! The last resort: most of a group hangs for good, and a person accepts what that loses.

use crate::run::Place;

#[test]
fn a_person_makes_the_last_member_lead_and_the_others_follow_when_they_thaw() {
    let place = Place::new();
    place.run(&["up", "--tag", "last", "--detach"]).exits(0);
    let healthy = place.until("last", "healthy", |s| s["verdict"] == "HEALTHY");
    place.run(&["exec", "last", "--", "SET", "kept", "1"]).exits(0);
    place.run(&["promote", "last"]).exits(4).refuses().says(&["failover last"]);
    let primary = healthy["primary"].as_str().expect("a primary").to_owned();
    let names = ["last-0", "last-1", "last-2"];
    let rest: Vec<&str> = names.into_iter().filter(|name| *name != primary).collect();
    let (hung, left) = (rest[0], rest[1]);
    place.run(&["pause", "last", hung]).exits(0);
    place.run(&["pause", "last", &primary]).exits(0);
    place.until("last", "down", |s| s["verdict"] == "DOWN");

    // What is held is shown; nothing is done without a name and consent.
    let shown = place.run(&["promote", "last", "-o", "json"]).exits(0).json();
    assert_eq!(shown["members"][0]["name"], left, "{shown:#}");
    assert_eq!(shown["members"][0]["keys"], 1, "{shown:#}");
    assert_eq!(shown["promoted"], serde_json::Value::Null, "{shown:#}");
    let refused = place.run(&["promote", "last", left]).exits(4);
    assert!(refused.talk.contains("--accept-data-loss"), "{refused:#?}");
    let unnamed = place.run(&["promote", "last", "--accept-data-loss"]).exits(2);
    assert!(unnamed.talk.contains(left), "{unnamed:#?}");
    place.run(&["promote", "last", "last-9", "--accept-data-loss"]).exits(1).refuses();
    assert_eq!(place.status("last")["verdict"], "DOWN");

    place.run(&["promote", "last", left, "--accept-data-loss"]).exits(0);
    assert_eq!(place.run(&["exec", "last", "--", "GET", "kept"]).exits(0).out, "1\n");
    place.run(&["exec", "last", "--", "SET", "after", "2"]).exits(0);
    place.run(&["heal", "last"]).exits(0);
    let healed = place.until("last", "healed", |s| s["verdict"] == "HEALTHY");
    assert_eq!(healed["primary"], left, "{healed:#}");
    assert!(healed["epoch"].as_u64() >= Some(1 << 32), "{healed:#}");
    for name in names {
        assert_eq!(place.run(&["exec", "last", name, "--", "GET", "after"]).exits(0).out, "2\n");
    }
}
