//! The schema of what surrounds a group: users, certificates, addresses, pods.

use super::cel::{BYTES_END, QUANTITY, bytes, matches};
use super::schema::{Field, flag, list, map, object, text, whole, word};

/// Users in one resource.
const USERS_MAX: i64 = 64;
/// Of a name that Kubernetes has.
const NAME: i64 = 253;

/// `spec.auth`.
pub(super) fn auth() -> Field {
    object("Passwords and users. Default: one generated password.")
        .field(
            "secretName",
            text(NAME, "Secret with the password of user `default`. Default: one is generated.")
                .optional(),
        )
        .field("users", list(USERS_MAX, user(), "More users.").keyed_by("name"))
        .optional()
}

fn user() -> Field {
    let name = format!(
        "self.name != '' && self.name != 'default' && self.name != '{}' && {}",
        engine::config::AGENT_USER,
        matches("self.name", "^[^~\\s\\p{Z}][^\\s\\p{Z}]*$")
    );
    // On the user and not on the field: the API shows the value of a field that fails.
    let rules = format!(
        "!{} && !{}",
        matches("self.rules", "(^|[\\s\\p{Z}])([><#!]|(?i:nopass)([\\s\\p{Z}]|$))"),
        matches("self.rules", "\\p{Cc}")
    );
    object("One user.")
        .required("name", text(128, "Its name."))
        .required("rules", text(4096, "ACL rules without passwords: `~cart:* +@read`."))
        .required("secretName", text(NAME, "Secret with its password."))
        .rule_shows(
            name,
            "'name: \"' + self.name + '\": must be a name without blanks, other than default and \
             interrex; the password of default is in auth.secretName'",
        )
        .rule(
            rules,
            "rules: (not shown): rules name keys, channels and commands, no passwords; put the \
             password into the secret that secretName names",
        )
}

/// `spec.tls`.
pub(super) fn tls() -> Field {
    let issuer = object("cert-manager's issuer.")
        .required("name", text(NAME, "The issuer's name."))
        .field("kind", text(63, "`Issuer` or `ClusterIssuer`. Default: `Issuer`.").optional())
        .field("group", text(NAME, "Default: `cert-manager.io`.").optional());
    let secret = text(NAME, "Secret with `tls.crt`, `tls.key` and `ca.crt`.");
    object("Encrypted connections: exactly one of the two. Default: none.")
        .field("secretName", secret.optional())
        .field("issuerRef", issuer.optional())
        .optional()
        .rule(
            "has(self.secretName) != has(self.issuerRef)",
            "wants exactly one of secretName and issuerRef; name a secret with a certificate, or \
             the issuer that makes one",
        )
}

/// `spec.access`.
pub(super) fn access() -> Field {
    let master_name = matches("self", "^[^\\s\\p{Z}]+$");
    let sentinel = object("An endpoint that speaks like a Sentinel.")
        .field("port", whole("Default: 26379.").within(1, 65_535, ", a TCP port"))
        .field(
            "masterName",
            text(128, "The name that clients ask for. Default: `mymaster`.").rule_shows(
                master_name,
                "'\"' + self + '\": is no name; use a word such as mymaster'",
            ),
        );
    let kinds = word(&["LoadBalancer", "NodePort"], "`LoadBalancer` or `NodePort`.");
    let external = object("An address outside of the cluster.")
        .required("type", kinds)
        .field("annotations", annotations("Annotations of the service."));
    object("By which addresses clients reach the group.")
        .field("primary", flag("An address that leads to the primary. Default: yes."))
        .field("replicas", flag("An address that leads to fresh replicas. Default: yes."))
        .field("sentinel", sentinel.optional())
        .field("external", external.optional())
        .optional()
}

fn annotations(description: &str) -> Field {
    map(64, text(65_536, "Its value."), description)
}

fn labels(description: &str) -> Field {
    map(64, text(63, "Its value."), description)
}

/// `spec.pods`.
pub(super) fn pods() -> Field {
    let resources = object("Requests and limits of the engine's container.")
        .field("requests", quantities("What is kept free for a member."))
        .field("limits", quantities("What it may use at the most; `maxmemory` follows `memory`."));
    let spread = word(&["host", "zone"], "Hosts or zones.");
    object("What the pods are like.")
        .field("resources", resources.optional())
        .field(
            "antiAffinity",
            word(
                &["required", "preferred", "none"],
                "Whether members may share a host. Default: `preferred`.",
            ),
        )
        .field("spreadBy", list(8, spread, "Over what members are spread. Default: host and zone."))
        .field("nodeSelector", labels("Labels that a host must have."))
        .field("tolerations", list(64, toleration(), "Taints that members tolerate."))
        .field("labels", labels("More labels."))
        .field("annotations", annotations("More annotations."))
        .field("priorityClassName", text(NAME, "Priority class.").optional())
        .optional()
}

/// A number of cores as Rust reads it, above 0.
const CORES: &str = "^[+]?([0-9]*[1-9][0-9]*([.][0-9]*)?|[0-9]*[.][0-9]*[1-9][0-9]*)\
                     ([eE][+-]?[0-9]{1,2})?m?$";

fn quantities(description: &str) -> Field {
    let way_out = "write such as 500m or 2 for cpu, 512Mi or 4Gi for memory";
    let cores = |value: &str| matches(value, CORES);
    let size =
        |value: &str| format!("({} && {} < {BYTES_END})", matches(value, QUANTITY), bytes(value));
    // The value's own rule names the key, and does not know it.
    let value = text(64, "Such as 500m or 2 for cpu, 512Mi or 4Gi for memory.").rule_shows(
        format!("{} || {}", cores("self"), size("self")),
        &format!("'\"' + self + '\": is no quantity; {way_out}'"),
    );
    map(32, value, description)
        .rule(
            format!("!('cpu' in self) || {}", cores("self['cpu']")),
            &format!("cpu: is no quantity; {way_out}"),
        )
        .rule(
            format!("self.all(name, name == 'cpu' || {})", size("self[name]")),
            &format!("is no quantity: only cpu is counted in cores; {way_out}"),
        )
}

fn toleration() -> Field {
    object("One taint, as Kubernetes has it.")
        .field("key", text(317, "The taint's key; empty for all.").optional())
        .field("operator", text(16, "`Exists` or `Equal`.").optional())
        .field("value", text(63, "The taint's value.").optional())
        .field("effect", text(32, "`NoSchedule`, `PreferNoSchedule` or `NoExecute`.").optional())
        .field("tolerationSeconds", whole("How long it is tolerated.").optional())
}
