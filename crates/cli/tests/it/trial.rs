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
