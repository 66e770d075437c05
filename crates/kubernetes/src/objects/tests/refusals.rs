//! What makes no group on Kubernetes, and what is said about it.

use super::*;

#[track_caller]
fn refused(spec: &str, options: &Options) -> String {
    let errors = check(&of(spec), options).expect_err(spec);
    assert_eq!(errors.len(), 1, "{spec}: {errors:#?}");
    errors[0].to_string()
}

#[test]
fn what_pods_do_not_do_yet_is_said_and_not_left_out() {
    for (spec, path) in [
        ("{ topology: { cluster: { shards: 3 } } }", "spec.topology.cluster"),
        ("{ failover: { fencing: kernel } }", "spec.failover.fencing"),
        ("{ tls: { secretName: cart-tls } }", "spec.tls"),
        ("{ access: { sentinel: {} } }", "spec.access.sentinel"),
        (
            "{ auth: { users: [ { name: bob, rules: '+@read', secretName: bob } ] } }",
            "spec.auth.users",
        ),
    ] {
        let said = refused(spec, &Options::default());
        assert!(said.starts_with(&format!("{path}: ")), "{said}");
        assert!(said.contains("not have this on Kubernetes yet; "), "{said}");
    }
}

#[test]
fn directives_are_checked_against_the_engine_that_the_pods_have() {
    // No engine is named, so it is a valkey, which has none of Redis' modules.
    let said = refused("{ config: { search-timeout: 500 } }", &Options::default());
    assert!(said.starts_with("spec.config.search-timeout: "), "{said}");
    let redis =
        of("{ engine: { flavor: redis, version: '8.0' }, config: { search-timeout: 500 } }");
    assert_eq!(check(&redis, &Options::default()), Ok(()));
    let old = "{ engine: { flavor: redis, version: '6.2' }, durability: strict }";
    assert!(refused(old, &Options::default()).starts_with("spec.durability: strict: "));
    // What an image has is only known when it runs.
    let image = of("{ engine: { image: example.com/redis:1 }, config: { search-timeout: 500 } }");
    assert_eq!(check(&image, &Options::default()), Ok(()));
}

#[test]
fn labels_that_selectors_rely_on_are_ours() {
    for key in ["interrex.io/role", "app.kubernetes.io/name", "app.kubernetes.io/managed-by"] {
        for what in ["labels", "annotations"] {
            let spec = format!("{{ pods: {{ {what}: {{ {key}: mine }} }} }}");
            let said = refused(&spec, &Options::default());
            assert!(said.starts_with(&format!("spec.pods.{what}.{key}: \"mine\": ")), "{said}");
        }
    }
}

#[test]
fn each_member_has_a_local_volume_of_its_own() {
    let volumes = |texts: &[&str]| Options {
        namespace: Some("shop".to_owned()),
        local_volumes: texts.iter().map(|text| text.parse().expect("a volume")).collect(),
        ..Options::default()
    };
    let three = ["a=/mnt/d", "b=/mnt/d", "c=/mnt/d"];
    let disk = "{ storage: { size: 1Gi } }";
    assert_eq!(check(&of(disk), &volumes(&three)), Ok(()));
    for (spec, options, said) in [
        (disk, volumes(&three[..2]), "--local-volumes: 2 volumes: there are 3 members"),
        (disk, volumes(&["a=/d", "a=/d", "b=/d"]), "--local-volumes: a=/d: is there twice"),
        ("{}", volumes(&three), "--local-volumes: 3 volumes: the group is memory only"),
        (
            disk,
            Options { namespace: None, ..volumes(&three) },
            "--local-volumes: 3 volumes: a local volume is for the claim of one namespace",
        ),
    ] {
        let error = refused(spec, &options);
        assert!(error.starts_with(said), "{error}");
    }
    for wrong in ["", "a", "a=", "=/d", "a=d", "a=/../d"] {
        assert_eq!(wrong.parse::<LocalVolume>(), Err(LocalVolumeError), "{wrong:?}");
    }
}

#[test]
fn a_namespace_has_a_name() {
    for wrong in ["", "Shop", "-shop", "shop.eu"] {
        let options = Options { namespace: Some(wrong.to_owned()), ..Options::default() };
        let said = refused("{}", &options);
        assert!(said.starts_with("metadata.namespace: "), "{said}");
    }
}
