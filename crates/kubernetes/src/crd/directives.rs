//! The rules on `spec.config`, made from the engine's own table of directives: names, values, and
//! the versions that have them.

use std::collections::{BTreeMap, BTreeSet};

use engine::directive::{self, Applied, Directive, EVENT_FLAGS, Kind, MODULE_PREFIXES};
use engine::{Flavor, Version};
use k8s_openapi::api::admissionregistration::v1::{Validation, Variable};

use super::cel::{BYTES_END, list_of, matches, quoted};
use super::policy::{Rules, validation, variable};
use super::spec::VERSION;

/// Valkey's versions are counted from here on, one number for family, major and minor.
const VALKEY: u64 = 1_000_000_000_000_000;
/// Past every version.
const END: u64 = 2 * VALKEY;

/// The engines that are meant where no exact one is asked for, as the brain has them.
const REDIS: [(u32, u32); 3] = [(7, 0), (6, 2), (8, 10)];
const VALKEYS: [(u32, u32); 3] = [(8, 1), (7, 2), (9, 1)];

fn number(flavor: Flavor, major: u32, minor: u32) -> u64 {
    let base = if flavor == Flavor::Redis { 0 } else { VALKEY };
    base + u64::from(major) * 1_000_000 + u64::from(minor)
}

/// From (inclusive) until (exclusive), as [`number`] counts.
type Ranges = BTreeSet<(u64, u64)>;

fn ranges(row: &Directive, name: &str) -> Ranges {
    let of = |flavor| {
        let (from, until) = row.versions(name, flavor)?;
        let end = if flavor == Flavor::Redis { VALKEY } else { END };
        let until = until.map_or(end, |v: Version| number(flavor, v.major, v.minor));
        Some((number(flavor, from.major, from.minor), until))
    };
    [of(Flavor::Redis), of(Flavor::Valkey)].into_iter().flatten().collect()
}

/// Every name, its rows, and where each row is meant.
fn by_name() -> BTreeMap<&'static str, Vec<(&'static Directive, Ranges)>> {
    let mut names: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for row in directive::all() {
        for name in [Some(row.name), row.alias].into_iter().flatten() {
            names.entry(name).or_default().push((row, ranges(row, name)));
        }
    }
    names
}

/// Names that have the same in common.
fn grouped<K: Ord>(
    names: impl Iterator<Item = (&'static str, K)>,
) -> BTreeMap<K, Vec<&'static str>> {
    let mut groups: BTreeMap<K, Vec<_>> = BTreeMap::new();
    for (name, key) in names {
        groups.entry(key).or_default().push(name);
    }
    groups
}

/// The rules on names and values.
pub(super) fn rules() -> Rules {
    let names = by_name();
    let mut validations = vec![
        refused(
            "x.key in variables.known || x.module",
            "no engine has this directive; leave it out, or look for its name in the engine\\'s \
             own redis.conf or valkey.conf",
        ),
        refused(
            "!(x.key in variables.known) || variables.known[x.key].exists(r, \
             variables.engines.exists(e, r[0] <= e && e < r[1]))",
            "the engine that is asked for does not have this directive; leave it out, or ask for \
             an engine that has it",
        ),
    ];
    // Before anything that shows a value: these may be passwords.
    validations.extend(reserved(&names));
    validations.push(refused(
        "type(x.raw) == string || type(x.raw) == int || type(x.raw) == bool",
        "is no value for a directive; use text, a whole number, yes or no",
    ));
    validations.push(refused(
        &format!("!({})", matches("x.text", "[\\n\\r\\x00]")),
        "is no value for this directive; use a single line",
    ));
    validations.extend(values(&names));
    (variables(&names), validations)
}

