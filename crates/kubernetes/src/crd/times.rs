//! The rules on times of one's own (failover.md 2.5): the brain's arithmetic, in CEL.

use super::cel::{DURATION, matches};
use super::policy::{Rules, validation, variable};

/// The five times, with their least in milliseconds; the most is [`TIME_MAX_MS`].
const TIMES: [(&str, u64); 5] =
    [("lease", 3000), ("peer", 1), ("renew", 1), ("heartbeat", 50), ("margin", 100)];
const TIME_MAX_MS: u64 = 300_000;

/// Milliseconds as a person writes them.
fn shown(ms: &str) -> String {
    format!("({ms} > 0 && {ms} % 1000 == 0 ? string({ms} / 1000) + 's' : string({ms}) + 'ms')")
}

fn shown_ms(ms: u64) -> String {
    if ms.is_multiple_of(1000) { format!("{}s", ms / 1000) } else { format!("{ms}ms") }
}

/// failover.md 2.5: times of one's own against the arithmetic, in nanoseconds as the brain counts.
pub(super) fn rules() -> Rules {
    let field = "variables.profile";
    let mut variables = vec![
        variable(
            "profile",
            "has(variables.failover.profile) && variables.failover.profile != null ? \
             variables.failover.profile : dyn('default')",
        ),
        variable("custom", &format!("type({field}) != string")),
    ];
    let mut validations = Vec::new();
    for (name, min) in TIMES {
        let text = format!("{field}.{name}");
        let ms = format!("variables.{name}");
        // 0 is also what cannot be read; what is longer than any bound is only known to be so.
        variables.push(variable(
            name,
            &format!(
                "!variables.custom ? 0 : {} ? duration({text}).getMilliseconds() : {} ? {} : 0",
                matches(&text, DURATION),
                matches(&text, "^([0-9]{1,15}(ms|s|m|h)){1,8}$"),
                TIME_MAX_MS + 1
            ),
        ));
        validations.push(validation(
            format!("!variables.custom || {ms} > 0"),
            format!(
                "'spec.failover.profile.{name}: ' + {text} + ': is no duration; write a number \
                 above 0 with ms, s, m or h, such as 500ms or 5s'"
            ),
        ));
        validations.push(validation(
            format!("!variables.custom || {ms} == 0 || ({ms} >= {min} && {ms} <= {TIME_MAX_MS})"),
            format!(
                "'spec.failover.profile.{name}: ' + {text} + ': must be from {} to {}; or use \
                 profile fast, default or patient'",
                shown_ms(min),
                shown_ms(TIME_MAX_MS)
            ),
        ));
    }
    let bounded: Vec<String> = TIMES
        .iter()
        .map(|(name, min)| {
            format!("variables.{name} >= {min} && variables.{name} <= {TIME_MAX_MS}")
        })
        .collect();
    variables.push(variable("bounded", &format!("variables.custom && {}", bounded.join(" && "))));
    let (more, rules) = inequalities();
    variables.extend(more);
    validations.extend(rules);
    (variables, validations)
}

/// A text in which `{name}` stands for the milliseconds of a variable.
fn told(name: &str, text: &str) -> String {
    let mut message = format!("'spec.failover.profile.{name}: ");
    for (n, piece) in text.split(['{', '}']).enumerate() {
        if n % 2 == 0 {
            message.push_str(piece);
        } else {
            message.push_str("' + ");
            message.push_str(&shown(&format!("variables.{piece}")));
            message.push_str(" + '");
        }
    }
    message.push('\'');
    message
}

/// Every inequality with its numbers. `…Ns` are nanoseconds, as the brain counts; what is shown is
/// in milliseconds.
fn inequalities() -> Rules {
    let positive = |span: &str| format!("({span}) < 0 ? 0 : ({span})");
    let held =
        |name: &str| positive(&format!("variables.{name} * 998000 - variables.margin * 1000000"));
    let left = positive("variables.roomNs - variables.heartbeat * 2000000");
    let most = positive("variables.spanNs - 3 * variables.storeNs");
    let variables = vec![
        variable("ordered", "variables.bounded && variables.peer <= variables.lease"),
        variable("wholeLease", "(variables.lease / 1000 + 1) * 1000"),
        variable("sixth", "variables.peer * 1000000 / 6 / 1000000"),
        variable("roomNs", &held("peer")),
        variable("room", "variables.roomNs / 1000000"),
        variable("need", "variables.heartbeat * 2 + 300"),
        variable("storeNs", &format!("({left}) / 3")),
        variable("store", "variables.storeNs / 1000000"),
        variable("spanNs", &held("lease")),
        variable("span", "variables.spanNs / 1000000"),
        variable("renewalNs", "variables.renew * 1000000 + 3 * variables.storeNs"),
        variable("renewal", "variables.renewalNs / 1000000"),
        variable("most", &format!("({most}) / 1000000")),
    ];
    let validations = vec![
        validation(
            "!variables.bounded || variables.lease % 1000 == 0",
            told("lease", "{lease}: a record counts whole seconds; use {wholeLease}"),
        ),
        validation(
            "!variables.bounded || variables.ordered",
            told(
                "peer",
                "{peer}: must not be longer than lease ({peer} > {lease}); use at most {lease}",
            ),
        ),
        validation(
            "!variables.ordered || variables.heartbeat * 1000000 <= variables.peer * 1000000 / 6",
            told(
                "heartbeat",
                "{heartbeat}: must be at most a sixth of peer ({heartbeat} > {peer} / 6 = \
                 {sixth}); use at most {sixth}, or a longer peer",
            ),
        ),
        validation(
            "!variables.ordered || variables.need <= variables.room",
            told(
                "peer",
                "{peer}: too short for two heartbeats and 3 tries at the store of 100ms each (2 × \
                 {heartbeat} + 3 × 100ms = {need} > {peer} × 0.998 − {margin} = {room}); use a \
                 longer peer, or a shorter heartbeat or margin",
            ),
        ),
        validation(
            "!variables.ordered || variables.need > variables.room || variables.renewalNs <= \
             variables.spanNs",
            told(
                "renew",
                "{renew}: 3 tries of a renewal must fit into the lease ({renew} + 3 × {store} = \
                 {renewal} > {lease} × 0.998 − {margin} = {span}); use at most {most}, or a \
                 longer lease",
            ),
        ),
    ];
    (variables, validations)
}
