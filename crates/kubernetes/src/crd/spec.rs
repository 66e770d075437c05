//! The schema of `spec`: what a group is, with the rules of `brain::spec` in CEL.

use serde_json::json;

use super::cel::{BYTES_END, DURATION, QUANTITY, bytes, matches};
use super::parts::{access, auth, pods, tls};
use super::schema::{
    Field, is_map_of, is_word, map, object, optional_word, text, untyped, whole, word,
};

/// Directives in one resource: more than any engine has.
const DIRECTIVES_MAX: i64 = 512;

/// The whole of `spec`.
pub(super) fn spec() -> Field {
    object("What is wanted. Every field has a default: `{}` is a group of three with a password.")
        .field("engine", engine())
        .field("topology", topology())
        .field("durability", durability())
        .field("failover", failover())
        .field("storage", storage())
        .field("config", config())
        .field("auth", auth())
        .field("tls", tls())
        .field("access", access())
        .field("pods", pods())
        .default(json!({}))
}

fn engine() -> Field {
    let version = matches("self.version", VERSION);
    object("Which engine: a version of a family, or an image that has one.")
        .field(
            "flavor",
            optional_word(&["redis", "valkey"], "The family. Default: what the place has."),
        )
        .field("version", text(32, "`\"8.1\"`: any 8.1.x. Default: what the place has.").optional())
        .field("image", text(1024, "A container image, in place of `version`.").optional())
        .optional()
        .rule(
            "!has(self.version) || !has(self.image)",
            "version and image: an image has its own version; keep one of the two",
        )
        .rule_shows(
            format!("!has(self.version) || {version}"),
            "'version: \"' + self.version + '\" is no version; write it in quotes, such as \
             \"8.1\" or \"7.0.15\"'",
        )
        .rule_shows(
            format!("!has(self.version) || !{version} || has(self.flavor)"),
            "'version: ' + self.version + ': redis and valkey number their versions apart; add \
             flavor: redis or flavor: valkey'",
        )
        .rule_shows(
            known_version(&version),
            "'version: ' + self.version + ': no ' + self.flavor + ' that interrex knows how to \
             keep safe; use ' + (self.flavor == 'redis' ? '6.2 to 8' : '7.2 to 9')",
        )
}

/// Numbers such as `8`, `8.1` or `7.0.15-rc1`, with nothing that overflows.
pub(super) const VERSION: &str = "^\\s*[+]?0*[0-9]{1,9}([.][+]?0*[0-9]{1,9}){0,2}(-.*)?\\s*$";

fn known_version(is_version: &str) -> String {
    // Major, and minor where there is one: `8-rc1` has none.
    let number = "self.version.trim().split('-')[0]";
    let major = format!("int({number}.split('.')[0])");
    let minor = format!("({number}.contains('.') ? int({number}.split('.')[1]) : 0)");
    let since = |flavor: &str, old: u32, from: u32, newest: u32| {
        format!(
            "self.flavor == '{flavor}' && {major} <= {newest} && ({major} > {old} || ({major} == \
             {old} && {minor} >= {from}))"
        )
    };
    format!(
        "!has(self.version) || !has(self.flavor) || !{is_version} || ({}) || ({})",
        since("redis", 6, 2, 8),
        since("valkey", 7, 2, 9)
    )
}

fn topology() -> Field {
    let replicas = whole("0 to 15; 0 is a primary alone, members are one more. Default: 2.")
        .within(0, 15, " (0 is a primary alone, members are one more)")
        .default(json!(2));
    let replication = object("One primary and its replicas.").field("replicas", replicas);
    object("Exactly one of the two. Default: one primary and two replicas.")
        .field("replication", replication.optional())
        .field("cluster", cluster().optional())
        // The scale subresource counts `replication.replicas`, and needs a number to be there.
        .default(json!({ "replication": { "replicas": 2 } }))
        .rule(
            "has(self.replication) || has(self.cluster)",
            "has neither replication nor cluster; name one of them, or leave topology out for one \
             primary and two replicas",
        )
        .rule(
            "!has(self.replication) || !has(self.cluster)",
            "replication and cluster: a group has exactly one topology; keep one of the two",
        )
}

fn cluster() -> Field {
    let why = " (an election among primaries needs three)";
    let each = "((has(self.replicas) ? self.replicas : 1) + 1)";
    // With more replicas than there may be, their own rule speaks.
    let counted = "!has(self.nodes) || (has(self.replicas) && (self.replicas < 0 || self.replicas \
                   > 15))";
    let bounded = format!("(self.nodes >= 3 * {each} && self.nodes <= 1000 * {each})");
    object("Many primaries: `shards`, or `nodes` for all members together.")
        .field("shards", whole("Primaries, 3 or more.").within(3, 1000, why))
        .field("nodes", whole("Members, in place of `shards`: a multiple of `replicas + 1`."))
        .field(
            "replicas",
            whole("Replicas of each primary. Default: 1.").within(0, 15, " for each shard"),
        )
        .rule(
            "has(self.shards) != has(self.nodes)",
            "wants exactly one of shards and nodes; write shards for the primaries, or nodes for \
             all members together",
        )
        .rule_says(
            format!("{counted} || {bounded}"),
            format!(
                "'nodes: %d: must be from %d to %d{why}; use %d, or anything between'.format([\
                 self.nodes, 3 * {each}, 1000 * {each}, self.nodes < 3 * {each} ? 3 * {each} : \
                 1000 * {each}])"
            ),
        )
        .rule_says(
            format!("{counted} || !{bounded} || self.nodes % {each} == 0"),
            format!(
                "'nodes: %d: must be a multiple of replicas + 1 (%d / %d leaves %d); use %d or \
                 %d'.format([self.nodes, self.nodes, {each}, self.nodes % {each}, self.nodes / \
                 {each} * {each}, (self.nodes / {each} + 1) * {each}])"
            ),
        )
}

