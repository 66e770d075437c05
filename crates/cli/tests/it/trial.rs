//! The demo and the chaos, whole: they start a group, break it, count, and leave nothing.

use crate::run::Place;

#[test]
fn the_demo_ends_healthy_with_nothing_lost() {
    let place = Place::new();
    let demo = place.run(&["demo", "-o", "json"]).exits(0).json();
    assert_eq!(demo["verdict"], "HEALTHY", "{demo:#}");
    assert_eq!(demo["lost"], 0, "{demo:#}");
    assert!(demo["acknowledged"].as_u64() > Some(100), "{demo:#}");
    let deeds = demo["deeds"].as_array().expect("deeds");
    assert!(deeds.len() >= 3, "{demo:#}");
    for deed in deeds {
        assert_ne!(deed["from"], deed["to"], "nobody else took over: {deed:#}");
        assert_eq!(deed["late_acknowledgements"], 0, "{deed:#}");
    }
    assert!(place.groups().is_empty(), "{:?}", place.groups());
}

#[test]
fn chaos_measures_and_writes_its_report() {
    let place = Place::new();
    let path = place.file("old.json", "").with_file_name("report.json");
    let report = path.display().to_string();
    let words = ["chaos", "--only", "handover", "--runs", "1", "--report", &report, "-o", "json"];
    let said = place.run(&words);
    // What it measures on a busy machine is not this test's business.
    assert!(matches!(said.code, Some(0 | 3)), "{said:#?}");
    let measured = said.json();
    assert_eq!(measured["schema"], "interrex-chaos/1");
    assert_eq!(measured["rows"][0]["events"].as_array().map(Vec::len), Some(1), "{measured:#}");
    assert_eq!(measured["rows"][0]["tally"]["lost_replicated"], 0, "{measured:#}");
    let written = std::fs::read_to_string(&path).expect("the report was written");
    let written: serde_json::Value = serde_json::from_str(&written).expect("it is JSON");
    assert_eq!(written, measured);
    assert!(place.groups().is_empty(), "{:?}", place.groups());
}

#[test]
fn a_crash_is_compared_with_a_bare_engine() {
    let place = Place::new();
    let words = ["compare", "--only", "crash", "--rival", "bare", "--rival", "interrex"];
    let said = place.run(&[&words[..], &["--runs", "1", "-o", "json"]].concat());
    let measured = said.exits(0).json();
    assert_eq!(measured["schema"], "interrex-compare/1");
    let rows = measured["rows"].as_array().expect("rows");
    let rivals: Vec<&str> = rows.iter().filter_map(|row| row["rival"].as_str()).collect();
    assert_eq!(rivals, ["interrex", "bare"], "{measured:#}");
    for row in rows {
        let event = &row["events"][0];
        assert_eq!(event["writes_back"], true, "{row:#}");
        assert_eq!(event["lost_waited"], 0, "{row:#}");
        assert!(event["acked"].as_u64() > Some(500), "{row:#}");
        // Not compared with the write gap: that begins with the last write before the harm, this
        // with the harm.
        assert!(event["healthy_ms"].as_f64() > Some(0.0), "{row:#}");
    }
    // Nobody takes over, and a supervisor waits a second.
    let bare = &rows[1]["events"][0];
    assert!(bare["write_gap_ms"].as_f64() > Some(1000.0), "{bare:#}");
    assert!(bare["healthy_ms"].as_f64() > Some(1000.0), "{bare:#}");
    assert_ne!(rows[0]["events"][0]["primaries"][0], rows[0]["events"][0]["primaries"][1]);
    assert!(place.groups().is_empty(), "{:?}", place.groups());
}

#[test]
fn chaos_in_network_namespaces_judges_a_cut_and_leaves_nothing() {
    if let Some(why) = local::netns::missing() {
        println!("skipped: {why}");
        return;
    }
    let place = Place::new();
    let report = place.file("old.json", "").with_file_name("apart.json");
    let history = report.with_file_name("apart-history.json");
    let (report, history) = (report.display().to_string(), history.display().to_string());
    let words = [
        "chaos",
        "--suite",
        "full",
        "--only",
        "cut-store",
        "--runs",
        "1",
        "--replicas",
        "1",
        "--seed",
        "5",
        "--report",
        &report,
        "--history",
        &history,
        "-o",
        "json",
    ];
    let said = place.run(&words);
    // What it measures on a busy machine is not this test's business.
    assert!(matches!(said.code, Some(0 | 3)), "{said:#?}");
    let row = &said.json()["rows"][0];
    assert!(row["skipped"].is_null() && row["error"].is_null(), "{row:#}");
    assert_eq!(row["broken"].as_array().map(Vec::len), Some(0), "{row:#}");
    let histories = std::fs::read_to_string(&history).expect("the histories were written");
    let parts: Vec<trial::history::Recorded> =
        histories.lines().map(|line| serde_json::from_str(line).expect("it is JSON")).collect();
    assert_eq!(parts.len(), 2, "one run, and the end");
    for part in &parts {
        assert_eq!(part.broken(), [], "{}", part.scenario);
    }
    assert!(parts[0].history.acked() > 10, "the probers were acknowledged");
    let left = std::process::Command::new("ip").args(["netns", "list"]).output().expect("ip runs");
    let left = String::from_utf8_lossy(&left.stdout).into_owned();
    let number = said.talk.split("ixc").nth(1).and_then(|rest| rest.split('*').next());
    let number = number.expect("it says which namespaces it made");
    assert!(!left.contains(&format!("ixc{number}s")), "{left}");
}
