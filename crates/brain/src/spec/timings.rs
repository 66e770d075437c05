//! Times of one's own, held against the inequalities of failover.md 2.5.

use super::SpecError;
use super::units::parse_duration_ms;
use super::words::{ProfileField, ProfileName, TimingsField};
use crate::time::Span;
use crate::timing::Timing;

const PATH: &str = "spec.failover.profile";
/// Tries of one renewal within W (r of failover.md 2.5).
const TRIES: u64 = 3;
/// Below these a loaded machine looks dead: a fork of the engine takes 20 ms, a slow fsync more.
const HEARTBEAT_MIN_MS: u64 = 50;
const MARGIN_MIN_MS: u64 = 100;
const STORE_MIN_MS: u64 = 100;
/// F5 counts whole seconds, and needs two of them before W.
const LEASE_MIN_MS: u64 = 3000;
const LEASE_MAX_MS: u64 = 300_000;

/// `min-replicas-max-lag` in seconds for a W.
pub(super) fn max_lag_s(timing: Timing) -> u32 {
    (timing.lease.as_millis() / 1000).saturating_sub(2).clamp(1, 3) as u32
}

pub(super) fn timing(profile: &ProfileField, errors: &mut Vec<SpecError>) -> Timing {
    match profile {
        ProfileField::Named(ProfileName::Fast) => Timing::FAST,
        ProfileField::Named(ProfileName::Default) => Timing::DEFAULT,
        ProfileField::Named(ProfileName::Patient) => Timing::PATIENT,
        ProfileField::Custom(fields) => custom(fields, errors).unwrap_or(Timing::DEFAULT),
    }
}

fn custom(fields: &TimingsField, errors: &mut Vec<SpecError>) -> Option<Timing> {
    let mut read = |name: &str, text: &str| {
        let ms = parse_duration_ms(text).filter(|ms| *ms > 0);
        if ms.is_none() {
            errors.push(SpecError::new(
                format!("{PATH}.{name}"),
                text,
                "is no duration",
                "write a number above 0 with ms, s, m or h, such as 500ms or 5s",
            ));
        }
        ms
    };
    let lease = read("lease", &fields.lease);
    let peer = read("peer", &fields.peer);
    let renew = read("renew", &fields.renew);
    let heartbeat = read("heartbeat", &fields.heartbeat);
    let margin = read("margin", &fields.margin);
    let (lease, peer, renew) = (lease?, peer?, renew?);
    let (heartbeat, margin) = (heartbeat?, margin?);
    let bounds = [
        ("lease", lease, LEASE_MIN_MS, LEASE_MAX_MS),
        ("peer", peer, 1, LEASE_MAX_MS),
        ("renew", renew, 1, LEASE_MAX_MS),
        ("heartbeat", heartbeat, HEARTBEAT_MIN_MS, LEASE_MAX_MS),
        ("margin", margin, MARGIN_MIN_MS, LEASE_MAX_MS),
    ];
    let before = errors.len();
    for (name, value, min, max) in bounds {
        if !(min..=max).contains(&value) {
            errors.push(SpecError::new(
                format!("{PATH}.{name}"),
                ms(value),
                format!("must be from {} to {}", ms(min), ms(max)),
                "or use profile fast, default or patient",
            ));
        }
    }
    if errors.len() > before {
        return None;
    }
    let timing = Timing::of(lease, peer, renew, heartbeat, margin);
    errors.extend(inequalities(timing));
    Some(timing)
}

/// Every inequality that does not hold, each with its numbers.
pub(super) fn inequalities(timing: Timing) -> Vec<SpecError> {
    let Timing { lease, peer, heartbeat, .. } = timing;
    let mut errors = Vec::new();
    if lease.as_millis() % 1000 != 0 {
        errors.push(wrong(
            "lease",
            lease,
            "a record counts whole seconds".to_owned(),
            format!("use {}", ms(lease.as_millis().div_ceil(1000) * 1000)),
        ));
    }
    if peer > lease {
        errors.push(wrong(
            "peer",
            peer,
            format!("must not be longer than lease ({} > {})", value_of(peer), value_of(lease)),
            format!("use at most {}", value_of(lease)),
        ));
        // The rest would only repeat it in other numbers.
        return errors;
    }
    let sixth = peer.scaled(1, 6);
    if heartbeat > sixth {
        errors.push(wrong(
            "heartbeat",
            heartbeat,
            format!(
                "must be at most a sixth of peer ({} > {} / 6 = {})",
                value_of(heartbeat),
                value_of(peer),
                value_of(sixth)
            ),
            format!("use at most {}, or a longer peer", value_of(sixth)),
        ));
    }
    errors.extend(tries(timing));
    errors
}

/// Whether a renewal and its repetitions fit into the times (failover.md 2.5, r = 3).
fn tries(timing: Timing) -> Option<SpecError> {
    let Timing { lease, peer, renew, heartbeat, margin } = timing;
    let need = heartbeat.as_millis() * 2 + TRIES * STORE_MIN_MS;
    let has = Timing::held(peer).less(margin).as_millis();
    if need > has {
        return Some(wrong(
            "peer",
            peer,
            format!(
                "too short for two heartbeats and {TRIES} tries at the store of \
                 {STORE_MIN_MS}ms each (2 × {} + {TRIES} × {STORE_MIN_MS}ms = {} > \
                 {} × 0.998 − {} = {})",
                value_of(heartbeat),
                ms(need),
                value_of(peer),
                value_of(margin),
                ms(has)
            ),
            "use a longer peer, or a shorter heartbeat or margin".to_owned(),
        ));
    }
    let store = timing.store_timeout();
    let need = Span(renew.0 + TRIES * store.0);
    let has = Timing::held(lease).less(margin);
    if need > has {
        let most = has.less(store.scaled(TRIES, 1));
        return Some(wrong(
            "renew",
            renew,
            format!(
                "{TRIES} tries of a renewal must fit into the lease \
                 ({} + {TRIES} × {} = {} > {} × 0.998 − {} = {})",
                value_of(renew),
                value_of(store),
                value_of(need),
                value_of(lease),
                value_of(margin),
                value_of(has)
            ),
            format!("use at most {}, or a longer lease", value_of(most)),
        ));
    }
    None
}

fn wrong(name: &str, value: Span, why: String, way_out: String) -> SpecError {
    SpecError::new(format!("{PATH}.{name}"), value_of(value), why, way_out)
}

fn value_of(span: Span) -> String {
    ms(span.as_millis())
}

fn ms(ms: u64) -> String {
    if ms > 0 && ms.is_multiple_of(1000) { format!("{}s", ms / 1000) } else { format!("{ms}ms") }
}
