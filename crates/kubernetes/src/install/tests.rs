//! What is installed: that the files of the tree are of this program, and that the rights suffice.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::*;

fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().and_then(Path::parent).expect("this crate lies at crates/kubernetes").to_owned()
}

fn kinds(install: &Install) -> Vec<String> {
    let word = |value: &Value| value["kind"].as_str().unwrap_or_default().to_owned();
    manifest(install).iter().map(word).collect()
}

#[test]
fn the_generated_files_are_of_this_program() {
    for file in files().expect("files") {
        let found = std::fs::read_to_string(root().join(file.path)).unwrap_or_default();
        assert!(
            found == file.text,
            "{} is stale; way out: cargo run -p interrex-cli -- manifest --tree .",
            file.path
        );
    }
}

#[test]
fn an_operator_of_one_namespace_has_no_right_in_the_cluster() {
    let watched = Some("shop".to_owned());
    let kinds = kinds(&Install { watched, ..Install::default() });
    assert!(!kinds.contains(&"ClusterRoleBinding".to_owned()), "{kinds:?}");
    assert_eq!(kinds.iter().filter(|kind| *kind == "RoleBinding").count(), 2);
}

#[test]
fn only_several_operators_have_a_budget() {
    let budget = "PodDisruptionBudget".to_owned();
    assert!(!kinds(&Install::default()).contains(&budget));
    assert!(kinds(&Install { replicas: 2, ..Install::default() }).contains(&budget));
}

#[test]
fn the_operator_holds_whatever_it_hands_on_and_nothing_that_nobody_needs() {
    let rules = rights::rules();
    let verbs = |group: &str, resource: &str| -> BTreeSet<String> {
        let of = |list: &Option<Vec<String>>, word: &str| {
            list.iter().flatten().any(|found| found == word)
        };
        let rules = rules.iter();
        rules
            .filter(|rule| of(&rule.api_groups, group) && of(&rule.resources, resource))
            .flat_map(|rule| rule.verbs.iter().cloned())
            .collect()
    };
    let handed_on = rights::handed_on();
    assert!(handed_on.len() >= 5, "{handed_on:?}");
    for ((group, resource), granted) in &handed_on {
        let held = verbs(group, resource);
        assert!(granted.is_subset(&held), "{resource}: grants {granted:?}, holds {held:?}");
    }
    for rule in &rules {
        let [group, resource] = [&rule.api_groups, &rule.resources]
            .map(|list| list.iter().flatten().next().cloned().unwrap_or_default());
        let called = rights();
        let called = called.iter().find(|right| right.group == group && right.resource == resource);
        for verb in &rule.verbs {
            let calls = called.is_some_and(|right| right.calls.contains(&verb.as_str()));
            let key = (group.clone(), resource.clone());
            let grants = handed_on.get(&key).is_some_and(|verbs| verbs.contains(verb));
            assert!(calls || grants, "{verb} {resource}: nobody needs it");
        }
    }
    assert_eq!(verbs("", "secrets"), BTreeSet::from(["create".to_owned()]));
    assert!(verbs("", "*").is_empty());
}

#[test]
fn every_right_has_its_row_on_the_page() {
    let page = std::fs::read_to_string(root().join("docs/kubernetes/objects.md")).expect("page");
    let handed_on = rights::handed_on();
    for rule in rights::rules() {
        let resource = rule.resources.iter().flatten().next().cloned().unwrap_or_default();
        let group = rule.api_groups.iter().flatten().next().cloned().unwrap_or_default();
        let found = rights();
        let right = found.iter().find(|right| right.group == group && right.resource == resource);
        let calls = right.map_or_else(|| "–".to_owned(), |right| right.calls.join(", "));
        let grants = handed_on.get(&(group.clone(), resource.clone()));
        let grants = grants.map_or_else(
            || "–".to_owned(),
            |verbs| verbs.iter().map(String::as_str).collect::<Vec<_>>().join(", "),
        );
        let name = if group.is_empty() { resource } else { format!("{resource}.{group}") };
        let row = format!("| `{name}` | {calls} | {grants} |");
        assert!(page.contains(&row), "docs/kubernetes/objects.md lacks the row {row}");
    }
}

#[test]
fn a_namespace_that_is_none_is_refused_with_its_option() {
    let wrong = Install { watched: Some("Shop!".to_owned()), ..Install::default() };
    let errors = check(&wrong).expect_err("no namespace");
    assert_eq!(errors.len(), 1);
    assert_eq!(errors[0].path, "--watch-namespace");
    assert_eq!(check(&Install::default()), Ok(()));
}

#[test]
fn the_readme_shows_the_example() {
    let read = |path: &str| std::fs::read_to_string(root().join(path)).expect(path);
    let shown = format!("```yaml\n{}```", read("examples/default.yaml"));
    assert!(read("README.md").contains(&shown), "copy examples/default.yaml into README.md");
}
