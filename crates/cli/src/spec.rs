//! The spec that `up` works from: read from YAML with the line of every fault, or from options.

use brain::spec::{
    DurabilityField, DurabilityMode, OnDelete, ProfileField, ProfileName, Replication, Resource,
    SpecError, Storage, Topology, ValidatedSpec,
};

use crate::args::{Durability, Profile};
use crate::exit::Exit;
use crate::failure::Failure;

/// What the options of `up`, `chaos` and others say about a group.
#[derive(Clone, Debug, Default)]
pub(crate) struct Wanted {
    /// Replicas beside the primary.
    pub(crate) replicas: Option<i64>,
    /// Memory only, availability first.
    pub(crate) cache: bool,
    /// How quickly a silent death is acted upon.
    pub(crate) profile: Option<Profile>,
    /// What a write is worth.
    pub(crate) durability: Option<Durability>,
}

impl Wanted {
    /// Whether anything but the default is asked for.
    pub(crate) fn is_something(&self) -> bool {
        let Self { replicas, cache, profile, durability } = self;
        replicas.is_some() || *cache || profile.is_some() || durability.is_some()
    }
}

/// Enough for a laptop: the size is a claim's, no engine is kept from growing.
const STORAGE: &str = "1Gi";

/// The spec of a group with this name out of options.
pub(crate) fn of_options(name: &str, wanted: &Wanted) -> Result<ValidatedSpec, Failure> {
    let mut resource = Resource::named(name);
    let spec = &mut resource.spec;
    if let Some(replicas) = wanted.replicas {
        let replication = Some(Replication { replicas });
        spec.topology = Some(Topology { replication, cluster: None });
    }
    spec.durability = DurabilityField::Mode(match (wanted.cache, wanted.durability) {
        (true, _) | (_, Some(Durability::Cache)) => DurabilityMode::Cache,
        (_, Some(Durability::Strict)) => DurabilityMode::Strict,
        _ => DurabilityMode::Balanced,
    });
    if spec.durability != DurabilityField::Mode(DurabilityMode::Cache) {
        spec.storage = Some(Storage {
            size: STORAGE.to_owned(),
            class_name: None,
            on_delete: OnDelete::default(),
        });
    }
    if let Some(profile) = wanted.profile {
        spec.failover.profile = ProfileField::Named(match profile {
            Profile::Fast => ProfileName::Fast,
            Profile::Default => ProfileName::Default,
            Profile::Patient => ProfileName::Patient,
        });
    }
    checked(resource, "these options make no group")
}

/// The spec in a YAML text, for this machine; `from` is for the messages.
pub(crate) fn of_text(text: &str, from: &str) -> Result<ValidatedSpec, Failure> {
    fits_here(anywhere(text, from)?, &makes_no_group(from))
}

/// The spec in a YAML text, whatever place it is for.
pub(crate) fn anywhere(text: &str, from: &str) -> Result<ValidatedSpec, Failure> {
    let resource: Resource =
        serde_saphyr::from_str(text).map_err(|error| unreadable(&error, from))?;
    resource.validate().map_err(|errors| refused(&errors, &makes_no_group(from)))
}

/// What is said of a file with faults.
pub(crate) fn makes_no_group(from: &str) -> String {
    format!("{from} makes no group")
}

/// The spec as it is kept in the group's directory: JSON, which is YAML too.
pub(crate) fn to_text(spec: &ValidatedSpec) -> Result<String, Failure> {
    serde_json::to_string(spec.resource())
        .map_err(|error| Failure::new("cannot write the spec").because(&error))
}

fn unreadable(error: &serde_saphyr::Error, from: &str) -> Failure {
    let place = match error.location() {
        Some(location) => format!("{from}, line {}, column {}", location.line(), location.column()),
        None => from.to_owned(),
    };
    Failure::usage(format!("{place}: {}", message(error)))
        .hint("every field with its meaning is in docs/, every example in examples/")
}

/// The sentence alone: the place is said in front of it.
fn message(error: &serde_saphyr::Error) -> String {
    let text = error.without_snippet().to_string();
    let first = text.lines().next().unwrap_or_default();
    let sentence = first.split(" at line ").next().unwrap_or(first);
    sentence.trim_start_matches("error: ").to_owned()
}

fn checked(resource: Resource, what: &str) -> Result<ValidatedSpec, Failure> {
    fits_here(resource.validate().map_err(|errors| refused(&errors, what))?, what)
}

fn fits_here(spec: ValidatedSpec, what: &str) -> Result<ValidatedSpec, Failure> {
    spec.fits_local_mode().map_err(|errors| refused(&errors, what))?;
    Ok(spec)
}

/// Everything that is wrong with a spec, at once.
pub(crate) fn refused(errors: &[SpecError], what: &str) -> Failure {
    let mut failure = Failure::usage(what).exit(Exit::Usage);
    failure.causes = errors
        .iter()
        .map(|error| format!("{}: {} is given, but {}", error.path, error.value, error.wrong))
        .collect();
    let mut ways: Vec<&str> = errors.iter().map(|error| error.way_out.as_str()).collect();
    ways.dedup();
    failure.hint(ways.join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "apiVersion: interrex.io/v1alpha1\nkind: Redis\nmetadata: { name: cart }\n";

    fn wrong(rest: &str) -> Failure {
        of_text(&format!("{HEAD}{rest}"), "cart.yaml").expect_err(rest)
    }

    #[test]
    fn options_make_a_spec() {
        let spec = of_options("cart", &Wanted::default()).expect("the default");
        assert_eq!((spec.replicas(), spec.name()), (2, "cart"));
        assert!(spec.storage_bytes().is_some());
        let again = of_text(&to_text(&spec).expect("JSON"), "group.json").expect("the same");
        assert_eq!(again, spec);
        let cache = Wanted { cache: true, profile: Some(Profile::Fast), ..Wanted::default() };
        let spec = of_options("cart", &cache).expect("a cache");
        assert_eq!((spec.storage_bytes(), spec.profile_name()), (None, "fast"));
        let none = Wanted { replicas: Some(-1), ..Wanted::default() };
        let refused = of_options("cart", &none).expect_err("-1");
        assert!(refused.causes[0].contains("replicas"), "{refused:?}");
        assert_eq!(refused.exit, Exit::Usage);
    }

    #[test]
    fn faults_have_their_line_and_name() {
        let unknown = wrong("spec:\n  durabilty: strict\n");
        assert!(unknown.what.starts_with("cart.yaml, line 5"), "{unknown:?}");
        assert!(unknown.what.contains("durabilty"), "{unknown:?}");
        let of_type = wrong("spec:\n  topology:\n    replication: { replicas: many }\n");
        assert!(of_type.what.starts_with("cart.yaml, line 6"), "{of_type:?}");
        let broken = wrong("spec: [\n");
        assert!(broken.what.starts_with("cart.yaml, line"), "{broken:?}");
    }

    #[test]
    fn impossible_values_are_all_named_at_once() {
        let both = wrong(
            "spec:\n  topology: { replication: { replicas: -1 } }\n  config: { maxmemry: 1gb }\n",
        );
        assert_eq!(both.causes.len(), 2, "{both:?}");
        assert!(both.causes.iter().any(|c| c.contains("-1")), "{both:?}");
        assert!(both.causes.iter().any(|c| c.contains("maxmemry")), "{both:?}");
        assert!(both.hint.is_some());
    }
}
