//! The words of the spec, and the fields that take a word or a map.

use std::fmt;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

/// `spec.durability`'s mode.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DurabilityMode {
    /// Availability first.
    Cache,
    /// k = 1 for clients that WAIT.
    #[default]
    Balanced,
    /// k copies or no write.
    Strict,
}

/// `spec.durability`: a mode, or a mode with its number of copies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum DurabilityField {
    /// `strict`.
    Mode(DurabilityMode),
    /// `{ mode: strict, copies: 2 }`.
    #[serde(rename_all = "camelCase")]
    Copies {
        /// The mode.
        mode: DurabilityMode,
        /// k: replicas that have a write before it counts.
        copies: i64,
    },
}

impl Default for DurabilityField {
    fn default() -> Self {
        Self::Mode(DurabilityMode::default())
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ModeAndCopies {
    mode: DurabilityMode,
    #[serde(default, deserialize_with = "super::read::copies")]
    copies: Option<i64>,
}

impl<'de> Deserialize<'de> for DurabilityField {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Field;
        impl<'de> Visitor<'de> for Field {
            type Value = DurabilityField;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("cache, balanced, strict, or a map of mode and copies")
            }

            fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
                Ok(DurabilityField::default())
            }

            fn visit_str<E: Error>(self, word: &str) -> Result<Self::Value, E> {
                Ok(DurabilityField::Mode(match word {
                    "cache" => DurabilityMode::Cache,
                    "balanced" => DurabilityMode::Balanced,
                    "strict" => DurabilityMode::Strict,
                    _ => return Err(E::unknown_variant(word, &["cache", "balanced", "strict"])),
                }))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
                let both = ModeAndCopies::deserialize(MapAccessDeserializer::new(map))?;
                Ok(match both.copies {
                    None => DurabilityField::Mode(both.mode),
                    Some(copies) => DurabilityField::Copies { mode: both.mode, copies },
                })
            }
        }
        from.deserialize_any(Field)
    }
}

/// The named profiles (failover.md 2.5).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ProfileName {
    /// 3 s: good API, few groups.
    Fast,
    /// 5 s.
    #[default]
    Default,
    /// 15 s: slow API, many groups.
    Patient,
}

/// Times of one's own, each a duration such as `500ms`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TimingsField {
    /// W: how long a challenger waits; whole seconds.
    pub lease: String,
    /// T_p: how long a peer's ack counts.
    pub peer: String,
    /// R: between two renewals.
    pub renew: String,
    /// H: between two heartbeats.
    pub heartbeat: String,
    /// δ: before the deadline the engine is stopped by this much.
    pub margin: String,
}

/// `spec.failover.profile`: a name, or the five times.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum ProfileField {
    /// `fast`, `default` or `patient`.
    Named(ProfileName),
    /// `{ lease: 4s, peer: 4s, renew: 500ms, heartbeat: 500ms, margin: 500ms }`.
    Custom(TimingsField),
}

impl Default for ProfileField {
    fn default() -> Self {
        Self::Named(ProfileName::default())
    }
}

impl ProfileField {
    /// The profile's name, `custom` for times of one's own.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Named(ProfileName::Fast) => "fast",
            Self::Named(ProfileName::Default) => "default",
            Self::Named(ProfileName::Patient) => "patient",
            Self::Custom(_) => "custom",
        }
    }
}

impl<'de> Deserialize<'de> for ProfileField {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Field;
        impl<'de> Visitor<'de> for Field {
            type Value = ProfileField;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(
                    "fast, default, patient, or a map of lease, peer, renew, heartbeat and margin",
                )
            }

            fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
                Ok(ProfileField::default())
            }

            fn visit_str<E: Error>(self, word: &str) -> Result<Self::Value, E> {
                Ok(ProfileField::Named(match word {
                    "fast" => ProfileName::Fast,
                    "default" => ProfileName::Default,
                    "patient" => ProfileName::Patient,
                    _ => return Err(E::unknown_variant(word, &["fast", "default", "patient"])),
                }))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
                TimingsField::deserialize(MapAccessDeserializer::new(map)).map(ProfileField::Custom)
            }
        }
        from.deserialize_any(Field)
    }
}

/// `spec.failover.fencing`: what keeps a thawed engine from acknowledging (failover.md 2.7).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Fencing {
    /// The gate where the engine can load it, else the process; durability `strict` asks for the
    /// gate.
    #[default]
    Auto,
    /// The agent beside it: blind to what an engine does in the moment of its thaw.
    Process,
    /// A module inside the engine: no late acknowledgement. An engine that cannot load it is not
    /// run.
    Gate,
    /// A rule of the kernel, for engines that take no module.
    Kernel,
}

/// `spec.failover.failsafe`: whose acks hold authority (failover.md 2.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FailsafeWord {
    /// A majority's.
    Majority,
    /// Everybody's; then a single one may take over.
    All,
}

/// `spec.failover.routing`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Routing {
    /// The primary's agent writes the EndpointSlice.
    #[default]
    Slice,
    /// A selector and a label, where slices may not be written.
    Labels,
}

/// `spec.storage.onDelete`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnDelete {
    /// Volumes outlive the resource.
    #[default]
    Keep,
    /// They go with it.
    Delete,
}

/// `spec.pods.antiAffinity`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AntiAffinity {
    /// Two members never share a host.
    Required,
    /// Only where there is no other.
    #[default]
    Preferred,
    /// Does not matter.
    None,
}

/// `spec.pods.spreadBy`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SpreadBy {
    /// Hosts.
    Host,
    /// Zones.
    Zone,
}

/// The value of one directive: text, a number, or yes and no as YAML has them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct ConfigValue(pub String);

impl<'de> Deserialize<'de> for ConfigValue {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Value;
        impl Visitor<'_> for Value {
            type Value = ConfigValue;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a directive's value: text, a whole number, yes or no")
            }

            fn visit_str<E: Error>(self, value: &str) -> Result<Self::Value, E> {
                Ok(ConfigValue(value.to_owned()))
            }

            fn visit_bool<E: Error>(self, value: bool) -> Result<Self::Value, E> {
                Ok(ConfigValue(if value { "yes" } else { "no" }.to_owned()))
            }

            fn visit_i64<E: Error>(self, value: i64) -> Result<Self::Value, E> {
                Ok(ConfigValue(value.to_string()))
            }

            fn visit_u64<E: Error>(self, value: u64) -> Result<Self::Value, E> {
                Ok(ConfigValue(value.to_string()))
            }
        }
        from.deserialize_any(Value)
    }
}
