//! The page that lists every field of the resource: made of the definition, so it cannot be wrong
//! about it.

use std::fmt::Write as _;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, JSONSchemaProps, JSONSchemaPropsOrArray, JSONSchemaPropsOrBool,
};
use serde_json::Value;

/// The page as Markdown; `command` is what makes it anew.
pub fn reference(definition: &CustomResourceDefinition, command: &str) -> String {
    let names = &definition.spec.names;
    let mut page = format!("# Every field of {}\n\n", names.kind);
    let _ = writeln!(page, "Written by `{command}`: it says what the API server checks.\n");
    for version in &definition.spec.versions {
        let short = names.short_names.iter().flatten().map(|name| format!("`{name}`"));
        let _ = writeln!(
            page,
            "`apiVersion: {}/{}`, `kind: {}`. For `kubectl`: `{}`, {}. Subresources: `status`, \
             `scale`.\nEvery field may be left out unless it says *required*. How the objects are \
             made of it: [objects.md](objects.md).",
            definition.spec.group,
            version.name,
            names.kind,
            names.plural,
            short.collect::<Vec<_>>().join(", "),
        );
        let columns = version.additional_printer_columns.iter().flatten();
        page.push_str(
            "\n## Columns of `kubectl get`\n\n| column | what | shown |\n|---|---|---|\n",
        );
        for column in columns {
            let wide = if column.priority.unwrap_or(0) > 0 { "with `-o wide`" } else { "always" };
            let what = column.description.as_deref().unwrap_or_default();
            let _ = writeln!(page, "| {} | {what} | {wide} |", column.name.to_uppercase());
        }
        let schema = version.schema.as_ref().and_then(|schema| schema.open_api_v3_schema.as_ref());
        for part in ["spec", "status"] {
            let field = schema.and_then(|schema| schema.properties.as_ref()?.get(part));
            if let Some(field) = field {
                let text = field.description.as_deref().unwrap_or_default();
                let _ = writeln!(page, "\n## `{part}`\n\n{}\n", cell(text));
                page.push_str("| field | type | meaning |\n|---|---|---|\n");
                fields(&mut page, part, field);
            }
        }
    }
    page
}

/// The rows below one field, each before its own fields.
fn fields(page: &mut String, path: &str, parent: &JSONSchemaProps) {
    for (name, field) in parent.properties.iter().flatten() {
        let path = format!("{path}.{name}");
        let required = parent.required.iter().flatten().any(|required| required == name);
        row(page, &path, field, required);
        below(page, &path, field);
    }
}

fn below(page: &mut String, path: &str, field: &JSONSchemaProps) {
    fields(page, path, field);
    if let Some(JSONSchemaPropsOrArray::Schema(item)) = &field.items {
        fields(page, &format!("{path}[]"), item);
    }
    if let Some(JSONSchemaPropsOrBool::Schema(value)) = &field.additional_properties {
        fields(page, &format!("{path}.*"), value);
    }
}

fn row(page: &mut String, path: &str, field: &JSONSchemaProps, required: bool) {
    let mut text = cell(field.description.as_deref().unwrap_or_default());
    if required {
        text.push_str(" *Required.*");
    }
    let mut said: Vec<String> = Vec::new();
    for rule in field.x_kubernetes_validations.iter().flatten() {
        // A text that CEL makes has its value in it; the reference has no value.
        let Some(message) = &rule.message else { continue };
        let wrong = cell(message.split(';').next().unwrap_or_default());
        if !said.contains(&wrong) {
            let _ = match wrong.strip_prefix("must ") {
                Some(wrong) => write!(text, " Must {wrong}."),
                None => write!(text, " Refused: {wrong}."),
            };
            said.push(wrong);
        }
    }
    let shown = path.split_once('.').map_or(path, |(_, below)| below);
    let _ = writeln!(page, "| `{shown}` | {} | {text} |", kind(field));
}

/// What can be written there.
fn kind(field: &JSONSchemaProps) -> String {
    if let Some(words) = &field.enum_ {
        let words = words.iter().map(|word| &word.0).filter(|word| !word.is_null());
        return words.map(|word| format!("`{}`", plain(word))).collect::<Vec<_>>().join(", ");
    }
    if let Some(JSONSchemaPropsOrArray::Schema(item)) = &field.items {
        return format!("list of {}", kind(item));
    }
    if let Some(JSONSchemaPropsOrBool::Schema(value)) = &field.additional_properties {
        return format!("map of {}", kind(value));
    }
    match (field.type_.as_deref(), field.format.as_deref()) {
        (Some("string"), Some("date-time")) => "date and time",
        (Some("string"), _) => "text",
        (Some("integer"), _) => "whole number",
        (Some("boolean"), _) => "yes or no",
        (Some("object"), _) => "map",
        (None, _) if field.properties.is_some() => "a word or a map",
        (None, _) => "text, number, or yes or no",
        (Some(other), _) => other,
    }
    .to_owned()
}

fn plain(word: &Value) -> String {
    word.as_str().map_or_else(|| word.to_string(), str::to_owned)
}

/// Text that breaks no table.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").split_whitespace().collect::<Vec<_>>().join(" ")
}
