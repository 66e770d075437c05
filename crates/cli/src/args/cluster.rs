//! The words with which a group on Kubernetes is meant.

use std::ffi::OsStr;
use std::path::Path;
use std::time::Duration;

use clap::Args;
use kubernetes::names::{NAMESPACE_ENV, POD_NAME_ENV};

/// The name under which kubectl finds this program.
const PLUGIN: &str = "kubectl-interrex";

/// Where on Kubernetes a group is.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "On Kubernetes")]
pub(crate) struct Cluster {
    /// The group is on Kubernetes, in this namespace [default there: the context's].
    #[arg(short, long, value_name = "NAMESPACE")]
    pub(crate) namespace: Option<String>,
    /// The group is on Kubernetes, where this context of the kubeconfig leads.
    #[arg(long, value_name = "CONTEXT")]
    pub(crate) context: Option<String>,
    /// Ask this agent itself and not the API server; may be repeated.
    #[arg(long = "agent", value_name = "HOST:PORT", value_parser = address)]
    pub(crate) agents: Vec<String>,
    /// How long the API server may take; then the agents are asked where they were last.
    #[arg(long, value_name = "TIME", default_value = "1800ms", value_parser = super::time)]
    pub(crate) request_timeout: Duration,
}

impl Cluster {
    /// Whether the group that is meant is on Kubernetes.
    pub(crate) fn is_meant(&self) -> bool {
        let is_said = self.namespace.is_some() || self.context.is_some();
        is_said || !self.agents.is_empty() || is_plugin() || own_pod().is_some()
    }
}

/// Whether kubectl runs this program: then every group is on Kubernetes.
pub(crate) fn is_plugin() -> bool {
    std::env::args_os().next().is_some_and(|name| is_plugin_name(&name))
}

fn is_plugin_name(name: &OsStr) -> bool {
    Path::new(name).file_name() == Some(OsStr::new(PLUGIN))
}

/// How a person calls this program.
pub(crate) fn program() -> &'static str {
    if is_plugin() { "kubectl interrex" } else { "interrex" }
}

/// The namespace and the group of the pod that this runs in, if it is a member's.
pub(crate) fn own_pod() -> Option<(String, String)> {
    let told = |name| std::env::var(name).ok().filter(|value: &String| !value.is_empty());
    let (namespace, pod) = (told(NAMESPACE_ENV)?, told(POD_NAME_ENV)?);
    let (group, ordinal) = pod.rsplit_once('-')?;
    ordinal.parse::<u32>().ok().map(|_| (namespace, group.to_owned()))
}

/// `10.0.0.7:8379`; without a port it is the agents' own.
fn address(text: &str) -> Result<String, String> {
    let wrong = || format!("{text:?} is no HOST:PORT such as 10.244.1.7:8379");
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']'));
    if text.is_empty() || text.contains('/') {
        return Err(wrong());
    }
    if text.parse::<std::net::Ipv6Addr>().is_ok() {
        return Ok(format!("[{text}]:{}", kubernetes::names::HTTP_PORT));
    }
    if bare.is_some() || !text.contains(':') {
        return Ok(format!("{text}:{}", kubernetes::names::HTTP_PORT));
    }
    let (host, port) = text.rsplit_once(':').ok_or_else(wrong)?;
    let is_port = port.parse::<u16>().is_ok_and(|port| port > 0);
    if host.is_empty() || !is_port { Err(wrong()) } else { Ok(text.to_owned()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agents_have_a_host_and_may_have_a_port() {
        for (text, whole) in [
            ("10.244.1.7:8379", "10.244.1.7:8379"),
            ("10.244.1.7", "10.244.1.7:8379"),
            ("cart-0.cart-peers", "cart-0.cart-peers:8379"),
            ("fd00::7", "[fd00::7]:8379"),
            ("[fd00::7]", "[fd00::7]:8379"),
            ("[fd00::7]:1", "[fd00::7]:1"),
        ] {
            assert_eq!(address(text).as_deref(), Ok(whole));
        }
        for wrong in ["", ":1", "h:0", "h:x", "http://h:1"] {
            assert!(address(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn kubectl_knows_us_by_our_name() {
        for name in ["kubectl-interrex", "/usr/local/bin/kubectl-interrex"] {
            assert!(is_plugin_name(OsStr::new(name)), "{name}");
        }
        for name in ["interrex", "kubectl-interrex/interrex", "kubectl"] {
            assert!(!is_plugin_name(OsStr::new(name)), "{name}");
        }
    }
}
