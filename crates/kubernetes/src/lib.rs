//! A group on Kubernetes: the resource and its objects as plain functions, what agents need of the
//! API, and the operator.

pub mod crd;
pub mod install;
pub mod names;
pub mod objects;
pub mod operator;
pub mod platform;
pub mod remote;
pub mod render;

use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};

/// Why the API server cannot be spoken to.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// There is neither a kubeconfig nor a service account.
    #[error("cannot find out how to reach the API server")]
    Configuration {
        /// The cause.
        source: Box<kube::Error>,
    },
    /// The context that was asked for is not in the kubeconfig.
    #[error("cannot use the context {context} of the kubeconfig")]
    Context {
        /// Which.
        context: String,
        /// The cause.
        source: Box<kube::config::KubeconfigError>,
    },
    /// The certificates cannot be used.
    #[error("cannot make a client of the API server")]
    Client {
        /// The cause.
        source: Box<kube::Error>,
    },
}

/// A client by the kubeconfig (with this context, else its own), or by the pod's service account;
/// with the namespace that goes with it.
pub async fn connect(context: Option<&str>) -> Result<(Client, String), ConnectError> {
    let config = match context {
        None => Config::infer().await.map_err(|source| ConnectError::Configuration {
            source: Box::new(kube::Error::InferConfig(source)),
        })?,
        Some(context) => {
            let fail = |source| ConnectError::Context {
                context: context.to_owned(),
                source: Box::new(source),
            };
            let options = KubeConfigOptions {
                context: Some(context.to_owned()),
                ..KubeConfigOptions::default()
            };
            let file = Kubeconfig::read().map_err(fail)?;
            Config::from_custom_kubeconfig(file, &options).await.map_err(fail)?
        }
    };
    let namespace = config.default_namespace.clone();
    let client = Client::try_from(config)
        .map_err(|source| ConnectError::Client { source: Box::new(source) })?;
    Ok((client, namespace))
}
