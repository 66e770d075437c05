//! Specs that are right, and every way to be wrong.

use super::*;

fn read(yaml: &str) -> Result<Resource, String> {
    serde_saphyr::from_str(yaml).map_err(|error| error.to_string())
}

fn with(spec: &str) -> Result<ValidatedSpec, Vec<SpecError>> {
    let head = "apiVersion: interrex.io/v1alpha1\nkind: Redis\nmetadata: { name: cart }\nspec: ";
    read(&format!("{head}{spec}\n")).unwrap_or_else(|e| panic!("{spec}: {e}")).validate()
}

#[track_caller]
fn good(spec: &str) -> ValidatedSpec {
    with(spec).unwrap_or_else(|errors| panic!("{spec}: {errors:#?}"))
}

/// The one error of a spec, as a person sees it.
#[track_caller]
fn wrong(spec: &str) -> String {
    let errors = with(spec).expect_err(spec);
    assert_eq!(errors.len(), 1, "{spec}: {errors:#?}");
    errors[0].to_string()
}

#[test]
fn every_example_is_right() {
    let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples");
    let mut seen = Vec::new();
    for entry in std::fs::read_dir(directory).expect("the examples are in the tree") {
        let path = entry.expect("the examples can be listed").path();
        if path.extension().is_none_or(|extension| extension != "yaml") {
            continue;
        }
        let text = std::fs::read_to_string(&path).expect("an example can be read");
        let resource = read(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        let spec = resource.validate().unwrap_or_else(|e| panic!("{}: {e:#?}", path.display()));
        spec.fits_local_mode().unwrap_or_else(|e| panic!("{}: {e:#?}", path.display()));
        seen.push(path.file_stem().map(|stem| stem.to_string_lossy().into_owned()));
    }
    for name in ["default", "cache", "strict", "two-members", "fast", "valkey"] {
        assert!(seen.contains(&Some(name.to_owned())), "examples/{name}.yaml is missing");
    }
}

#[test]
fn an_empty_spec_is_the_default_group() {
    let spec = good("{}");
    assert_eq!(spec, Resource::named("cart").validate().unwrap());
    assert_eq!((spec.replicas(), spec.members()), (2, 3));
    assert_eq!(spec.durability(), Durability::Balanced);
    assert_eq!(spec.failsafe(), Failsafe::Majority);
    assert_eq!(spec.timing(), Timing::DEFAULT);
    assert_eq!(spec.profile_name(), "default");
    assert_eq!(spec.fencing(), Fencing::Gate);
    assert_eq!(spec.recovery_timeout(), Span::from_millis(60_000));
    assert_eq!(spec.budget_per_hour(), 30);
    assert_eq!(spec.storage_bytes(), None);
    assert_eq!(spec.persistence(), Persistence::None);
    assert_eq!(spec.max_lag_s(), 3);
    assert!(spec.config().is_empty());
}

#[test]
fn what_is_written_and_read_again_is_the_same() {
    for spec in [
        "{}",
        "{ durability: { mode: strict, copies: 2 }, failover: { profile: fast, failsafe: all } }",
        "{ failover: { profile: { lease: 6s, peer: 6s, renew: 1s, heartbeat: 500ms, margin: 1s } } }",
        "{ config: { maxmemory: 1gb, activedefrag: yes }, storage: { size: 1Gi } }",
    ] {
        let spec = good(spec);
        let json = serde_json::to_string(spec.resource()).unwrap();
        let again: Resource = serde_json::from_str(&json).unwrap();
        assert_eq!(again.validate().unwrap(), spec, "{json}");
    }
}
