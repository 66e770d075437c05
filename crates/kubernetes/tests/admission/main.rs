//! What the API refuses is what `brain::spec` refuses: every case is judged by both, and a refusal
//! names the field and the reason. The API is a real one: `E2E_KUBECONFIG` says where.
// The tests of one program: what one of them does not use another does.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod api;
mod cases;
mod generated;

use brain::spec::{Resource, SpecError};
use futures_util::{StreamExt, stream};
use serde_json::{Value, json};

use api::Api;

/// A resource, and where it came from.
pub(crate) struct Case {
    /// The field that matters, for whoever reads a failure.
    pub(crate) about: String,
    /// The resource as JSON.
    pub(crate) resource: Value,
}

impl Case {
    // Callers make the spec for this.
    #[allow(clippy::needless_pass_by_value)]
    pub(crate) fn of(about: impl Into<String>, spec: Value) -> Self {
        let resource = json!({
            "apiVersion": brain::spec::API_VERSION,
            "kind": brain::spec::KIND,
            "metadata": { "name": "cart" },
            "spec": spec,
        });
        Self { about: about.into(), resource }
    }
}

/// What the brain says of a resource.
enum Verdict {
    Right,
    /// It cannot be read at all.
    Unreadable,
    Wrong(Vec<SpecError>),
}

fn judge(resource: &Value) -> Verdict {
    match serde_json::from_value::<Resource>(resource.clone()) {
        Err(_) => Verdict::Unreadable,
        Ok(resource) => match resource.validate() {
            Ok(_) => Verdict::Right,
            Err(errors) => Verdict::Wrong(errors),
        },
    }
}

/// Whether a refusal tells what one of the brain's errors tells.
fn tells(said: &str, errors: &[SpecError]) -> bool {
    errors.iter().any(|error| {
        // A rule on a map names its field in the text, `spec.engine: … version: …`.
        let path = error.path.trim_start_matches("metadata.");
        let (parent, leaf) = path.rsplit_once('.').unwrap_or(("", path));
        // What is wrong between keys of a map is told of the map.
        let among = path.starts_with("spec.pods.resources.") && said.contains(parent);
        let place = among || said.contains(path) || (said.contains(parent) && said.contains(leaf));
        let generic = ["Unsupported value", "is none of the words", "Duplicate value", "should be"];
        let reason = said.contains(&error.wrong)
            || said.contains(&error.way_out)
            || error.wrong.ends_with("does not have this directive")
                && said.contains("does not have this directive")
            || generic.iter().any(|words| said.contains(words));
        place && reason
    })
}

/// How many were right and wrong, and everything that the two do not agree on.
async fn compare(cases: Vec<Case>) -> (usize, usize, Vec<String>) {
    let api = Api::connect().await;
    let api = &api;
    let mut answers = stream::iter(cases)
        .map(|case| async move {
            let answer = api.answer(&case.resource).await;
            (case, answer)
        })
        .buffered(8);
    let (mut right, mut wrong, mut different) = (0, 0, Vec::new());
    while let Some((case, answer)) = answers.next().await {
        let spec = &case.resource["spec"];
        match (judge(&case.resource), answer) {
            // What is stored is what the operator reads. The API leaves out what has no value, and
            // fills in what has a default: neither may make it wrong.
            (Verdict::Right | Verdict::Unreadable, Ok(stored))
                if matches!(judge(&stored), Verdict::Right) =>
            {
                right += 1;
            }
            (Verdict::Unreadable, Err(_)) => wrong += 1,
            (Verdict::Wrong(errors), Err(said)) => {
                wrong += 1;
                if !tells(&said, &errors) {
                    different.push(format!("{}: {spec}\n  {said}\n  {errors:?}", case.about));
                }
            }
            (Verdict::Right, Err(said)) => {
                different.push(format!("{}: {spec}\n  only the API refuses: {said}", case.about));
            }
            (Verdict::Right | Verdict::Unreadable, Ok(stored)) => {
                let stored = &stored["spec"];
                different.push(format!("{}: {spec}\n  stored as {stored}", case.about));
            }
            (Verdict::Wrong(errors), Ok(_)) => {
                different.push(format!("{}: {spec}\n  only the brain: {errors:?}", case.about));
            }
        }
    }
    (right, wrong, different)
}

#[track_caller]
fn none(what: &str, (right, wrong, different): (usize, usize, Vec<String>)) {
    println!("{what}: {right} right, {wrong} wrong, {} judged apart", different.len());
    let shown: Vec<_> = different.iter().take(20).collect();
    assert!(different.is_empty(), "{} apart:\n{}", different.len(), {
        shown.iter().map(|line| line.as_str()).collect::<Vec<_>>().join("\n")
    });
    assert!(right + wrong > 0, "nothing was judged");
}

#[test]
fn the_brain_takes_what_is_right_and_refuses_what_is_wrong() {
    let (right, wrong) = (cases::right(), cases::wrong());
    assert!(right.len() >= 20 && wrong.len() >= 20, "{} and {}", right.len(), wrong.len());
    for case in right {
        assert!(matches!(judge(&case.resource), Verdict::Right), "{}", case.resource);
    }
    for case in wrong {
        assert!(!matches!(judge(&case.resource), Verdict::Right), "{}", case.resource);
    }
}

#[tokio::test]
#[ignore = "minutes: run it by hand where there is a cluster, with E2E_KUBECONFIG"]
async fn the_api_says_what_the_brain_says_of_cases() {
    none("right", compare(cases::right()).await);
    none("wrong", compare(cases::wrong()).await);
}

#[tokio::test]
#[ignore = "minutes: run it by hand where there is a cluster, with E2E_KUBECONFIG"]
async fn the_api_says_what_the_brain_says_at_every_boundary() {
    none("boundaries", compare(generated::boundaries()).await);
    none("promises", compare(generated::promises()).await);
    none("times", compare(generated::times()).await);
}

#[tokio::test]
#[ignore = "minutes: run it by hand where there is a cluster, with E2E_KUBECONFIG"]
async fn the_api_says_what_the_brain_says_of_every_directive() {
    none("directives", compare(generated::directives()).await);
}

#[tokio::test]
#[ignore = "minutes: run it by hand where there is a cluster, with E2E_KUBECONFIG"]
async fn the_api_says_what_the_brain_says_of_every_field_made_something_else() {
    none("shapes", compare(generated::shapes()).await);
}
