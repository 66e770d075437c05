//! A group's objects as text, for whoever applies them by hand.

use serde::Serialize;
use serde_json::{Value, json};
use serde_saphyr::SerializerOptions;
use thiserror::Error;

/// How the text is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Form {
    /// One document after the other.
    #[default]
    Yaml,
    /// One `List`.
    Json,
}

/// An object that cannot be written.
#[derive(Debug, Error)]
pub enum RenderError {
    /// As YAML.
    #[error("cannot write object {number} as YAML")]
    Yaml {
        /// Which one, from 1.
        number: usize,
        /// The cause.
        source: serde_saphyr::ser::Error,
    },
    /// As JSON.
    #[error("cannot write the objects as JSON")]
    Json(#[source] serde_json::Error),
}

/// Objects as one text, with a line's end at its end.
pub fn text<T: Serialize>(objects: &[T], form: Form) -> Result<String, RenderError> {
    match form {
        Form::Yaml => stream(objects),
        Form::Json => {
            let items: Result<Vec<Value>, _> = objects.iter().map(serde_json::to_value).collect();
            let items = items.map_err(RenderError::Json)?;
            let list = json!({ "apiVersion": "v1", "kind": "List", "items": items });
            let text = serde_json::to_string_pretty(&list).map_err(RenderError::Json)?;
            Ok(text + "\n")
        }
    }
}

fn stream<T: Serialize>(objects: &[T]) -> Result<String, RenderError> {
    let mut text = String::new();
    for (n, object) in objects.iter().enumerate() {
        let written = serde_saphyr::to_string_with_options(object, options());
        let written = written.map_err(|source| RenderError::Yaml { number: n + 1, source })?;
        text.push_str("---\n");
        text.push_str(written.trim_end());
        text.push('\n');
    }
    Ok(text)
}

/// Long lines stay long: what is folded is harder to compare.
fn options() -> SerializerOptions {
    let mut options = SerializerOptions::default();
    options.folded_wrap_chars = 10_000;
    options
}
