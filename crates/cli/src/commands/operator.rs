//! `interrex operator`: owns the Kubernetes objects of groups. Runs in a pod, or beside a
//! kubeconfig.

use kubernetes::operator::{self, Options};

use crate::args::Operator;
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::signals;

pub(super) async fn run(args: Operator) -> Outcome {
    agent::logs::init(agent::LogFormat::Json);
    let (client, home) = kubernetes::connect(None).await.map_err(|error| {
        Failure::of(&error).hint("in a pod it needs a ServiceAccount; elsewhere set KUBECONFIG")
    })?;
    let namespace = args.namespace.unwrap_or(home);
    let options = Options {
        watched: args.watch_namespace,
        namespace,
        name: args.name.unwrap_or_else(|| format!("interrex-{}", std::process::id())),
        image: args.image,
        http: args.listen,
    };
    operator::run(client, options, signals::end()).await.map_err(|error| {
        let hint = matches!(error, operator::OperatorError::NoDefinition { .. })
            .then(|| "install them: interrex crd | kubectl apply --server-side -f -".to_owned());
        Failure::of(&error).hint_if(hint)
    })?;
    Ok(Exit::Healthy)
}
