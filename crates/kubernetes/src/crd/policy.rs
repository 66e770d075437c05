//! The policy beside the definition: the rules on fields that no schema sees into, because they
//! take a word or a map, or text, numbers and booleans alike. No webhook: the API judges by itself.

use k8s_openapi::api::admissionregistration::v1::{
    MatchCondition, MatchResources, NamedRuleWithOperations, ValidatingAdmissionPolicy,
    ValidatingAdmissionPolicyBinding, ValidatingAdmissionPolicyBindingSpec,
    ValidatingAdmissionPolicySpec, Validation, Variable,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::cel::on_one_line;
use super::{GROUP, PLURAL, VERSION, directives, times};

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
    for (more, rules) in [durability(), times::rules(), directives::rules()] {
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
