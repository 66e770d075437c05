//! How the API server is reached: the kubeconfig with its contexts, or a pod's service account.

use std::io;
use std::time::Duration;

use kube::config::{KubeConfigOptions, Kubeconfig, KubeconfigError};
use kube::{Api, Client, Config};

use super::error::RemoteError;

/// What a person says of the place of a group.
#[derive(Clone, Debug, Default)]
pub struct Access {
    /// The context of the kubeconfig; `None`: its current one.
    pub context: Option<String>,
    /// The namespace; `None`: the context's own.
    pub namespace: Option<String>,
}

/// A connection to an API server, and the namespace that is meant.
#[derive(Clone)]
pub struct Cluster {
    pub(super) client: Client,
    /// The API server's URL.
    pub server: String,
    /// The context; `in-cluster` with a pod's service account.
    pub context: String,
    /// The namespace.
    pub namespace: String,
}

/// Why the API server cannot even be tried.
#[derive(Debug, thiserror::Error)]
pub enum AccessError {
    /// There is no kubeconfig.
    #[error("there is no kubeconfig, and this is no pod with a service account")]
    NoKubeconfig {
        /// Where it was looked for.
        source: Box<KubeconfigError>,
    },
    /// The kubeconfig cannot be read.
    #[error("cannot read the kubeconfig")]
    Kubeconfig {
        /// The cause.
        source: Box<KubeconfigError>,
    },
    /// The context is not in the kubeconfig.
    #[error("the kubeconfig has no context {context}; it has {}", known.join(", "))]
    NoContext {
        /// Which.
        context: String,
        /// Those that it has.
        known: Vec<String>,
    },
    /// The context cannot be used.
    #[error("cannot use the context {context} of the kubeconfig")]
    Context {
        /// Which.
        context: String,
        /// The cause.
        source: Box<KubeconfigError>,
    },
    /// The certificates or the credentials cannot be used.
    #[error("cannot make a client of the API server of the context {context}")]
    Client {
        /// Which.
        context: String,
        /// The cause.
        source: Box<kube::Error>,
    },
}

/// The context's name in a pod.
const IN_CLUSTER: &str = "in-cluster";

impl Cluster {
    /// Reads the kubeconfig; nothing is asked of the API server yet. A connection may take `limit`
    /// to come about.
    pub async fn open(access: &Access, limit: Duration) -> Result<Self, AccessError> {
        let (mut config, context) = config(access.context.as_deref()).await?;
        let server = config.cluster_url.to_string().trim_end_matches('/').to_owned();
        config.connect_timeout = Some(limit);
        // Each call has a deadline of its own, and a refusal is told at once.
        config.default_retry = false;
        let namespace =
            access.namespace.clone().unwrap_or_else(|| config.default_namespace.clone());
        let client = Client::try_from(config).map_err(|source| AccessError::Client {
            context: context.clone(),
            source: Box::new(source),
        })?;
        Ok(Self { client, server, context, namespace })
    }

    /// What is said when neither the API server nor anybody else can be asked about a group.
    pub(super) fn unreachable(&self, group: String, error: RemoteError) -> RemoteError {
        let (server, context) = (self.server.clone(), self.context.clone());
        RemoteError::Unreachable { group, server, context, source: Box::new(error) }
    }

    /// The objects of one kind in the namespace.
    pub(super) fn api<K>(&self) -> Api<K>
    where
        K: kube::Resource<Scope = k8s_openapi::NamespaceResourceScope>,
        K::DynamicType: Default,
    {
        Api::namespaced(self.client.clone(), &self.namespace)
    }
}

async fn config(context: Option<&str>) -> Result<(Config, String), AccessError> {
    let file = match Kubeconfig::read() {
        Ok(file) => file,
        Err(error) if is_absent(&error) && context.is_none() => {
            let config = Config::incluster()
                .map_err(|_| AccessError::NoKubeconfig { source: Box::new(error) })?;
            return Ok((config, IN_CLUSTER.to_owned()));
        }
        Err(error) if is_absent(&error) => {
            return Err(AccessError::NoKubeconfig { source: Box::new(error) });
        }
        Err(error) => return Err(AccessError::Kubeconfig { source: Box::new(error) }),
    };
    let known: Vec<String> = file.contexts.iter().map(|context| context.name.clone()).collect();
    let chosen = match (context, &file.current_context) {
        (Some(context), _) => context.to_owned(),
        (None, Some(current)) => current.clone(),
        (None, None) => {
            let source = Box::new(KubeconfigError::CurrentContextNotSet);
            return Err(AccessError::Kubeconfig { source });
        }
    };
    if !known.contains(&chosen) {
        return Err(AccessError::NoContext { context: chosen, known });
    }
    let options =
        KubeConfigOptions { context: Some(chosen.clone()), ..KubeConfigOptions::default() };
    let config = Config::from_custom_kubeconfig(file, &options).await.map_err(|source| {
        AccessError::Context { context: chosen.clone(), source: Box::new(source) }
    })?;
    Ok((config, chosen))
}

fn is_absent(error: &KubeconfigError) -> bool {
    match error {
        KubeconfigError::FindPath => true,
        KubeconfigError::ReadConfig(cause, _) => cause.kind() == io::ErrorKind::NotFound,
        _ => false,
    }
}
