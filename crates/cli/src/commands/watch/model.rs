//! What the live view shows: the newest look at the group, figures over time, and what happened.

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use brain::report::Decision;
use client::{Connection, Value};
use tokio::time::Instant;

use super::load::{Noticed, WatchLoad};
use crate::any_group::AnyGroup;
use crate::group::{Group, Seen};
use crate::view::StatusView;

/// How many lines of what happened are kept: more than a screen has.
const LINES: usize = 200;

/// How many figures a sparkline has.
const FIGURES: usize = 30;

/// How often the primary is asked for its rate.
const RATE_EVERY: Duration = Duration::from_secs(1);

/// How long that may take: the view must not stand still because an engine does.
const RATE_WITHIN: Duration = Duration::from_millis(150);

/// Everything on the screen.
pub(super) struct Model {
    pub(super) tag: String,
    pub(super) view: Option<StatusView>,
    pub(super) lines: VecDeque<String>,
    pub(super) rates: VecDeque<u64>,
    pub(super) noticed: Option<Noticed>,
    pub(super) load: WatchLoad,
    said: BTreeSet<(u64, String, String)>,
    begun: bool,
    connection: Option<(String, Connection)>,
    rate_at: Option<Instant>,
    counted: u64,
}

impl Model {
    /// An empty view of this group.
    pub(super) fn new(tag: &str) -> Self {
        Self {
            tag: tag.to_owned(),
            view: None,
            lines: VecDeque::new(),
            rates: VecDeque::new(),
            noticed: None,
            load: WatchLoad::default(),
            said: BTreeSet::new(),
            begun: false,
            connection: None,
            rate_at: None,
            counted: 0,
        }
    }

    /// Takes what was seen of the group.
    pub(super) async fn take(&mut self, group: &AnyGroup, seen: &Seen) {
        let view = StatusView::of(group, seen);
        let decisions: Vec<&Decision> = seen.reports().flat_map(|r| &r.decisions).collect();
        self.note(&decisions);
        self.noticed = self.load.look();
        if let Some(noticed) = self.noticed {
            self.counted += noticed.new_acks;
            if let Some(gap) = noticed.ended {
                self.say(&format!("write gap {} ms", gap.as_millis()));
            }
        }
        if let AnyGroup::Local(group) = group
            && self.rate_at.is_none_or(|at| at.elapsed() >= RATE_EVERY)
        {
            let rate = self.rate(group, &view).await;
            self.rate_at = Some(Instant::now());
            self.counted = 0;
            self.rates.push_back(rate);
            if self.rates.len() > FIGURES {
                self.rates.pop_front();
            }
        }
        self.view = Some(view);
    }

    /// A line of our own.
    pub(super) fn say(&mut self, line: &str) {
        let now = jiff::Timestamp::now().as_millisecond().try_into().unwrap_or(0);
        self.push(format!("{}  {line}", super::super::why::clock(now)));
    }

    fn push(&mut self, line: String) {
        self.lines.push_back(line);
        if self.lines.len() > LINES {
            self.lines.pop_front();
        }
    }

    /// New decisions become lines; of what was decided before the view began, only the last few.
    fn note(&mut self, decisions: &[&Decision]) {
        let mut new: Vec<&Decision> = decisions
            .iter()
            .copied()
            .filter(|d| d.story)
            .filter(|d| self.said.insert((d.at_ms, d.member.clone(), d.text.clone())))
            .collect();
        new.sort_by_key(|d| (d.at_ms, d.epoch));
        let skip = if self.begun { 0 } else { new.len().saturating_sub(5) };
        self.begun |= !new.is_empty();
        for decision in &new[skip..] {
            let text = if decision.text.is_empty() { &decision.rule } else { &decision.text };
            let clock = super::super::why::clock(decision.at_ms);
            self.push(format!("{clock}  {}: {text}", decision.member));
        }
        // Agents forget too: what none of them tells any more needs no place here.
        while self.said.len() > 4 * LINES {
            self.said.pop_first();
        }
    }

    /// Operations per second as the primary counts them.
    async fn rate(&mut self, group: &Group, view: &StatusView) -> u64 {
        let primary = view.members.iter().find(|m| Some(&m.name) == view.primary.as_ref());
        let Some(address) = primary.map(|m| m.address.clone()) else { return 0 };
        let is_open = matches!(&self.connection, Some((to, c)) if *to == address && !c.is_dead());
        if !is_open {
            self.connection = open(group, &address).await.map(|c| (address, c));
        }
        let Some((_, connection)) = &self.connection else { return 0 };
        let reply = connection.call(&["INFO", "stats"], RATE_WITHIN).await;
        let text = reply.ok().and_then(Value::into_text).unwrap_or_default();
        let rate = text.lines().find_map(|l| l.strip_prefix("instantaneous_ops_per_sec:"));
        rate.and_then(|rate| rate.trim().parse().ok()).unwrap_or(0)
    }
}

async fn open(group: &Group, address: &str) -> Option<Connection> {
    let credentials = group.credentials().ok()?;
    let endpoint = Group::endpoint(address).ok()?;
    Connection::open(&endpoint, Some(&credentials), RATE_WITHIN).await.ok()
}
