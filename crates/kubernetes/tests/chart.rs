//! That the chart makes the same objects as `interrex manifest`. It needs Helm: `e2e/chart` finds
//! or builds one and runs this.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use kubernetes::install::{Install, manifest};
use serde_json::Value;

/// Names the program; without it nothing is compared, and `e2e/chart` says so.
const HELM: &str = "HELM";

/// Labels that only Helm's objects have.
const OF_HELM: [&str; 3] =
    ["app.kubernetes.io/version", "app.kubernetes.io/managed-by", "helm.sh/chart"];

/// What the chart makes with these values, the definitions too, by kind, namespace and name.
fn chart(helm: &str, values: &[&str]) -> BTreeMap<String, Value> {
    let chart = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../charts/interrex");
    // Helm refuses versions that the chart is not for, and guesses one where it asks no cluster.
    let output = Command::new(helm)
        .args(["template", "interrex", "--namespace", "interrex", "--include-crds"])
        .args(["--kube-version", "1.30.0"])
        .args(values.iter().flat_map(|value| ["--set", value]))
        .arg(chart)
        .output()
        .expect("helm can be started");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).expect("helm prints text");
    let documents = text.split("\n---").map(|text| text.trim_start_matches("---"));
    let documents = documents.map(|text| serde_saphyr::from_str(text).expect("helm prints YAML"));
    by_name(documents.filter(|document: &Value| !document.is_null()))
}

/// What this program makes, but the namespace, which Helm makes by an option.
fn program(install: &Install) -> BTreeMap<String, Value> {
    let all = manifest(install).into_iter();
    by_name(all.filter(|document| document["kind"] != "Namespace"))
}

fn by_name(documents: impl Iterator<Item = Value>) -> BTreeMap<String, Value> {
    let named = |mut document: Value| {
        drop_labels_of_helm(&mut document);
        let word = |value: &Value| value.as_str().unwrap_or("-").to_owned();
        let metadata = &document["metadata"];
        let key = [&document["kind"], &metadata["namespace"], &metadata["name"]].map(word);
        (key.join(" "), document)
    };
    documents.map(named).collect()
}

/// Wherever there are labels: of the objects, and of the pods' template.
fn drop_labels_of_helm(value: &mut Value) {
    match value {
        Value::Object(map) => {
            if let Some(Value::Object(labels)) = map.get_mut("labels") {
                labels.retain(|label, _| !OF_HELM.contains(&label.as_str()));
            }
            map.values_mut().for_each(drop_labels_of_helm);
        }
        Value::Array(list) => list.iter_mut().for_each(drop_labels_of_helm),
        _ => {}
    }
}

fn same(install: &Install, values: &[&str]) {
    let Ok(helm) = std::env::var(HELM) else { return };
    let (ours, theirs) = (program(install), chart(&helm, values));
    let names = |all: &BTreeMap<String, Value>| all.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&ours), names(&theirs), "{values:?}");
    for (name, ours) in ours {
        assert_eq!(ours, theirs[&name], "{name} with {values:?}");
    }
}

#[test]
fn the_chart_makes_what_the_program_makes() {
    same(&Install::default(), &[]);
}

#[test]
fn the_chart_for_one_namespace_and_several_operators_is_the_same_too() {
    let image = "registry.example/interrex:1.2.3".to_owned();
    let watched = Some("shop".to_owned());
    let install = Install { image, watched, replicas: 2, ..Install::default() };
    let repository = "image.repository=registry.example/interrex";
    same(&install, &["watchNamespace=shop", "replicas=2", repository, "image.tag=1.2.3"]);
}

#[test]
fn the_chart_has_this_version() {
    let chart = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../charts/interrex/Chart.yaml");
    let text = std::fs::read_to_string(chart).expect("the chart");
    let version = env!("CARGO_PKG_VERSION");
    for line in [format!("version: {version}"), format!("appVersion: \"{version}\"")] {
        assert!(text.lines().any(|found| found == line), "Chart.yaml lacks {line:?}");
    }
}
