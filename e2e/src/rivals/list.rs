//! Who is compared as pods, what is done to each, and what its objects are made of.

use serde::{Serialize, Serializer};
use trial::rivals::look::SHARDS;
use trial::rivals::{Contender, Plan, UnknownWord, choose};

/// What is done to the primary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Harm {
    /// Its engine is killed.
    EngineKill,
    /// Its pod is deleted.
    PodDelete,
    /// Its host is frozen, with writes queued on open connections, and thawed.
    HostFreeze,
    /// Its host loses the network, and gets it back.
    HostCut,
    /// Every pod is made anew, one after the other.
    Planned,
}

/// All harms, in the order of the report.
const HARMS: [Harm; 5] =
    [Harm::EngineKill, Harm::PodDelete, Harm::HostFreeze, Harm::HostCut, Harm::Planned];

impl Harm {
    /// The harms that these words name; all when there are none.
    pub(crate) fn named(words: &[String]) -> Result<Vec<Self>, UnknownWord> {
        choose("harm", words, &HARMS, Self::name, |harm, word| harm.name() == word)
    }

    /// What it is asked for by.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::EngineKill => "engine-kill",
            Self::PodDelete => "pod-delete",
            Self::HostFreeze => "host-freeze",
            Self::HostCut => "host-cut",
            Self::Planned => "planned",
        }
    }

    /// The head of its column.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::EngineKill => "engine killed",
            Self::PodDelete => "pod deleted",
            Self::HostFreeze => "host frozen",
            Self::HostCut => "host cut off",
            Self::Planned => "all rolled",
        }
    }

    /// What exactly is done, in one sentence.
    pub(crate) fn sentence(self) -> &'static str {
        match self {
            Self::EngineKill => {
                "SIGKILL to the primary's engine; the kubelet, or our agent, starts it again"
            }
            Self::PodDelete => "`kubectl delete pod` of the primary, with its grace period",
            Self::HostFreeze => {
                "every process of the primary's host stops for 30 s, with 320 writes queued on 64 \
                 open connections"
            }
            Self::HostCut => {
                "the primary's host, and one client on it, lose everybody else for at least 20 s \
                 and until 3 s after the others' clients write again, 60 s at the most"
            }
            Self::Planned => {
                "`kubectl rollout restart` of all engines; with Interrex a change of the resource \
                 that needs new pods"
            }
        }
    }
}

impl Serialize for Harm {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

/// The systems that these words name; when there are none, all but the cluster with its default
/// timeout, which differs from the other one by its wait alone.
pub(crate) fn systems(words: &[String]) -> Result<Vec<Contender>, UnknownWord> {
    let mut systems = Plan::contenders(words)?;
    systems.retain(|who| *who != Contender::Cluster15 || !words.is_empty());
    Ok(systems)
}

/// Who has a Sentinel beside each engine; the number is also that of its engines.
const SENTINELS: usize = 3;
/// What the Sentinels call it, and what every rival's objects are called.
pub(super) const RIVAL: &str = "rival";
/// What selects the pods of a rival.
pub(super) const SELECTOR: &str = "app=rival";
/// Where a Sentinel listens.
pub(super) const SENTINEL_PORT: u16 = 26_379;

/// What a rival's objects are made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Recipe {
    /// The file in `e2e/rivals`.
    pub(super) file: &'static str,
    /// What is filled in there, beside the image.
    pub(super) blanks: &'static [(&'static str, &'static str)],
    /// How many pods come of it.
    pub(super) pods: usize,
    /// How many replicas a write is waited for on.
    pub(super) copies: u32,
}

impl Recipe {
    /// Of everybody but ours, whose objects its operator makes.
    pub(super) fn of(who: Contender) -> Option<Self> {
        let sentinel = |blanks| Self { file: "sentinel.yaml", blanks, pods: SENTINELS, copies: 1 };
        let cluster = |blanks| Self { file: "cluster.yaml", blanks, pods: 2 * SHARDS, copies: 1 };
        Some(match who {
            Contender::Interrex => return None,
            Contender::Sentinel5 => {
                sentinel(&[("DOWN_AFTER_MS", "5000"), ("FAILOVER_TIMEOUT_MS", "60000")])
            }
            Contender::Sentinel30 => {
                sentinel(&[("DOWN_AFTER_MS", "30000"), ("FAILOVER_TIMEOUT_MS", "180000")])
            }
            Contender::Cluster5 => cluster(&[("NODE_TIMEOUT_MS", "5000")]),
            Contender::Cluster15 => cluster(&[("NODE_TIMEOUT_MS", "15000")]),
            Contender::Bare => Self { file: "bare.yaml", blanks: &[], pods: 1, copies: 0 },
        })
    }

    /// Its objects, of the text of its file.
    pub(super) fn filled(&self, text: &str, image: &str) -> String {
        let blanks = self.blanks.iter().copied().chain([("IMAGE", image)]);
        blanks.fold(text.to_owned(), |text, (name, value)| {
            text.replace(&format!("${{{name}}}"), value)
        })
    }
}

/// The options of `interrex load` with which clients come to this one.
pub(super) fn options(who: Contender, pods: usize) -> Vec<String> {
    let each = |option: &str, port: u16| {
        (0..pods).map(|pod| format!("--{option}={RIVAL}-{pod}.{RIVAL}:{port}")).collect()
    };
    match who {
        Contender::Sentinel5 | Contender::Sentinel30 => {
            let mut words: Vec<String> = each("sentinel", SENTINEL_PORT);
            words.push(format!("--master={RIVAL}"));
            words
        }
        Contender::Cluster5 | Contender::Cluster15 => each("node", kubernetes::names::ENGINE_PORT),
        Contender::Bare | Contender::Interrex => vec![format!("--write={RIVAL}:6379")],
    }
}

