//! An agent at rest: its memory and its share of a core, read where the system tells.

use std::time::Duration;

use serde::Serialize;
use tokio::time::{Instant, sleep};

use crate::process::stat;
use crate::status::Group;

/// Clock ticks a second in `/proc/<pid>/stat`: a constant of Linux's interface to programs,
/// whatever the kernel itself counts in.
const TICKS_PER_S: f64 = 100.0;
/// What an agent may take (docs/SPECIFICATION.md): MiB of memory.
pub const RSS_MIB: f64 = 12.0;
/// And percent of a core.
pub const CPU_PERCENT: f64 = 0.5;

/// What one agent took.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct AgentAtRest {
    /// The member.
    pub member: String,
    /// Resident memory in MiB, files mapped by it included.
    pub rss_mib: f64,
    /// Percent of one core, over the time of the watch.
    pub cpu_percent: f64,
}

impl AgentAtRest {
    /// Whether it is as small as it must be.
    pub fn passed(&self) -> bool {
        self.rss_mib <= RSS_MIB && self.cpu_percent <= CPU_PERCENT
    }
}

/// Watches all agents for `length`, with no load on the group. Empty where the system does not tell
/// (anything but Linux).
pub async fn at_rest(group: &Group, length: Duration) -> Vec<AgentAtRest> {
    let agents: Vec<(String, i32)> = group
        .members
        .iter()
        .filter_map(|member| Some((member.name.clone(), i32::try_from(member.agent_pid).ok()?)))
        .collect();
    let begun = Instant::now();
    let before: Vec<Option<f64>> = agents.iter().map(|(_, pid)| cpu_s(*pid)).collect();
    // The length of the measurement.
    sleep(length).await;
    let took = begun.elapsed().as_secs_f64();
    let rest = agents.into_iter().zip(before).filter_map(|((member, pid), before)| {
        let cpu_percent = (cpu_s(pid)? - before?) / took * 100.0;
        Some(AgentAtRest { member, rss_mib: rss_mib(pid)?, cpu_percent })
    });
    rest.collect()
}

/// Processor time of a process, all threads, in seconds.
fn cpu_s(pid: i32) -> Option<f64> {
    // Fields 14 and 15 of the line; `stat` begins with the third.
    let fields = stat(pid)?;
    let ticks = |at: usize| fields.get(at)?.parse::<f64>().ok();
    Some((ticks(11)? + ticks(12)?) / TICKS_PER_S)
}

fn rss_mib(pid: i32) -> Option<f64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
    Some(line.split_whitespace().nth(1)?.parse::<f64>().ok()? / 1024.0)
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use super::*;

    #[test]
    fn a_process_says_what_it_takes() {
        let me = std::process::id() as i32;
        let begun = cpu_s(me).expect("this process runs");
        let mut sum = 0_u64;
        while cpu_s(me).expect("this process runs") - begun < 0.03 {
            sum = std::hint::black_box(sum.wrapping_add(1));
        }
        let mib = rss_mib(me).expect("this process runs");
        assert!(mib > 0.5 && mib < 4096.0, "{mib}");
        assert_eq!(cpu_s(i32::MAX), None);
    }
}
