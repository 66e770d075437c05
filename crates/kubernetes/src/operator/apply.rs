//! Writing objects: server-side, with one owner, and only where something differs.

use kube::api::{DeleteParams, Patch, PatchParams, PostParams};
use kube::{Api, Client, Resource, ResourceExt};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::web::Metrics;
use crate::names::FIELD_MANAGER;
use crate::objects::Objects;

/// A hand that writes objects of one namespace, and counts.
pub(super) struct Hand<'a> {
    pub(super) client: &'a Client,
    pub(super) namespace: &'a str,
    pub(super) metrics: &'a Metrics,
}

/// What may be wanted of one namespaced kind.
pub(super) trait Kind:
    Resource<DynamicType = (), Scope = k8s_openapi::NamespaceResourceScope>
    + Clone
    + std::fmt::Debug
    + Serialize
    + DeserializeOwned
{
}

impl<K> Kind for K where
    K: Resource<DynamicType = (), Scope = k8s_openapi::NamespaceResourceScope>
        + Clone
        + std::fmt::Debug
        + Serialize
        + DeserializeOwned
{
}

impl Hand<'_> {
    /// Writes every object of a group that is not as it is wanted. The Lease and the volumes are
    /// not among them: the former is the agents', the latter exist only without an operator.
    pub(super) async fn all(&self, objects: &Objects) -> kube::Result<()> {
        // Named one by one, so that a new kind cannot be forgotten.
        let Objects {
            service_account,
            role,
            role_binding,
            config_map,
            lease,
            storage_class: _,
            volumes: _,
            peers,
            write,
            replicas,
            sentinel,
            budget,
            stateful_set,
        } = objects;
        self.apply(service_account).await?;
        self.apply(role).await?;
        self.apply(role_binding).await?;
        self.apply(config_map).await?;
        self.create(lease).await?;
        self.apply(peers).await?;
        let names = crate::names::Names::of(&stateful_set.name_any());
        self.wanted(write.as_ref(), &names.group).await?;
        self.wanted(replicas.as_ref(), &names.replicas()).await?;
        self.wanted(sentinel.as_ref(), &names.sentinel()).await?;
        self.apply(budget).await?;
        self.apply(stateful_set).await
    }

    /// Applies it unless it is as it is wanted.
    pub(super) async fn apply<K: Kind>(&self, wanted: &K) -> kube::Result<()> {
        let api: Api<K> = Api::namespaced(self.client.clone(), self.namespace);
        let name = wanted.name_any();
        let mut document = serde_json::to_value(wanted).expect("objects have text keys");
        if let Some(found) = api.get_opt(&name).await? {
            let found = serde_json::to_value(&found).expect("objects have text keys");
            if covers(&found, &document) {
                return Ok(());
            }
        }
        self.metrics.wrote("apply", K::kind(&()).as_ref());
        document["apiVersion"] = K::api_version(&()).into_owned().into();
        document["kind"] = K::kind(&()).into_owned().into();
        let parameters = PatchParams::apply(FIELD_MANAGER).force();
        api.patch(&name, &parameters, &Patch::Apply(&document)).await.map(drop)
    }

    /// Makes it unless it is there. What is there is somebody else's to change.
    pub(super) async fn create<K: Kind>(&self, wanted: &K) -> kube::Result<()> {
        let api: Api<K> = Api::namespaced(self.client.clone(), self.namespace);
        if api.get_opt(&wanted.name_any()).await?.is_some() {
            return Ok(());
        }
        self.create_blindly(wanted).await
    }

    /// Makes it unless it is there, without a look: of a Secret the operator reads nothing.
    pub(super) async fn create_blindly<K: Kind>(&self, wanted: &K) -> kube::Result<()> {
        let api: Api<K> = Api::namespaced(self.client.clone(), self.namespace);
        self.metrics.wrote("create", K::kind(&()).as_ref());
        match api.create(&PostParams::default(), wanted).await {
            Err(kube::Error::Api(status)) if status.code == 409 => Ok(()),
            other => other.map(drop),
        }
    }

    /// Applies what is wanted, or removes what is not wanted any more and was ours.
    async fn wanted<K: Kind>(&self, wanted: Option<&K>, name: &str) -> kube::Result<()> {
        if let Some(wanted) = wanted {
            return self.apply(wanted).await;
        }
        let api: Api<K> = Api::namespaced(self.client.clone(), self.namespace);
        let Some(found) = api.get_opt(name).await? else { return Ok(()) };
        let ours = found.labels().get(crate::names::MANAGED_BY_LABEL);
        if ours.is_none_or(|by| by != crate::names::MANAGED_BY) {
            return Ok(());
        }
        self.metrics.wrote("delete", K::kind(&()).as_ref());
        match api.delete(name, &DeleteParams::default()).await {
            Err(kube::Error::Api(status)) if status.code == 404 => Ok(()),
            other => other.map(drop),
        }
    }
}

/// Whether everything that is wanted stands there; what the server adds does not matter.
fn covers(found: &Value, wanted: &Value) -> bool {
    match (found, wanted) {
        // What is wanted to be empty may be left out by the server.
        (Value::Null, Value::Object(wanted)) => wanted.values().all(|v| covers(&Value::Null, v)),
        (Value::Null, Value::Array(wanted)) => wanted.is_empty(),
        (Value::Object(found), Value::Object(wanted)) => wanted
            .iter()
            .all(|(key, wanted)| covers(found.get(key).unwrap_or(&Value::Null), wanted)),
        (Value::Array(found), Value::Array(wanted)) => {
            found.len() == wanted.len()
                && found.iter().zip(wanted).all(|(found, wanted)| covers(found, wanted))
        }
        (Value::String(found), Value::String(wanted)) => {
            found == wanted || same_quantity(found, wanted)
        }
        (found, wanted) => found == wanted,
    }
}

/// The server spells quantities in its own way: `1000m` as `1`.
fn same_quantity(found: &str, wanted: &str) -> bool {
    let number = |text: &str| {
        if let Some(bytes) = brain::spec::parse_quantity_bytes(text) {
            return Some(bytes as f64 * 1000.0);
        }
        text.strip_suffix('m')?.parse::<f64>().ok()
    };
    number(found).is_some_and(|found| number(wanted) == Some(found))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_the_server_adds_is_no_difference_and_what_lacks_is_one() {
        let wanted = json!({ "spec": { "replicas": 3, "ports": [{ "port": 6379 }], "none": {} } });
        let found = json!({
            "metadata": { "uid": "u" },
            "spec": { "replicas": 3, "ports": [{ "port": 6379, "protocol": "TCP" }] },
        });
        assert!(covers(&found, &wanted));
        let mut other = found.clone();
        other["spec"]["replicas"] = json!(2);
        assert!(!covers(&other, &wanted));
        let mut more = found.clone();
        more["spec"]["ports"] = json!([{ "port": 6379 }, { "port": 1 }]);
        assert!(!covers(&more, &wanted));
        assert!(!covers(&json!({}), &wanted));
    }

    #[test]
    fn a_quantity_in_other_words_is_the_same() {
        for (found, wanted) in [("1", "1000m"), ("1Gi", "1024Mi"), ("500m", "500m")] {
            assert!(covers(&json!(found), &json!(wanted)), "{found} {wanted}");
        }
        for (found, wanted) in [("1", "2"), ("1Gi", "2Gi"), ("a", "b"), ("250m", "500m")] {
            assert!(!covers(&json!(found), &json!(wanted)), "{found} {wanted}");
        }
    }
}