fn variables(names: &BTreeMap<&str, Vec<(&Directive, Ranges)>>) -> Vec<Variable> {
    let known: Vec<String> = names
        .iter()
        .map(|(name, rows)| {
            let ranges: BTreeSet<String> = rows
                .iter()
                .flat_map(|(_, ranges)| ranges)
                .map(|(from, until)| format!("[{from}, {until}]"))
                .collect();
            let ranges: Vec<String> = ranges.into_iter().collect();
            format!("{}: [{}]", quoted(name), ranges.join(", "))
        })
        .collect();
    let inside: Vec<String> = MODULE_PREFIXES
        .iter()
        .map(|prefix| format!("n.lowerAscii().startsWith('{prefix}')"))
        .collect();
    let redis_8 = number(Flavor::Redis, 8, 0);
    let module = format!(
        "{} || (({}) && variables.engines.exists(e, e >= {redis_8} && e < {VALKEY}))",
        matches("n", "^[A-Za-z0-9_-]+[.][A-Za-z0-9_-]+$"),
        inside.join(" || ")
    );
    let value = "variables.config[n]";
    let text = format!(
        "type({value}) == bool ? ({value} ? 'yes' : 'no') : type({value}) == string || type({value}) == int ? \
         string({value}) : ''"
    );
    vec![
        variable("engines", &engines()),
        variable("known", &format!("{{{}}}", known.join(", "))),
        variable(
            "directives",
            &format!(
                "variables.config.map(n, {{'name': dyn(n), 'key': dyn(n.lowerAscii()), 'raw': \
                 dyn({value}), 'text': dyn({text}), 'value': dyn(({text}).trim()), 'module': \
                 dyn({module})}})"
            ),
        ),
    ]
}

/// The engines that the spec may mean.
fn engines() -> String {
    let all = |flavor, versions: [(u32, u32); 3]| {
        versions.map(|(major, minor)| number(flavor, major, minor).to_string()).join(", ")
    };
    let (redis, valkey) = (all(Flavor::Redis, REDIS), all(Flavor::Valkey, VALKEYS));
    let engine = "variables.engine";
    let version = format!("{engine}.version");
    let number = format!("{version}.trim().split('-')[0]");
    let exact = format!(
        "({engine}.flavor == 'redis' ? 0 : {VALKEY}) + int({number}.split('.')[0]) * 1000000 + \
         ({number}.contains('.') ? int({number}.split('.')[1]) : 0)"
    );
    format!(
        "!has({engine}.flavor) || {engine}.flavor == null ? [{redis}, {valkey}] : \
         has({version}) && {version} != null && {} ? [{exact}] : {engine}.flavor == 'redis' ? \
         [{redis}] : [{valkey}]",
        matches(&version, VERSION)
    )
}

/// A rule that every directive `x` keeps, and what is said of those that do not.
fn refused(rule: &str, says: &str) -> Validation {
    validation(
        format!("variables.directives.all(x, {rule})"),
        format!(
            "variables.directives.filter(x, !({rule})).map(x, 'spec.config.' + x.name + ': \"' + \
             x.text + '\": {says}').join('; ')"
        ),
    )
}

/// What a group sets itself, by what to do in its place.
fn reserved(names: &BTreeMap<&'static str, Vec<(&'static Directive, Ranges)>>) -> Vec<Validation> {
    let ours = names.iter().filter_map(|(name, rows)| match rows[0].0.applied {
        Applied::Ours(instead) => Some((*name, instead)),
        Applied::Live | Applied::Restart => None,
    });
    let groups = grouped(ours);
    let rule = |(instead, names): (&str, Vec<&str>)| {
        let rule = format!("!(x.key in {})", list_of(names));
        // The value may be a password.
        validation(
            format!("variables.directives.all(x, {rule})"),
            format!(
                "variables.directives.filter(x, !({rule})).map(x, 'spec.config.' + x.name + ': \
                 (not shown): interrex sets this directive itself; ' + {}).join('; ')",
                quoted(instead)
            ),
        )
    };
    groups.into_iter().map(rule).collect()
}

/// What every kind of directive takes.
fn values(names: &BTreeMap<&'static str, Vec<(&'static Directive, Ranges)>>) -> Vec<Validation> {
    let free = names.iter().filter(|(_, rows)| !matches!(rows[0].0.applied, Applied::Ours(_)));
    let signed = free.map(|(name, rows)| {
        let fits = match rows.as_slice() {
            [(row, _)] => fits(row.kind),
            several => {
                let each = several
                    .iter()
                    .map(|(row, ranges)| format!("({} && ({}))", meant(ranges), fits(row.kind)));
                each.collect::<Vec<_>>().join(" || ")
            }
        };
        // Where the engines differ, the first one's words are said, as the brain says them.
        (*name, (fits, rows[0].0.kind.want()))
    });
    let mut rules = Vec::new();
    for ((fits, want), names) in grouped(signed) {
        if fits == "true" {
            continue;
        }
        let rule = format!("!(x.key in {}) || ({fits})", list_of(names));
        let want = want.replace('\\', "\\\\").replace('\'', "\\'");
        rules.push(refused(&rule, &format!("is no value for this directive; use {want}")));
    }
    rules
}