/// A word or a map: its cross rules are the policy's.
fn durability() -> Field {
    let mode = ["cache", "balanced", "strict"];
    untyped(
        "What a write is worth: `cache` (availability first), `balanced` (the default: a write \
         that is waited for is on one replica), `strict` (copies or no write), or `{ mode: \
         strict, copies: 2 }` with the number of replicas that have a write before it counts.",
    )
    .field("mode", word(&mode, "`cache`, `balanced` or `strict`."))
    .field("copies", whole("Replicas that have a write before it counts. Default: 1."))
    .any_of([is_word(&mode), is_map_of(&["mode"]), is_map_of(&["mode", "copies"])])
    .optional()
}

fn failover() -> Field {
    let span = format!(
        "{} && duration(self) >= duration('1s') && duration(self) <= duration('24h')",
        matches("self", DURATION)
    );
    object("How fast and by what a failure is answered.")
        .field("profile", profile())
        .field(
            "fencing",
            word(
                &["auto", "process", "gate", "kernel"],
                "What keeps a thawed engine from acknowledging: `process` (the agent beside it), \
                 `gate` (a module inside the engine), `kernel` (a rule of the kernel), `auto` \
                 (the default: the gate where the engine can load it, else the process).",
            ),
        )
        .field(
            "failsafe",
            optional_word(
                &["majority", "all"],
                "Whose acknowledgements hold authority: a majority's, or everybody's, and then a \
                 single one may take over. Default: `all` with durability `cache`, else \
                 `majority`.",
            ),
        )
        .field(
            "recoveryTimeout",
            text(64, "How long a recovery election waits for everybody. Default: `60s`.")
                .rule_shows(
                    span,
                    "'\"' + self + '\": must be a duration from 1s to 24h; write a number with \
                     ms, s, m or h, such as 60s'",
                ),
        )
        .field(
            "budget",
            whole("Takeovers an hour at the most. Default: 30.").within(
                1,
                1000,
                " takeovers an hour",
            ),
        )
        .field(
            "routing",
            word(
                &["slice", "labels"],
                "How clients are led to the primary: its agent writes the EndpointSlice \
                 (`slice`, the default), or a label that a selector finds (`labels`).",
            ),
        )
        .optional()
}

/// A word or a map: its arithmetic is the policy's.
fn profile() -> Field {
    let time = |what: &str| text(64, what);
    untyped(
        "How long a silence is a failure: `fast` (3 s), `default` (5 s), `patient` (15 s), or \
         times of one's own: `{ lease: 4s, peer: 4s, renew: 500ms, heartbeat: 500ms, margin: \
         500ms }`.",
    )
    .field("lease", time("How long a challenger waits: 3 s to 300 s, whole seconds."))
    .field("peer", time("How long a peer's acknowledgement counts: at most `lease`."))
    .field("renew", time("Between two renewals."))
    .field("heartbeat", time("Between two heartbeats: from 50 ms, at most a sixth of `peer`."))
    .field("margin", time("How long before the deadline the engine is stopped: from 100 ms."))
    .any_of([
        is_word(&["fast", "default", "patient"]),
        is_map_of(&["lease", "peer", "renew", "heartbeat", "margin"]),
    ])
    .optional()
}

fn storage() -> Field {
    let size = format!(
        "{} && {size} >= 16777216.0 && {size} < {BYTES_END}",
        matches("self", QUANTITY),
        size = bytes("self")
    );
    object("Where data are kept. Default: in memory only.")
        .required(
            "size",
            text(32, "Of each member's volume: `10Gi`.").rule_shows(
                size,
                "'\"' + self + '\": must be a size of at least 16Mi; write a number with Mi, Gi \
                 or Ti, such as 10Gi; leave storage out for memory only'",
            ),
        )
        .field("className", text(253, "Storage class. Default: the cluster's.").optional())
        .field(
            "onDelete",
            word(
                &["keep", "delete"],
                "What happens to the volumes when the resource is deleted. Default: `keep`.",
            ),
        )
        .optional()
}

/// Names and values are the policy's: they take text, numbers, and what YAML makes of yes and no.
fn config() -> Field {
    map(
        DIRECTIVES_MAX,
        untyped("Text, a whole number, yes or no.").scalar(),
        "Directives of the engine, each checked by name and value.",
    )
}
