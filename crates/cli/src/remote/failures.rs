//! What cannot be done on Kubernetes, with the way out.

use kubernetes::remote::{AccessError, RemoteError};

use crate::args::program;
use crate::failure::Failure;

/// The API server cannot even be tried.
pub(super) fn access_failed(error: &AccessError) -> Failure {
    let failure = Failure::of(error);
    match error {
        AccessError::NoKubeconfig { .. } => failure.hint(format!(
            "name one in KUBECONFIG, or ask an agent itself: {} status --agent HOST:PORT",
            program()
        )),
        AccessError::Kubeconfig { .. } => {
            failure.hint("what kubectl makes of it: kubectl config view; KUBECONFIG names another")
        }
        AccessError::NoContext { .. } => {
            failure.hint("those that there are: kubectl config get-contexts")
        }
        AccessError::Context { .. } | AccessError::Client { .. } => {
            failure.hint("whether kubectl can use it: kubectl version")
        }
    }
}

/// Something was refused, or nobody answered; `options` go behind the command that is proposed.
pub(super) fn remote_failed(error: &RemoteError, options: &str) -> Failure {
    let failure = Failure::of(error);
    let program = program();
    match error {
        RemoteError::Forbidden { .. } => failure.hint(
            "the cause names the verb and the resource that lack: have them added to your Role, or \
             use another --context; without any right: --agent HOST:PORT",
        ),
        RemoteError::Unauthorized { .. } => {
            failure.hint("log in again, or use another --context; whoami: kubectl auth whoami")
        }
        RemoteError::NoNamespace { .. } => {
            failure.hint("those that there are: kubectl get namespaces")
        }
        RemoteError::NoGroup { known, .. } if known.is_empty() => failure.hint(format!(
            "there is none in this namespace; look in another: {program} status -n NAMESPACE"
        )),
        RemoteError::NoGroup { known, .. } => {
            failure.hint(format!("there are: {}", known.join(", ")))
        }
        RemoteError::NotOurs { group, .. } => failure.hint(format!(
            "a group of this name cannot be made here; whose it is: kubectl get lease {group} -o \
             yaml{options}"
        )),
        RemoteError::Unreachable { .. } => failure.hint(format!(
            "ask an agent itself, from where pods are reached: {program} status --agent HOST:PORT; \
             the next call that succeeds keeps their addresses"
        )),
        RemoteError::OnlyAgents => failure.hint("leave --agent out"),
        RemoteError::Record { group, .. } => {
            failure.hint(format!("what stands there: kubectl get lease {group} -o yaml{options}"))
        }
        RemoteError::Contended { .. } | RemoteError::Moved { .. } => failure
            .hint(format!("the primary has just changed; look again: {program} status{options}")),
        RemoteError::NoKey { secret, .. } => {
            failure.hint(format!("which keys it has: kubectl describe secret {secret}{options}"))
        }
        _ if error.is_away() => failure.hint(format!(
            "this needs the API server; status, why and primary can ask an agent itself: {program} \
             status --agent HOST:PORT"
        )),
        _ => failure,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_asks_for_nothing_is_told_what_there_is() {
        let known = vec!["cart".to_owned(), "shop".to_owned()];
        let error = RemoteError::NoGroup { group: "crat".into(), namespace: "kub".into(), known };
        let failure = remote_failed(&error, " -n kub");
        assert_eq!(failure.what, "there is no group crat in the namespace kub");
        assert_eq!(failure.hint.as_deref(), Some("there are: cart, shop"));
    }
}
