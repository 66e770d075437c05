//! Every object of a group as plain functions of its spec: nothing here speaks to the API, and
//! the same spec and options always give the same objects.

mod access;
mod budget;
mod check;
mod config;
mod engine;
mod frame;
mod lease;
mod pods;
mod secret;
mod services;
mod stateful_set;
mod volumes;

use brain::spec::ValidatedSpec;
use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::{ConfigMap, PersistentVolume, Service, ServiceAccount};
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use k8s_openapi::api::rbac::v1::{Role, RoleBinding};
use k8s_openapi::api::storage::v1::StorageClass;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use serde::Serialize;
use serde_json::Value;

pub use check::check;
pub(crate) use check::check_namespace;
pub use secret::{Credentials, RandomError, secret};
pub use volumes::{LocalVolume, LocalVolumeError};

use frame::Frame;

/// What the objects need to know beside the spec.
#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    /// Where the objects are; `None` leaves it to whoever applies them.
    pub namespace: Option<String>,
    /// The image that brings the program.
    pub image: String,
    /// A directory of a host for each member in order; empty: the storage class makes volumes.
    pub local_volumes: Vec<LocalVolume>,
    /// The resource that the objects go with; `None` without an operator.
    pub owner: Option<OwnerReference>,
}

impl Options {
    /// The image of the program at this version.
    pub const IMAGE: &str = concat!("interrex.io/interrex:", env!("CARGO_PKG_VERSION"));
}

impl Default for Options {
    fn default() -> Self {
        let image = Self::IMAGE.to_owned();
        Self { namespace: None, image, local_volumes: Vec::new(), owner: None }
    }
}

/// The objects of one group but its Secret, which is made once and never again. Whoever applies
/// them names every field: an object that is `None` is not wanted, and goes if it is there.
#[derive(Clone, Debug, PartialEq)]
pub struct Objects {
    /// Who the agents are.
    pub service_account: ServiceAccount,
    /// What they may do.
    pub role: Role,
    /// That they may.
    pub role_binding: RoleBinding,
    /// The spec, as agents read it.
    pub config_map: ConfigMap,
    /// The record without its content, which only agents write.
    pub lease: Lease,
    /// The class of local volumes.
    pub storage_class: Option<StorageClass>,
    /// Local volumes, one a member.
    pub volumes: Vec<PersistentVolume>,
    /// The members' own names.
    pub peers: Service,
    /// The write address, inside and (`access.external`) outside of the cluster.
    pub write: Option<Service>,
    /// The read address.
    pub replicas: Option<Service>,
    /// The address that speaks like a Sentinel.
    pub sentinel: Option<Service>,
    /// How many members may be evicted at once.
    pub budget: PodDisruptionBudget,
    /// The members.
    pub stateful_set: StatefulSet,
}

/// The objects of a replication group that [`check`] has let through.
pub fn build(spec: &ValidatedSpec, options: &Options) -> Objects {
    let frame = Frame::of(spec, options);
    Objects {
        service_account: access::service_account(&frame),
        role: access::role(&frame),
        role_binding: access::role_binding(&frame),
        config_map: config::config_map(&frame),
        lease: lease::lease(&frame),
        storage_class: volumes::storage_class(&frame),
        volumes: volumes::volumes(&frame),
        peers: services::peers(&frame),
        write: services::write(&frame),
        replicas: services::replicas(&frame),
        sentinel: services::sentinel(&frame),
        budget: budget::budget(&frame),
        stateful_set: stateful_set::stateful_set(&frame),
    }
}

impl Objects {
    /// All of them as documents, in an order in which nothing waits for what comes later.
    pub fn list(&self) -> Vec<Value> {
        let Self {
            service_account,
            role,
            role_binding,
            config_map,
            lease,
            storage_class,
            volumes,
            peers,
            write,
            replicas,
            sentinel,
            budget,
            stateful_set,
        } = self;
        let mut list = vec![
            document(service_account),
            document(role),
            document(role_binding),
            document(config_map),
            document(lease),
        ];
        list.extend(storage_class.iter().map(document));
        list.extend(volumes.iter().map(document));
        list.push(document(peers));
        list.extend([write, replicas, sentinel].into_iter().flatten().map(document));
        list.extend([document(budget), document(stateful_set)]);
        list
    }
}

/// An object as it is sent.
pub(crate) fn document<T: Serialize>(object: &T) -> Value {
    serde_json::to_value(object).expect("an object has text keys only, so JSON can hold it")
}

#[cfg(test)]
mod tests;
