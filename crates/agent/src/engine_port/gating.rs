//! The gate of the next engine, and what happens where an engine cannot load it (failover.md 2.7).

use std::fs;
use std::path::PathBuf;

use brain::Reason;
use engine::Engine;
use engine::files::StartFailure;
use gate::{Gate, GateError};
use platform::Platform;

use super::{EnginePort, lock};
use crate::AgentError;
use crate::inbox::Inbound;

impl<P: Platform> EnginePort<P> {
    /// Whether the next engine is started behind a gate.
    fn wants_gate(&self) -> bool {
        self.parts.config.settings.gate && self.handle.gate_refused().is_none()
    }

    /// Before the first start: whether this engine, on this platform, takes a gate at all.
    pub(crate) async fn judge_gate(&self, engine: &Engine) -> Result<(), AgentError> {
        let reason = if !self.wants_gate() {
            return Ok(());
        } else if gate::module_bytes().is_none() {
            "there is no gate for this platform".to_owned()
        } else if !engine.capabilities().gate_module {
            format!("{engine} has no event loop events for modules; the first with them is 7.0")
        } else {
            return Ok(());
        };
        if self.parts.config.gate_demanded {
            return Err(AgentError::NoGate { reason });
        }
        self.go_without_gate(reason).await;
        Ok(())
    }

    /// An engine that has not started, for this reason. Where it was the gate: without one from now
    /// on, or not at all.
    pub(super) async fn judge_start_failure(&self, failure: &StartFailure) {
        let Some(reason) = gate_refusal(failure).filter(|_| self.wants_gate()) else {
            return;
        };
        if self.parts.config.gate_demanded {
            let fatal = Inbound::Fatal(Box::new(AgentError::NoGate { reason }));
            // Closed only when the agent is ending anyway.
            let _ = self.parts.inbox.send(fatal).await;
            return;
        }
        self.go_without_gate(reason).await;
    }

    async fn go_without_gate(&self, reason: String) {
        tracing::warn!(
            reason,
            "the engine cannot load the gate: the fence is the process, which is blind to what a \
             frozen engine acknowledges in the moment of its thaw"
        );
        let text = format!("the fence is the process: the engine cannot load the gate: {reason}");
        let _ = self.handle.gate_refused.set(reason);
        // Closed only when the agent is ending anyway.
        let _ = self.parts.inbox.send(Inbound::Told(Reason::story("no-gate", text))).await;
    }

    /// The module, and the deadline file of the next run: the one that was made when there was room
    /// for it, else a new one.
    pub(super) fn gate(&self) -> Result<Option<(PathBuf, Gate)>, GateError> {
        let config = &self.parts.config;
        if !self.wants_gate() {
            return Ok(None);
        }
        let module = config.run.join(gate::MODULE_FILE);
        let is_there = gate::module_bytes()
            .is_some_and(|bytes| fs::read(&module).is_ok_and(|found| found == bytes));
        let module = if is_there { module } else { gate::write_module(&config.run)? };
        let gate = match lock(&self.spare_gate).take() {
            Some(spare) if spare.path().exists() => spare,
            _ => self.new_gate()?,
        };
        Ok(Some((module, gate)))
    }

    /// Under another name than the present run's, which goes on with its own.
    fn new_gate(&self) -> Result<Gate, GateError> {
        let names = ["gate-a", "gate-b"].map(|name| self.parts.config.run.join(name));
        let current = lock(&self.handle.gate).as_ref().map(|gate| gate.path().to_owned());
        let free = names.into_iter().find(|path| Some(path) != current.as_ref());
        Gate::create(free.expect("one run has one of two names"))
    }

    /// Makes the next run's deadline file now: a full disk must not keep an engine from starting.
    pub(super) fn prepare_next_gate(&self) {
        if self.wants_gate() {
            *lock(&self.spare_gate) = self.new_gate().ok();
        }
    }
}

/// The engine's reason, if it was our module that it did not take.
fn gate_refusal(failure: &StartFailure) -> Option<String> {
    match failure {
        StartFailure::Module { line } if line.contains(gate::MODULE_FILE) => Some(line.clone()),
        StartFailure::Directive { directive, line }
            if directive.starts_with("loadmodule") && directive.contains(gate::MODULE_FILE) =>
        {
            Some(format!("{line} (loadmodule)"))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(log: &str) -> Option<String> {
        gate_refusal(&StartFailure::find(log.lines())?)
    }

    #[test]
    fn only_our_own_module_is_done_without() {
        let loads = |file: &str| {
            format!(
                "7:M 20 Nov 2026 23:23:16.468 # Module /r/{file} failed to load: /r/{file}: failed \
                 to map segment from shared object\n\
                 7:M 20 Nov 2026 23:23:16.468 # Can't load module from /r/{file}: server aborting\n"
            )
        };
        let said = refusal(&loads(gate::MODULE_FILE)).expect("ours");
        assert!(said.contains("failed to map segment"), "{said}");
        assert_eq!(refusal(&loads("search.so")), None);
        let unknown = format!(
            "*** FATAL CONFIG FILE ERROR (Redis 7.0.15) ***\n\
             Reading the configuration file, at line 5\n\
             >>> 'loadmodule \"/r/{}\" \"/r/gate-a\"'\n\
             Bad directive or wrong number of arguments\n",
            gate::MODULE_FILE
        );
        assert!(refusal(&unknown).expect("ours").starts_with("Bad directive"));
        assert_eq!(refusal("Address already in use\n"), None);
    }
}
