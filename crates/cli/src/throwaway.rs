//! A group for one trial: started under a drawn name, and gone afterwards, whatever happens.

use std::time::Duration;

use brain::spec::ValidatedSpec;
use local::down;
use local::engines::Wanted as Engine;
use local::netns::{Networks, disk};
use local::up::Started;

use crate::commands::up::{Plan, start};
use crate::failure::Failure;
use crate::group::Group;
use crate::signals::Ends;
use crate::spec::{self, Wanted};
use crate::ui::Printer;

/// Takeovers an hour that a trial may cause: the most that a spec takes (failover.md 2.3 L2).
const BUDGET: i64 = 1000;

/// How long such a group may take to serve.
const READY_WITHIN: Duration = Duration::from_secs(60);

/// The name of a group in namespaces.
pub(crate) const APART: &str = "chaos";

/// How the parts of such a group reach each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Ways {
    /// By links, which can be cut.
    Links,
    /// Engines replicate without links between them: for measurements.
    Direct,
    /// By a network of their own: each part in its namespace.
    Apart(Networks),
}

/// A running group without a future.
pub(crate) struct Throwaway {
    /// The group.
    pub(crate) group: Group,
    started: Started,
}

impl Throwaway {
    /// Starts one.
    pub(crate) async fn start(
        wanted: &Wanted,
        engine: Option<&str>,
        ways: Ways,
        printer: &mut Printer,
    ) -> Result<Self, Failure> {
        let direct = ways == Ways::Direct;
        let networks = if let Ways::Apart(networks) = ways { Some(networks) } else { None };
        let spec = spec::of_options("trial", wanted)?;
        let mut resource = spec.resource().clone();
        resource.spec.failover.budget = BUDGET;
        let spec: ValidatedSpec = resource
            .validate()
            .map_err(|errors| spec::refused(&errors, "this makes no group for a trial"))?;
        let plan = Plan {
            // Whoever made the namespaces knows the group by its name.
            tag: networks.is_some().then(|| APART.to_owned()),
            spec: Some(spec),
            engine: engine.map_or(Engine::Any, Engine::from_words),
            port: None,
            direct,
            networks,
            timeout: READY_WITHIN,
        };
        let started = start(&plan, &mut Ends::listen(), printer).await?;
        Ok(Self { group: Group { home: started.home.clone() }, started })
    }

    /// Ends the group and removes everything of it.
    pub(crate) async fn end(self, printer: &mut Printer) -> Result<(), Failure> {
        crate::hands::thaw_noted(&self.group, None)?;
        let home = &self.started.home;
        if let Some(networks) = &home.group().networks {
            // Its disks go before its directory, and after whoever writes to them.
            let ended = down::down(home, false).await;
            ended.map_err(|error| Failure::of(&error).hint_if(error.hint()))?;
            disk::remove(networks.number).map_err(|error| Failure::of(&error))?;
        }
        let ended = down::down(home, true).await;
        ended.map_err(|error| Failure::of(&error).hint_if(error.hint()))?;
        printer.step(&format!("{} is down", self.group.tag()), "its processes and data are gone");
        Ok(())
    }
}
