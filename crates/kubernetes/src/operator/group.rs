//! One pass over one group: observe, validate, build, apply, report.

use std::sync::Arc;
use std::time::Duration;

use brain::spec::{Metadata, Resource, SpecError, ValidatedSpec};
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::{Event, EventSource, ObjectReference, PersistentVolumeClaim, Pod};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time};
use k8s_openapi::jiff::Timestamp;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams, Preconditions};
use kube::{Api, Client, Resource as _, ResourceExt};
use serde_json::json;

use super::apply::Hand;
use super::observe::Observation;
use super::plan::{Plan, Step, plan};
use super::report::{Outcome, status};
use super::web::Metrics;
use crate::crd::{Redis, Status};
use crate::names::{HANDOVER_ANNOTATION, MEMBERS_ANNOTATION, Names};
use crate::objects::{self, Objects, Options};
use crate::platform::in_words;

/// While something is under way it is looked at again this soon, should no event tell of it.
const SOON: Duration = Duration::from_secs(5);

/// Everything that a pass needs beside the group.
pub(super) struct Context {
    pub(super) client: Client,
    pub(super) metrics: Arc<Metrics>,
    /// The image that brings the program to the members.
    pub(super) image: String,
}

/// Why a pass could not be finished. It is tried again.
#[derive(Debug, thiserror::Error)]
pub enum PassError {
    /// The API refused or did not answer.
    #[error("cannot {deed}")]
    Call {
        /// What.
        deed: String,
        /// The cause.
        source: Box<kube::Error>,
    },
    /// No password could be drawn.
    #[error("cannot draw a password")]
    Random {
        /// The cause.
        source: objects::RandomError,
    },
}

fn call(deed: impl Into<String>) -> impl FnOnce(kube::Error) -> PassError {
    let deed = deed.into();
    move |source| PassError::Call { deed, source: Box::new(source) }
}

/// One pass; says how soon the next is wanted, if no event comes first.
pub(super) async fn pass(redis: &Redis, context: &Context) -> Result<Option<Duration>, PassError> {
    let group = Group::of(redis, context);
    if redis.meta().deletion_timestamp.is_some() {
        // Everything is owned by the resource and goes with it; nothing waits for the data plane.
        return Ok(None);
    }
    let seen = group.observe().await?;
    let spec = match group.validate() {
        Ok(spec) => spec,
        Err(wrong) => return group.refuse(&seen, &wrong).await,
    };
    let plan = plan(&spec, &seen, Timestamp::now().as_second());
    let objects = group.build(&spec, &plan);
    let done = group.apply(&spec, &objects, &seen, &plan).await;
    group.report(&spec, &seen, &plan, done).await
}

struct Group<'a> {
    redis: &'a Redis,
    context: &'a Context,
    namespace: String,
    names: Names,
}

impl<'a> Group<'a> {
    fn of(redis: &'a Redis, context: &'a Context) -> Self {
        let names = Names::of(&redis.name_any());
        Self { redis, context, namespace: redis.namespace().unwrap_or_default(), names }
    }

