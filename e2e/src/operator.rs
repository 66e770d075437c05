//! The operator of the tests: installed as users install it, taken away, and brought back.

use std::time::Duration;

use kubernetes::install::{NAMESPACE, OPERATOR};
use kubernetes::names::HTTP_PORT;

use crate::cluster::{Cluster, Place};
use crate::error::Error;
use crate::http;
use crate::tools::Tools;
use crate::wait::until;

/// A pod whose image is there starts within seconds; its predecessor ends as fast.
const WITHIN: Duration = Duration::from_secs(90);
/// What selects its pods.
const SELECTOR: &str = "app.kubernetes.io/name=interrex-operator";

/// The operator of the cluster.
pub(crate) struct Operator<'a> {
    cluster: &'a Cluster,
    tools: &'a Tools,
}

impl<'a> Operator<'a> {
    /// The one that is, or will be, installed.
    pub(crate) fn of(cluster: &'a Cluster, tools: &'a Tools) -> Self {
        Self { cluster, tools }
    }

    /// Installs everything, with an operator that was started just now. Somebody else's on a
    /// cluster that is not the tests' own is left alone.
    pub(crate) async fn install(&self) -> Result<(), Error> {
        if self.tools.is_foreign && self.cluster.has_deployment(NAMESPACE, OPERATOR).await? {
            let why = format!("{NAMESPACE}/{OPERATOR} is there already, and not ours to replace");
            return Err(Error::NotHere { why });
        }
        let manifest = self.tools.manifest().await?;
        let words = ["apply", "--server-side", "--force-conflicts", "-f", "-"];
        self.tools.kubectl(&words, Some(&manifest)).await?;
        // One of an earlier run may be of an earlier image of the same name.
        self.stop().await?;
        self.start().await
    }

    /// Takes away what was installed.
    pub(crate) async fn remove(&self) -> Result<(), Error> {
        let manifest = self.tools.manifest().await?;
        let words = ["delete", "--ignore-not-found", "-f", "-"];
        self.tools.kubectl(&words, Some(&manifest)).await.map(drop)
    }

    /// No operator runs from now on.
    pub(crate) async fn stop(&self) -> Result<(), Error> {
        self.scale(0).await?;
        self.until("the operator to be gone", "its pod is there", <[Place]>::is_empty).await
    }

    /// One operator runs, and is ready.
    pub(crate) async fn start(&self) -> Result<(), Error> {
        self.scale(1).await?;
        let is_ready = |pods: &[Place]| pods.iter().any(|pod| pod.is_ready && !pod.is_leaving);
        self.until("the operator to be ready", "no pod of it is ready", is_ready).await
    }

    /// Waits until its pods are so.
    async fn until(
        &self,
        what: &str,
        why_not: &str,
        is_so: impl Fn(&[Place]) -> bool,
    ) -> Result<(), Error> {
        until(what, WITHIN, async || {
            let pods = self.cluster.pods(NAMESPACE, SELECTOR).await;
            let pods = pods.map_err(|error| error.chain())?;
            if is_so(&pods) { Ok(()) } else { Err(why_not.to_owned()) }
        })
        .await
    }

    async fn scale(&self, count: u32) -> Result<(), Error> {
        let (name, count) = (format!("deployment/{OPERATOR}"), format!("--replicas={count}"));
        self.tools.kubectl(&["-n", NAMESPACE, "scale", &name, &count], None).await.map(drop)
    }

    /// The sum of all of its figures of this name.
    pub(crate) async fn figure(&self, name: &str) -> Result<f64, Error> {
        let pods = self.cluster.pods(NAMESPACE, SELECTOR).await?;
        let pod = pods.iter().find(|pod| pod.is_ready);
        let address = pod.map(|pod| crate::group::host_port(&pod.address, HTTP_PORT));
        let address = address.unwrap_or_default();
        let text = http::text(&address, "/metrics", WITHIN).await?;
        Ok(sum(&text, name))
    }
}

/// The sum of a metric over its labels.
fn sum(text: &str, name: &str) -> f64 {
    let of_it = text.lines().filter_map(|line| line.strip_prefix(name));
    let values = of_it.filter(|rest| rest.starts_with(['{', ' ']));
    values.filter_map(|rest| rest.rsplit(' ').next()?.parse::<f64>().ok()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_metric_is_summed_over_its_labels_and_no_other_is() {
        let text = "# TYPE writes counter\nwrites_total{kind=\"a b\"} 2\n\
                    writes_total{kind=\"c\"} 3\nwrites_total_other 7\nrss 8\n";
        assert!((sum(text, "writes_total") - 5.0).abs() < f64::EPSILON);
        assert!((sum(text, "rss") - 8.0).abs() < f64::EPSILON);
    }
}
