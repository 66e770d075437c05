//! A small language for structural schemas: what a field is, what it means, and which rules it
//! keeps.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    JSON, JSONSchemaProps, JSONSchemaPropsOrArray, JSONSchemaPropsOrBool, ValidationRule,
};
use serde_json::Value;

use super::cel::{list_of, on_one_line};

/// One field, as far as it is described.
#[derive(Clone, Debug, Default)]
pub(super) struct Field(JSONSchemaProps);

fn of_type(kind: &str, description: &str) -> Field {
    let (type_, description) = (Some(kind.to_owned()), Some(description.to_owned()));
    Field(JSONSchemaProps { type_, description, ..JSONSchemaProps::default() })
}

/// A map with named fields.
pub(super) fn object(description: &str) -> Field {
    of_type("object", description)
}

/// Text of at most `max` characters: without a bound no rule on it has a bounded cost.
pub(super) fn text(max: i64, description: &str) -> Field {
    let mut field = of_type("string", description);
    field.0.max_length = Some(max);
    field
}

/// One of some words.
pub(super) fn word(words: &[&str], description: &str) -> Field {
    let mut field = of_type("string", description);
    field.0.enum_ = Some(words.iter().map(|word| JSON((*word).into())).collect());
    field
}

/// One of some words, or nothing: Kubernetes' own check of words takes no nothing.
pub(super) fn optional_word(words: &[&str], description: &str) -> Field {
    text(32, description).optional().rule_shows(
        format!("self in {}", list_of(words.iter().copied())),
        &format!("'\"' + self + '\": is none of the words; use {}'", words.join(" or ")),
    )
}

/// A whole number.
pub(super) fn whole(description: &str) -> Field {
    let mut field = of_type("integer", description);
    field.0.format = Some("int64".to_owned());
    field
}

/// Yes or no.
pub(super) fn flag(description: &str) -> Field {
    of_type("boolean", description)
}

/// A list of at most `max` items.
pub(super) fn list(max: i64, items: Field, description: &str) -> Field {
    let mut field = of_type("array", description);
    field.0.max_items = Some(max);
    field.0.items = Some(JSONSchemaPropsOrArray::Schema(Box::new(items.0)));
    field
}

/// A map of at most `max` keys that a person chooses.
pub(super) fn map(max: i64, values: Field, description: &str) -> Field {
    let mut field = of_type("object", description);
    field.0.max_properties = Some(max);
    field.0.additional_properties = Some(JSONSchemaPropsOrBool::Schema(Box::new(values.0)));
    field
}

/// A field without a type of its own: a word, or a map. No rule of the schema sees its value.
pub(super) fn untyped(description: &str) -> Field {
    let description = Some(description.to_owned());
    let x_kubernetes_preserve_unknown_fields = Some(true);
    Field(JSONSchemaProps {
        description,
        x_kubernetes_preserve_unknown_fields,
        ..JSONSchemaProps::default()
    })
}

/// The shape of one of these words.
pub(super) fn is_word(words: &[&str]) -> JSONSchemaProps {
    let enum_ = Some(words.iter().map(|word| JSON((*word).into())).collect());
    JSONSchemaProps { enum_, ..JSONSchemaProps::default() }
}

/// The shape of a map that has exactly these keys.
pub(super) fn is_map_of(keys: &[&str]) -> JSONSchemaProps {
    // What is no map has no properties to count: only this tells the two apart without a type.
    let empty = JSONSchemaProps { max_properties: Some(0), ..JSONSchemaProps::default() };
    JSONSchemaProps {
        required: Some(keys.iter().map(|key| (*key).to_owned()).collect()),
        max_properties: Some(keys.len() as i64),
        not: Some(Box::new(empty)),
        ..JSONSchemaProps::default()
    }
}

impl Field {
    /// With a named field.
    pub(super) fn field(mut self, name: &str, field: Field) -> Self {
        self.0.properties.get_or_insert_default().insert(name.to_owned(), field.0);
        self
    }

    /// With a named field that cannot be left out.
    pub(super) fn required(mut self, name: &str, field: Field) -> Self {
        self.0.required.get_or_insert_default().push(name.to_owned());
        self.field(name, field)
    }

    /// Written without a value it is the same as left out.
    pub(super) fn optional(mut self) -> Self {
        self.0.nullable = Some(true);
        self
    }

    /// What is stored when it is left out.
    pub(super) fn default(mut self, value: Value) -> Self {
        self.0.default = Some(JSON(value));
        self
    }

    /// One of several shapes.
    pub(super) fn any_of(mut self, shapes: impl IntoIterator<Item = JSONSchemaProps>) -> Self {
        self.0.any_of = Some(shapes.into_iter().collect());
        self
    }

    /// No map, no list and no fraction, whatever else it is: no map has at least one key and none.
    pub(super) fn scalar(mut self) -> Self {
        (self.0.min_properties, self.0.max_properties) = (Some(1), Some(0));
        (self.0.min_items, self.0.max_items) = (Some(1), Some(0));
        self.0.multiple_of = Some(1.0);
        self.0.max_length = Some(4096);
        self
    }

    /// A list whose items are told apart by one of their fields: none is there twice.
    pub(super) fn keyed_by(mut self, field: &str) -> Self {
        self.0.x_kubernetes_list_type = Some("map".to_owned());
        self.0.x_kubernetes_list_map_keys = Some(vec![field.to_owned()]);
        self
    }

    /// A date and a time.
    pub(super) fn moment(mut self) -> Self {
        self.0.format = Some("date-time".to_owned());
        self.0.max_length = None;
        self
    }

    /// With a rule in CEL; the API puts the field's path before the text.
    pub(super) fn rule(self, rule: impl Into<String>, message: &str) -> Self {
        let (rule, message) = (rule.into(), Some(message.to_owned()));
        self.with(ValidationRule { rule, message, ..ValidationRule::default() })
    }

    /// With a rule in CEL whose text is made by CEL, from the value.
    pub(super) fn rule_says(self, rule: impl Into<String>, message: impl Into<String>) -> Self {
        let (rule, message_expression) = (rule.into(), Some(message.into()));
        self.with(ValidationRule { rule, message_expression, ..ValidationRule::default() })
    }

    /// The same, from a value that is any text.
    pub(super) fn rule_shows(self, rule: impl Into<String>, message: &str) -> Self {
        self.rule_says(rule, on_one_line(message))
    }

    fn with(mut self, rule: ValidationRule) -> Self {
        self.0.x_kubernetes_validations.get_or_insert_default().push(rule);
        self
    }

    /// A whole number from `min` to `max`, in the words of the spec's checks.
    pub(super) fn within(self, min: i64, max: i64, why: &str) -> Self {
        // By `format` and not by `string`: the cost of what `string` makes has no bound.
        self.rule_says(
            format!("self >= {min} && self <= {max}"),
            format!(
                "'%d: must be from {min} to {max}{why}; use %d, or anything between'\
                 .format([self, self < {min} ? {min} : {max}])"
            ),
        )
    }

    /// The schema.
    pub(super) fn schema(self) -> JSONSchemaProps {
        self.0
    }
}