    fn hand(&self) -> Hand<'_> {
        let Context { client, metrics, .. } = self.context;
        Hand { client, namespace: &self.namespace, metrics }
    }

    fn api<K>(&self) -> Api<K>
    where
        K: kube::Resource<DynamicType = (), Scope = k8s_openapi::NamespaceResourceScope>,
    {
        Api::namespaced(self.context.client.clone(), &self.namespace)
    }

    fn wrote(&self, verb: &str, kind: &str) {
        self.context.metrics.wrote(verb, kind);
    }

    async fn observe(&self) -> Result<Observation, PassError> {
        Observation::read(&self.context.client, &self.namespace, &self.names)
            .await
            .map_err(call(format!("read what there is of {}", self.names.group)))
    }

    /// The spec with its defaults, or everything that is wrong with it. The CRD's rules have
    /// refused nearly all of that before; here is the rest, in the same words.
    fn validate(&self) -> Result<ValidatedSpec, Vec<SpecError>> {
        let spec = Resource {
            metadata: Metadata {
                name: self.redis.name_any(),
                namespace: self.redis.namespace(),
                ..Metadata::default()
            },
            spec: self.redis.spec.clone(),
            ..Resource::named(&self.names.group)
        }
        .validate()?;
        objects::check(&spec, &self.options())?;
        Ok(spec)
    }

    fn options(&self) -> Options {
        Options {
            namespace: Some(self.namespace.clone()),
            image: self.context.image.clone(),
            local_volumes: Vec::new(),
            owner: self.redis.controller_owner_ref(&()),
        }
    }

    fn build(&self, spec: &ValidatedSpec, plan: &Plan) -> Objects {
        let mut objects = objects::build(spec, &self.options());
        if let Some(set) = objects.stateful_set.spec.as_mut() {
            set.replicas = Some(plan.members as i32);
        }
        objects
    }

    async fn apply(
        &self,
        spec: &ValidatedSpec,
        objects: &Objects,
        seen: &Observation,
        plan: &Plan,
    ) -> Result<(), PassError> {
        // The agents know new members before these come.
        for step in &plan.steps {
            self.step(seen, step).await?;
        }
        if seen.stateful_set.is_none() {
            self.draw_secret(spec).await?;
        }
        self.resize_template(objects, seen).await?;
        let applied = self.hand().all(objects).await;
        applied.map_err(call(format!("write the objects of {}", self.names.group)))
    }

    /// A new group gets a password. One that is there stays, and is not even read.
    async fn draw_secret(&self, spec: &ValidatedSpec) -> Result<(), PassError> {
        let drawn = objects::Credentials::draw().map_err(|source| PassError::Random { source })?;
        let secret = objects::secret(spec, &self.options(), &drawn);
        let made = self.hand().create_blindly(&secret).await;
        made.map_err(call(format!("make the Secret {}", self.names.auth())))
    }

    /// A StatefulSet's volume template cannot be changed: the set is made anew around its pods.
    async fn resize_template(
        &self,
        objects: &Objects,
        seen: &Observation,
    ) -> Result<(), PassError> {
        let size = |set: &k8s_openapi::api::apps::v1::StatefulSet| {
            let claims = set.spec.as_ref()?.volume_claim_templates.as_ref()?;
            let resources = claims.first()?.spec.as_ref()?.resources.as_ref()?;
            let size = resources.requests.as_ref()?.get("storage")?;
            brain::spec::parse_quantity_bytes(&size.0)
        };
        let Some(set) = &seen.stateful_set else { return Ok(()) };
        if size(set) == size(&objects.stateful_set) {
            return Ok(());
        }
        let sets: Api<k8s_openapi::api::apps::v1::StatefulSet> = self.api();
        self.wrote("delete", "StatefulSet");
        let orphan = DeleteParams {
            preconditions: Some(Preconditions { uid: set.uid(), resource_version: None }),
            ..DeleteParams::orphan()
        };
        let name = self.names.group.clone();
        sets.delete(&name, &orphan)
            .await
            .map(drop)
            .map_err(call(format!("replace the StatefulSet {name} around its pods")))
    }

    async fn step(&self, seen: &Observation, step: &Step) -> Result<(), PassError> {
        match step {
            Step::Members(names) => {
                let text = serde_json::to_string(names).expect("names are text");
                self.annotate(seen, MEMBERS_ANNOTATION, &text).await
            }
            Step::Handover(wish) => {
                let text = serde_json::to_string(wish).expect("a wish has text keys");
                let to = wish.to.as_ref().map(ToString::to_string).unwrap_or_default();
                self.tell("Handover", &format!("asked for a handover to {to}")).await;
                self.annotate(seen, HANDOVER_ANNOTATION, &text).await
            }
            Step::Replace { name, uid, why } => {
                self.tell("Replace", &format!("replacing {name}: {why}")).await;
                let pods: Api<Pod> = self.api();
                let exactly = DeleteParams {
                    preconditions: Some(Preconditions {
                        uid: Some(uid.clone()),
                        resource_version: None,
                    }),
                    ..DeleteParams::default()
                };
                self.wrote("delete", "Pod");
                match pods.delete(&name.0, &exactly).await {
                    // Gone, or another one already.
                    Err(kube::Error::Api(status)) if [404, 409].contains(&status.code) => Ok(()),
                    other => other.map(drop).map_err(call(format!("delete the pod {name}"))),
                }
            }
            Step::Grow { claim, size } => {
                self.tell("Grow", &format!("growing {claim} to {size}")).await;
                let claims: Api<PersistentVolumeClaim> = self.api();
                let patch = json!({ "spec": { "resources": { "requests": { "storage": size }}}});
                self.wrote("patch", "PersistentVolumeClaim");
                claims
                    .patch(claim, &PatchParams::default(), &Patch::Merge(&patch))
                    .await
                    .map(drop)
                    .map_err(call(format!("grow the claim {claim} to {size}")))
            }
        }
    }

    /// Writes one of the intents into the record, if it still is the one that was seen.
    async fn annotate(
        &self,
        seen: &Observation,
        annotation: &str,
        text: &str,
    ) -> Result<(), PassError> {
        let Some((version, _)) = &seen.record else { return Ok(()) };
        let leases: Api<Lease> = self.api();
        let patch = json!({ "metadata": {
            "resourceVersion": version.0,
            "annotations": { annotation: text },
        }});
        self.wrote("patch", "Lease");
        let name = &self.names.group;
        match leases.patch(name, &PatchParams::default(), &Patch::Merge(&patch)).await {
            // The agents were faster: the next pass sees what they wrote.
            Err(kube::Error::Api(status)) if status.code == 409 => Ok(()),
            other => other.map(drop).map_err(call(format!("write a wish into the Lease {name}"))),
        }
    }

    async fn report(
        &self,
        spec: &ValidatedSpec,
        seen: &Observation,
        plan: &Plan,
        done: Result<(), PassError>,
    ) -> Result<Option<Duration>, PassError> {
        let failed = done.as_ref().err().map(|error| in_words(error));
        let outcome = Outcome { spec: Ok(spec), seen, plan, failed: failed.as_deref() };
        self.write_status(outcome).await?;
        done?;
        Ok((plan.progress.is_some() || seen.unsettled().is_some()).then_some(SOON))
    }

    /// Nothing is touched while the spec makes no sense.
    async fn refuse(
        &self,
        seen: &Observation,
        wrong: &[SpecError],
    ) -> Result<Option<Duration>, PassError> {
        let text: Vec<String> = wrong.iter().map(ToString::to_string).collect();
        let text = text.join(". ");
        let plan = Plan::default();
        self.write_status(Outcome { spec: Err(&text), seen, plan: &plan, failed: None }).await?;
        Ok(None)
    }

    async fn write_status(&self, outcome: Outcome<'_>) -> Result<(), PassError> {
        let before = self.redis.status.clone().unwrap_or_default();
        let generation = self.redis.meta().generation;
        let after = status(&self.names.group, generation, outcome, &before, Timestamp::now());
        if after == before {
            return Ok(());
        }
        self.wrote("patch", "Redis/status");
        let api: Api<Redis> = self.api();
        // What was told before is only known of this version: nothing is told twice.
        let mut patch = json!({
            "metadata": { "resourceVersion": self.redis.resource_version() },
            "status": after,
        });
        // What is no longer so is taken away, which a merge does only by name.
        let now = patch["status"].as_object_mut().expect("a status is an object");
        for gone in ["primary", "epoch", "ready", "topology", "members", "lastFailover"] {
            now.entry(gone).or_insert(serde_json::Value::Null);
        }
        let name = &self.names.group;
        match api.patch_status(name, &PatchParams::default(), &Patch::Merge(&patch)).await {
            // A newer version is on its way here, and brings the next pass.
            Err(kube::Error::Api(status)) if status.code == 409 => return Ok(()),
            other => other.map(drop).map_err(call(format!("write the status of {name}")))?,
        }
        self.tell_changes(&before, &after).await;
        Ok(())
    }

    async fn tell_changes(&self, before: &Status, after: &Status) {
        let at = |status: &Status| status.last_failover.as_ref().map(|last| last.at.clone());
        if at(after) != at(before)
            && let Some(last) = &after.last_failover
        {
            let from = last.from.clone().unwrap_or_default();
            let to = last.to.clone().unwrap_or_default();
            self.tell("Failover", &format!("{to} leads in place of {from}: {}", last.cause)).await;
        }
        if after.last_data_loss != before.last_data_loss
            && let Some(loss) = &after.last_data_loss
        {
            self.warn("DataLost", &loss.cause).await;
        }
    }

    async fn tell(&self, reason: &str, text: &str) {
        self.say("Normal", reason, text).await;
    }

    async fn warn(&self, reason: &str, text: &str) {
        self.say("Warning", reason, text).await;
    }

    /// An Event of the resource. One that is lost costs nobody anything.
    async fn say(&self, kind: &str, reason: &str, text: &str) {
        let now = Time(Timestamp::now());
        let event = Event {
            metadata: ObjectMeta {
                generate_name: Some(format!("{}-", self.names.group)),
                namespace: Some(self.namespace.clone()),
                ..ObjectMeta::default()
            },
            involved_object: ObjectReference {
                api_version: Some(Redis::api_version(&()).into_owned()),
                kind: Some(Redis::kind(&()).into_owned()),
                name: Some(self.names.group.clone()),
                namespace: Some(self.namespace.clone()),
                uid: self.redis.uid(),
                ..ObjectReference::default()
            },
            reason: Some(reason.to_owned()),
            message: Some(text.to_owned()),
            type_: Some(kind.to_owned()),
            source: Some(EventSource {
                component: Some("interrex-operator".to_owned()),
                host: None,
            }),
            first_timestamp: Some(now.clone()),
            last_timestamp: Some(now),
            count: Some(1),
            ..Event::default()
        };
        let events: Api<Event> = self.api();
        self.wrote("create", "Event");
        if let Err(error) = events.create(&PostParams::default(), &event).await {
            tracing::debug!(%error, "an Event is lost");
        }
    }
}
