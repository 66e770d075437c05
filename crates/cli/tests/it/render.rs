//! `interrex render`: what is printed where, and what is refused.

use std::path::PathBuf;

use crate::run::Place;

fn example(name: &str) -> String {
    let directory = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples"));
    directory.join(name).to_string_lossy().into_owned()
}

#[test]
fn objects_are_data_and_what_is_still_needed_is_talk() {
    let place = Place::new();
    let file = example("default.yaml");
    let said = place.run(&["render", "-f", &file, "-n", "shop"]).exits(0);
    assert!(said.out.starts_with("---\n"), "{said:#?}");
    // Ten objects, and one of them names the account of the agents.
    assert_eq!(said.out.matches("  namespace: shop\n").count(), 11, "{}", said.out.len());
    assert!(!said.out.contains("kind: Secret"), "{said:#?}");
    said.says(&["interrex render -f", "-n shop --secret | kubectl create -f -"]);
    let json = place.run(&["render", "-f", &file, "-o", "json"]).exits(0).json();
    assert_eq!(json["items"].as_array().map(Vec::len), Some(10));
}

#[test]
fn a_secret_is_drawn_each_time_and_only_on_stdout() {
    let place = Place::new();
    let file = example("default.yaml");
    let draw = || {
        let said = place.run(&["render", "-f", &file, "--secret", "-o", "json"]).exits(0);
        assert!(said.talk.is_empty(), "{}", said.talk);
        said.json()["items"][0].clone()
    };
    let (one, other) = (draw(), draw());
    assert_eq!((&one["kind"], &one["metadata"]["name"]), (&"Secret".into(), &"cart-auth".into()));
    for key in ["password", "peer-key"] {
        let of = |secret: &serde_json::Value| secret["stringData"][key].as_str().map(str::to_owned);
        assert!(of(&one).is_some_and(|text| text.len() == 64), "{key}");
        assert_ne!(of(&one), of(&other), "{key}");
    }
}

#[test]
fn what_makes_no_group_is_refused_with_its_field_and_a_way_out() {
    let place = Place::new();
    let file = example("default.yaml");
    place
        .run(&["render", "-f", &file, "--local-volumes", "node1=/mnt/a"])
        .exits(2)
        .refuses()
        .says(&["there are 3 members", "name 3", "--namespace"]);
    let wrong = place.run(&["render", "-f", &file, "--local-volumes", "node1"]).exits(2);
    wrong.says(&["HOST=PATH", "node1=/mnt/disks/cart"]);
    place.run(&["render", "-f", "/no/such/file.yaml"]).exits(2).refuses();
    let local = ["node1=/mnt/a", "node2=/mnt/a", "node3=/mnt/a"];
    let words =
        ["render", "-f", &file, "-n", "shop", "--local-volumes", local[0], local[1], local[2]];
    let made = place.run(&words).exits(0);
    assert_eq!(made.out.matches("\nkind: PersistentVolume\n").count(), 3, "{made:#?}");
    assert_eq!(made.out.matches("\nkind: StorageClass\n").count(), 1, "{made:#?}");
}