/// What a system is as pods, for whoever wants to do it again.
pub(super) fn sentence(who: Contender) -> &'static str {
    match who {
        Contender::Interrex => "the group of `e2e/groups/default.yaml`, made by its operator",
        Contender::Sentinel5 => {
            "`e2e/rivals/sentinel.yaml`: three engines, a Sentinel beside each, quorum 2, names \
             resolved and announced; down-after-milliseconds 5000, failover-timeout 60000"
        }
        Contender::Sentinel30 => "the same with Sentinel's defaults of 30000 and 180000",
        Contender::Cluster5 => {
            "`e2e/rivals/cluster.yaml`: three primaries with a replica each on another host, \
             cluster-node-timeout 5000; the load is on one shard, whose primary is broken"
        }
        Contender::Cluster15 => "`e2e/rivals/cluster.yaml` with the default timeout of 15000",
        Contender::Bare => "`e2e/rivals/bare.yaml`: one engine with a volume, behind a Service",
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use serde_json::Value;

    use super::*;

    fn words(words: &[&str]) -> Vec<String> {
        words.iter().map(|word| (*word).to_owned()).collect()
    }

    /// The objects of a rival, as the API server gets them.
    fn objects(recipe: Recipe) -> (String, Vec<Value>) {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("rivals").join(recipe.file);
        let text = std::fs::read_to_string(&file).expect("the file is there");
        let filled = recipe.filled(&text, "docker.io/valkey/valkey:8.1");
        let parts = filled.split("\n---\n");
        let read = parts.map(|part| serde_saphyr::from_str::<Value>(part).expect("it is YAML"));
        let read = read.collect();
        (filled, read)
    }

    fn recipes() -> Vec<Recipe> {
        let all = words(&["sentinel", "cluster", "bare"]);
        systems(&all).expect("they are there").into_iter().filter_map(Recipe::of).collect()
    }

    #[test]
    fn words_choose_and_the_slow_cluster_comes_only_when_it_is_asked_for() {
        let all = systems(&[]).expect("all");
        assert_eq!(all.len(), 5);
        assert!(!all.contains(&Contender::Cluster15));
        assert_eq!(systems(&words(&["cluster-15"])), Ok(vec![Contender::Cluster15]));
        assert!(systems(&words(&["keydb"])).is_err());
        assert_eq!(Harm::named(&words(&["planned"])), Ok(vec![Harm::Planned]));
        let refused = Harm::named(&words(&["freeze"])).expect_err("it is called host-freeze");
        assert!(refused.to_string().contains("there is no harm \"freeze\""), "{refused}");
    }

    #[test]
    fn nothing_stays_blank_and_the_waits_are_filled_in() {
        for recipe in recipes() {
            let (text, _) = objects(recipe);
            for blank in ["IMAGE", "DOWN_AFTER_MS", "FAILOVER_TIMEOUT_MS", "NODE_TIMEOUT_MS"] {
                assert!(!text.contains(&format!("${{{blank}}}")), "{blank}: {text}");
            }
            for (_, value) in recipe.blanks {
                assert!(text.contains(value), "{value}: {text}");
            }
        }
    }

    #[test]
    fn every_rival_has_its_pods_and_all_of_them_are_restricted() {
        for recipe in recipes() {
            let (_, objects) = objects(recipe);
            let kinds: Vec<&str> = objects.iter().filter_map(|o| o["kind"].as_str()).collect();
            assert!(kinds.contains(&"Service") && kinds.contains(&"StatefulSet"), "{kinds:?}");
            let set = objects.iter().find(|object| object["kind"] == "StatefulSet");
            let spec = &set.expect("a StatefulSet")["spec"];
            assert_eq!(spec["replicas"], recipe.pods);
            let pod = &spec["template"]["spec"];
            assert_eq!(pod["securityContext"]["runAsNonRoot"], true, "{}", recipe.file);
            assert_eq!(pod["securityContext"]["seccompProfile"]["type"], "RuntimeDefault");
            assert!(spec["volumeClaimTemplates"][0]["spec"].is_object(), "{}", recipe.file);
            let containers = pod["containers"].as_array().expect("containers");
            assert_eq!(containers[0]["name"], kubernetes::names::ENGINE_CONTAINER);
            for container in containers {
                let security = &container["securityContext"];
                assert_eq!(security["allowPrivilegeEscalation"], false, "{container}");
                assert_eq!(security["capabilities"]["drop"][0], "ALL", "{container}");
                assert_eq!(container["image"], "docker.io/valkey/valkey:8.1");
            }
        }
    }

    #[test]
    fn clients_find_every_rival_in_its_own_way() {
        let of = |who| options(who, Recipe::of(who).map_or(0, |recipe| recipe.pods)).join(" ");
        let sentinel = of(Contender::Sentinel5);
        assert!(sentinel.starts_with("--sentinel=rival-0.rival:26379 "), "{sentinel}");
        assert!(sentinel.ends_with("rival-2.rival:26379 --master=rival"), "{sentinel}");
        assert!(of(Contender::Cluster5).ends_with("--node=rival-5.rival:6379"));
        assert_eq!(of(Contender::Bare), "--write=rival:6379");
    }
}