fn meant(ranges: &Ranges) -> String {
    let each: Vec<String> =
        ranges.iter().map(|(from, until)| format!("(e >= {from} && e < {until})")).collect();
    format!("variables.engines.exists(e, {})", each.join(" || "))
}

/// A whole number of 64 bits.
fn whole() -> String {
    format!("[+-]?0*({})", up_to(&i64::MAX.to_string()))
}

/// A pattern of the numbers without a leading zero up to this one, and 0.
fn up_to(most: &str) -> String {
    let mut shapes = vec![most.to_owned(), format!("[0-9]{{1,{}}}", most.len() - 1)];
    for (n, digit) in most.char_indices() {
        let Some(below) = digit.to_digit(10).and_then(|digit| digit.checked_sub(1)) else {
            continue;
        };
        let rest = most.len() - n - 1;
        let least = u32::from(n == 0);
        if below >= least {
            shapes.push(format!("{}[{least}-{below}][0-9]{{{rest}}}", &most[..n]));
        }
    }
    shapes.join("|")
}

const UNITS: &str = "(b|k|kb|m|mb|g|gb|t|tb|p|pb)?";

fn memory(value: &str) -> String {
    format!(
        "double({value}.find('^[0-9]+')) * {{'': 1.0, 'b': 1.0, 'k': 1e3, 'kb': 1024.0, 'm': 1e6, \
         'mb': 1048576.0, 'g': 1e9, 'gb': 1073741824.0, 't': 1e12, 'tb': 1099511627776.0, 'p': \
         1e15, 'pb': 1125899906842624.0}}[{value}.find('[a-z]*$')]"
    )
}

/// Whether `x.value` is a value of this kind.
fn fits(kind: Kind) -> String {
    let value = "x.value";
    let lower = "x.value.lowerAscii()";
    let bytes = |least: i64| {
        let size = memory(lower);
        let is = matches(lower, &format!("^[0-9]{{1,20}}{UNITS}$"));
        format!("{is} && {size} >= {least}.0 && {size} < {BYTES_END}")
    };
    match kind {
        Kind::Text | Kind::Words => "true".to_owned(),
        Kind::Bool => format!("{lower} in ['yes', 'no']"),
        Kind::Enum(words) => format!("{lower} in {}", list_of(words.iter().copied())),
        Kind::Int(from, to) => {
            let is = matches(value, &format!("^{}$", whole()));
            format!("{is} && int({value}) >= {from} && int({value}) <= {to}")
        }
        Kind::Ints(count) => {
            let one = whole();
            matches(value, &format!("^{one}(\\s+{one}){{{}}}$", count - 1))
        }
        Kind::Memory(least) => bytes(least),
        Kind::MemoryOrPercent => {
            let percent = matches(value, "^[+]?0*(100|[0-9]{1,2})%$");
            format!("{percent} || ({})", bytes(0))
        }
        Kind::SavePoints => {
            let pair = "[+]?0*[1-9][0-9]{0,18}\\s+[+]?[0-9]{1,19}";
            matches(value, &format!("^\"*\\s*({pair}(\\s+{pair})*)?\\s*\"*$"))
        }
        Kind::OutputBuffers => {
            let size = format!("[0-9]{{1,19}}{UNITS}");
            let group =
                format!("(normal|slave|replica|pubsub)\\s+{size}\\s+{size}\\s+[+]?[0-9]{{1,19}}");
            matches(lower, &format!("^{group}(\\s+{group})*$"))
        }
        Kind::EventFlags => matches(value, &format!("^[{EVENT_FLAGS}]*$")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_kept_for_the_group_in_every_engine_or_in_none() {
        for (name, rows) in by_name() {
            let ours = |row: &Directive| matches!(row.applied, Applied::Ours(_));
            assert!(rows.iter().all(|(row, _)| ours(row) == ours(rows[0].0)), "{name}");
        }
    }

    #[test]
    fn names_are_what_the_rules_take_for_names() {
        for name in by_name().keys() {
            assert!(!name.contains('.'), "{name} looks like a module's");
            let prefixed = MODULE_PREFIXES.iter().any(|prefix| name.starts_with(prefix));
            assert!(!prefixed, "{name} looks like a module's");
        }
    }

    #[test]
    fn a_pattern_of_numbers_ends_where_they_end() {
        assert_eq!(up_to("255"), "255|[0-9]{1,2}|[1-1][0-9]{2}|2[0-4][0-9]{1}|25[0-4][0-9]{0}");
    }
}
