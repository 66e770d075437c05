//! The policy beside the definition: the rules on fields that no schema sees into, because they
//! take a word or a map, or text, numbers and booleans alike. No webhook: the API judges by itself.

use k8s_openapi::api::admissionregistration::v1::{
    MatchCondition, MatchResources, NamedRuleWithOperations, ValidatingAdmissionPolicy,
    ValidatingAdmissionPolicyBinding, ValidatingAdmissionPolicyBindingSpec,
    ValidatingAdmissionPolicySpec, Validation, Variable,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::cel::{DURATION, matches, on_one_line};
use super::{GROUP, PLURAL, VERSION, directives};

/// The name of the policy and of its binding.
pub const POLICY_NAME: &str = "redises.interrex.io";

/// The rules on `durability`, `failover.profile` and `config`. A change that leaves the spec alone
/// is not judged: labels and finalizers stay within reach whatever is stored.
pub fn policy() -> ValidatingAdmissionPolicy {
    let mut variables = vec![
        variable("spec", "dyn(object.spec)"),
        variable("failover", &part("failover")),
        variable("engine", &part("engine")),
        variable("topology", &part("topology")),
        variable("config", &part("config")),
    ];
    let mut validations = Vec::new();
    for (more, rules) in [durability(), profile(), directives::rules()] {
        variables.extend(more);
        validations.extend(rules);
    }
    ValidatingAdmissionPolicy {
        metadata: ObjectMeta { name: Some(POLICY_NAME.to_owned()), ..ObjectMeta::default() },
        spec: Some(ValidatingAdmissionPolicySpec {
            failure_policy: Some("Fail".to_owned()),
            match_constraints: Some(MatchResources {
                resource_rules: Some(vec![NamedRuleWithOperations {
                    api_groups: Some(vec![GROUP.to_owned()]),
                    api_versions: Some(vec![VERSION.to_owned()]),
                    operations: Some(vec!["CREATE".to_owned(), "UPDATE".to_owned()]),
                    resources: Some(vec![PLURAL.to_owned()]),
                    ..NamedRuleWithOperations::default()
                }]),
                ..MatchResources::default()
            }),
            match_conditions: Some(vec![MatchCondition {
                name: "the-spec-changes".to_owned(),
                expression: "oldObject == null || object.spec != oldObject.spec".to_owned(),
            }]),
            variables: Some(variables),
            validations: Some(validations),
            ..ValidatingAdmissionPolicySpec::default()
        }),
        status: None,
    }
}

/// What puts the policy into effect, everywhere.
pub fn policy_binding() -> ValidatingAdmissionPolicyBinding {
    ValidatingAdmissionPolicyBinding {
        metadata: ObjectMeta { name: Some(POLICY_NAME.to_owned()), ..ObjectMeta::default() },
        spec: Some(ValidatingAdmissionPolicyBindingSpec {
            policy_name: Some(POLICY_NAME.to_owned()),
            validation_actions: Some(vec!["Deny".to_owned()]),
            ..ValidatingAdmissionPolicyBindingSpec::default()
        }),
    }
}

/// The variables that rules need, and the rules.
pub(super) type Rules = (Vec<Variable>, Vec<Validation>);

pub(super) fn variable(name: &str, expression: &str) -> Variable {
    Variable { name: name.to_owned(), expression: expression.to_owned() }
}

/// A rule, and the text of its failure as CEL makes it: with path, value, reason and way out.
pub(super) fn validation(rule: impl Into<String>, message: impl AsRef<str>) -> Validation {
    Validation {
        expression: rule.into(),
        message_expression: Some(on_one_line(message.as_ref())),
        reason: Some("Invalid".to_owned()),
        ..Validation::default()
    }
}

/// A map of the spec, empty where nothing is written.
fn part(name: &str) -> String {
    format!(
        "has(variables.spec.{name}) && variables.spec.{name} != null ? variables.spec.{name} : dyn({{}})"
    )
}

/// failover.md 2.8: the copies of a mode, and what they need of the topology and the fence.
fn durability() -> Rules {
    let field = "variables.durability";
    let variables = vec![
        variable("durability", &part("durability").replace("dyn({})", "dyn('balanced')")),
        variable("mode", &format!("type({field}) == string ? {field} : {field}.mode")),
        // A word has the copies of its mode.
        variable(
            "copies",
            &format!(
                "type({field}) != string && has({field}.copies) ? int({field}.copies) : \
                 variables.mode == 'cache' ? 0 : 1"
            ),
        ),
        variable(
            "replicas",
            "has(variables.topology.cluster) && variables.topology.cluster != null ? \
             (has(variables.topology.cluster.replicas) ? int(variables.topology.cluster.replicas) \
             : 1) : has(variables.topology.replication) && variables.topology.replication != null \
             && has(variables.topology.replication.replicas) ? \
             int(variables.topology.replication.replicas) : 2",
        ),
    ];
    let strict = "variables.mode == 'strict'";
    let validations = vec![
        validation(
            "variables.mode == 'strict' || variables.copies == (variables.mode == 'cache' ? 0 : \
             1)",
            "'spec.durability.copies: ' + string(variables.copies) + ': mode ' + variables.mode + \
             ' has ' + (variables.mode == 'cache' ? '0' : '1') + ' by its meaning; leave copies \
             out, or use mode strict'",
        ),
        validation(
            format!("!({strict}) || variables.replicas != 0"),
            "'spec.durability: strict: there is no replica to hold a second copy (replicas is 0); \
             use at least 1 replica, or durability balanced'",
        ),
        validation(
            format!(
                "!({strict}) || variables.replicas == 0 || (variables.copies >= 1 && \
                 variables.copies <= variables.replicas)"
            ),
            "'spec.durability.copies: ' + string(variables.copies) + ': copies are replicas that \
             have a write, and there are ' + string(variables.replicas) + ': no write could ever \
             count (' + string(variables.copies) + ' of ' + string(variables.replicas) + '); use \
             1 to ' + string(variables.replicas) + ', or at least ' + string(variables.copies < 1 \
             ? 1 : variables.copies) + ' replicas'",
        ),
        validation(
            format!(
                "!({strict}) || !has(variables.failover.fencing) || variables.failover.fencing != \
                 'process'"
            ),
            "'spec.failover.fencing: process: durability strict promises no late acknowledgement, \
             and only a gate keeps that; use fencing gate, or durability balanced'",
        ),
    ];
    (variables, validations)
}

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
fn profile() -> Rules {
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

fn inequalities() -> Rules {
    let ordered = "variables.bounded && variables.peer <= variables.lease";
    let held = |name: &str| format!("variables.{name} * 998000");
    let positive = |span: &str| format!("(({span}) < 0 ? 0 : ({span}))");
    let room = positive(&format!("{} - variables.margin * 1000000", held("peer")));
    let store = format!("{} / 3", positive("variables.room - variables.heartbeat * 2000000"));
    let variables = vec![
        variable("room", &room),
        variable("need", "variables.heartbeat * 2 + 300"),
        variable("store", &store),
        variable("span", &positive(&format!("{} - variables.margin * 1000000", held("lease")))),
    ];
    let sixth = "(variables.peer * 1000000 / 6 / 1000000)";
    let validations = vec![
        validation(
            "!variables.bounded || variables.lease % 1000 == 0",
            wrong(
                "lease",
                "': a record counts whole seconds; use ' + string(variables.lease / 1000 + 1) + \
                 's'",
            ),
        ),
        validation(
            "!variables.bounded || variables.peer <= variables.lease",
            wrong(
                "peer",
                &format!(
                    "': must not be longer than lease (' + {} + ' > ' + {lease} + '); use at most ' + {lease}",
                    shown("variables.peer"),
                    lease = shown("variables.lease")
                ),
            ),
        ),
        validation(
            format!(
                "!({ordered}) || variables.heartbeat * 1000000 <= variables.peer * 1000000 / 6"
            ),
            wrong(
                "heartbeat",
                &format!(
                    "': must be at most a sixth of peer (' + {} + ' > ' + {} + ' / 6 = ' + {sixth} + '); use at most ' + {sixth} + ', or a longer peer'",
                    shown("variables.heartbeat"),
                    shown("variables.peer"),
                    sixth = shown(sixth)
                ),
            ),
        ),
    ];
    (variables, [validations, tries(ordered, &positive)].concat())
}

/// Room for three tries at the store, within the peers' time and within the lease.
fn tries(ordered: &str, positive: &dyn Fn(&str) -> String) -> Vec<Validation> {
    vec![
        validation(
            format!("!({ordered}) || variables.need <= variables.room / 1000000"),
            wrong(
                "peer",
                &format!(
                    "': too short for two heartbeats and 3 tries at the store of 100ms each (2 × ' + {} + ' + 3 × 100ms = ' + {} + ' > ' + {} + ' × 0.998 − ' + {} + ' = ' + {} + '); use a longer peer, or a shorter heartbeat or margin'",
                    shown("variables.heartbeat"),
                    shown("variables.need"),
                    shown("variables.peer"),
                    shown("variables.margin"),
                    shown("variables.room / 1000000")
                ),
            ),
        ),
        validation(
            format!(
                "!({ordered}) || variables.need > variables.room / 1000000 || variables.renew * 1000000 + 3 * variables.store <= variables.span"
            ),
            wrong(
                "renew",
                &format!(
                    "': 3 tries of a renewal must fit into the lease (' + {} + ' + 3 × ' + {} + ' = ' + {} + ' > ' + {} + ' × 0.998 − ' + {} + ' = ' + {} + '); use at most ' + {} + ', or a longer lease'",
                    shown("variables.renew"),
                    shown("(variables.store / 1000000)"),
                    shown("((variables.renew * 1000000 + 3 * variables.store) / 1000000)"),
                    shown("variables.lease"),
                    shown("variables.margin"),
                    shown("(variables.span / 1000000)"),
                    shown(&format!(
                        "({} / 1000000)",
                        positive("variables.span - 3 * variables.store")
                    ))
                ),
            ),
        ),
    ]
}

/// What is wrong with one of the five times.
fn wrong(name: &str, rest: &str) -> String {
    let value = shown(&format!("variables.{name}"));
    format!("'spec.failover.profile.{name}: ' + {value} + {rest}")
}
