//! The files of the source tree that are written by this program: what people apply by hand, the
//! parts of the chart that must not differ from it, and the reference.

use serde_json::Value;

use super::{Install, definitions, manifest, people, rights};
use crate::crd::{self, reference};
use crate::objects::document;
use crate::render::{Form, RenderError, text};

/// What makes all of them.
const COMMAND: &str = "cargo run -p interrex-cli -- manifest --tree .";

/// One file of the source tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GeneratedFile {
    /// Where, from the root of the tree.
    pub path: &'static str,
    /// What is in it.
    pub text: String,
}

/// All of them.
pub fn files() -> Result<Vec<GeneratedFile>, RenderError> {
    let [definition, policy, binding] = definitions();
    let people = people::roles().map(|role| document(&role));
    let rules = document(&rights::rules());
    let lease_rules = document(&rights::lease_rules());
    let yaml = |documents: &[Value]| text(documents, Form::Yaml).map(|text| marked(&text));
    let file = |path, text| GeneratedFile { path, text };
    Ok(vec![
        file("install.yaml", yaml(&manifest(&Install::default()))?),
        file("charts/interrex/crds/redises.yaml", yaml(&[definition])?),
        file("charts/interrex/files/policy.yaml", yaml(&[policy, binding])?),
        file("charts/interrex/files/people.yaml", yaml(&people)?),
        file("charts/interrex/files/rules.yaml", list(&rules)?),
        file("charts/interrex/files/lease-rules.yaml", list(&lease_rules)?),
        file("docs/kubernetes/reference.md", reference(&crd::definition(), COMMAND)),
    ])
}

/// A list alone, without the mark of a document, to be put into another one.
fn list(items: &Value) -> Result<String, RenderError> {
    let written = text(std::slice::from_ref(items), Form::Yaml)?;
    Ok(marked(written.trim_start_matches("---\n")))
}

fn marked(text: &str) -> String {
    format!("# Written by `{COMMAND}`.\n{text}")
}
