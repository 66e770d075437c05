//! The API that judges: definition and policy are put into effect, then resources are created
//! without being stored.

use std::time::Duration;

use k8s_openapi::api::admissionregistration::v1::{
    ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding,
};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{Patch, PatchParams, PostParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::core::Request;
use kube::{Client, Config, Error};
use kubernetes::crd::{DEFINITION_NAME, POLICY_NAME, Redis, definition, policy, policy_binding};
use serde_json::{Value, json};

/// How long the API may take to know what it was told.
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) struct Api {
    client: Client,
    collection: String,
}

impl Api {
    pub(crate) async fn connect() -> Self {
        let path = std::env::var("E2E_KUBECONFIG").expect("E2E_KUBECONFIG names a kubeconfig");
        let kubeconfig = Kubeconfig::read_from(path).expect("the kubeconfig can be read");
        let options = KubeConfigOptions::default();
        let config = Config::from_custom_kubeconfig(kubeconfig, &options).await.unwrap();
        let client = Client::try_from(config).unwrap();
        let api =
            Self { client, collection: <Redis as kube::Resource>::url_path(&(), Some("default")) };
        api.prepare().await;
        api
    }

    async fn prepare(&self) {
        let ours = PatchParams::apply("interrex-admission").force();
        let client = || self.client.clone();
        let definitions: kube::Api<CustomResourceDefinition> = kube::Api::all(client());
        definitions.patch(DEFINITION_NAME, &ours, &Patch::Apply(definition())).await.unwrap();
        let policies: kube::Api<ValidatingAdmissionPolicy> = kube::Api::all(client());
        policies.patch(POLICY_NAME, &ours, &Patch::Apply(policy())).await.unwrap();
        let bindings: kube::Api<ValidatingAdmissionPolicyBinding> = kube::Api::all(client());
        bindings.patch(POLICY_NAME, &ours, &Patch::Apply(policy_binding())).await.unwrap();
        // Both are in effect a moment later: ask for what only they refuse.
        let wrong = |spec: Value| {
            json!({
                "apiVersion": brain::spec::API_VERSION, "kind": brain::spec::KIND,
                "metadata": { "name": "wrong" }, "spec": spec,
            })
        };
        let policy = wrong(json!({ "config": { "port": 1 } }));
        let schema = wrong(json!({ "tls": {} }));
        let deadline = tokio::time::Instant::now() + PATIENCE;
        for wrong in [policy, schema] {
            while self.refusal(&wrong).await.is_none_or(|said| !said.contains("spec.")) {
                assert!(tokio::time::Instant::now() < deadline, "the API still takes {wrong}");
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
        }
    }

    /// Why the resource would not be stored; nothing if it would.
    async fn refusal(&self, resource: &Value) -> Option<String> {
        self.answer(resource).await.err()
    }

    /// The resource as it would be stored, or why it would not.
    pub(crate) async fn answer(&self, resource: &Value) -> Result<Value, String> {
        let params = PostParams { dry_run: true, ..PostParams::default() };
        let body = serde_json::to_vec(resource).unwrap();
        let mut request = Request::new(&self.collection).create(&params, body).unwrap();
        // As kubectl asks: a field that is not known is an error.
        let address = format!("{}&fieldValidation=Strict", request.uri());
        *request.uri_mut() = address.parse().unwrap();
        match self.client.request_text(request).await {
            Ok(stored) => Ok(serde_json::from_str(&stored).unwrap()),
            Err(Error::Api(status)) if (400..500).contains(&status.code) => Err(status.message),
            Err(error) => panic!("{resource}: the API gave no verdict: {error}"),
        }
    }
}
