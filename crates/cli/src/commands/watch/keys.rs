//! What a key asks for, and doing it.

use std::time::Duration;

use local::links::{Cut, CutFrom, Direction};
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::model::Model;
use crate::any_group::AnyGroup;
use crate::failure::Failure;
use crate::group::{Group, Seen};
use crate::handover::Wish;
use crate::hands::{self, Which};

/// How long a handover may take.
const HANDOVER_WITHIN: Duration = Duration::from_secs(10);

/// What a key asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    KillPrimary,
    KillReplica,
    Pause,
    Cut,
    Heal,
    Load,
    Failover,
    Quit,
}

impl Asked {
    /// Whether it makes sense for a group that is not on this machine.
    pub(super) fn is_for_any(self) -> bool {
        matches!(self, Self::Failover | Self::Quit)
    }
}

/// What this key asks for.
pub(super) fn asked(key: KeyEvent) -> Option<Asked> {
    Some(match key.code {
        KeyCode::Char('c') if key.modifiers.contains(KeyModifiers::CONTROL) => Asked::Quit,
        KeyCode::Char('q') | KeyCode::Esc => Asked::Quit,
        KeyCode::Char('k') => Asked::KillPrimary,
        KeyCode::Char('r') => Asked::KillReplica,
        KeyCode::Char('p') => Asked::Pause,
        KeyCode::Char('c') => Asked::Cut,
        KeyCode::Char('h') => Asked::Heal,
        KeyCode::Char('l') => Asked::Load,
        KeyCode::Char('f') => Asked::Failover,
        _ => return None,
    })
}

/// Does it, and leaves a line about it.
pub(super) async fn carry_out(asked: Asked, any: &AnyGroup, model: &mut Model) {
    let seen = any.look_within(super::ANSWER_WITHIN).await;
    let said = match (asked, any) {
        (Asked::Quit, _) => return,
        (Asked::Failover, any) => failover(any, &seen).await,
        (asked, AnyGroup::Local(group)) => break_it(asked, group, &seen, model).await,
        (_, AnyGroup::Remote(_)) => return,
    };
    let line = said.unwrap_or_else(|failure| {
        let causes: Vec<String> = failure.causes.iter().map(|c| format!(": {c}")).collect();
        format!("{}{}", failure.what, causes.concat())
    });
    model.say(&line);
}

/// What only the hands on this machine can do.
async fn break_it(
    asked: Asked,
    group: &Group,
    seen: &Seen,
    model: &mut Model,
) -> Result<String, Failure> {
    match asked {
        Asked::KillPrimary => kill("primary", group, seen),
        Asked::KillReplica => kill("replica", group, seen),
        Asked::Pause => pause(group, seen),
        Asked::Cut => cut(group, seen).await,
        Asked::Heal => heal(group).await,
        Asked::Load => model.load.toggle(group).await,
        Asked::Failover | Asked::Quit => Ok(String::new()),
    }
}

fn kill(word: &str, group: &Group, seen: &Seen) -> Result<String, Failure> {
    let member = group.resolve(word, seen)?;
    for (what, process) in hands::processes(group, &member, seen, Which::Engine)? {
        process.kill().map_err(|error| {
            Failure::new(format!("cannot kill the {what} of {}", member.name)).because(&error)
        })?;
    }
    Ok(format!("you killed the engine of {} (SIGKILL)", member.name))
}

fn pause(group: &Group, seen: &Seen) -> Result<String, Failure> {
    let member = group.resolve("primary", seen)?;
    let processes = hands::processes(group, &member, seen, Which::Both)?;
    hands::note_paused(group, &member, &processes)?;
    for (what, process) in &processes {
        hands::freeze(process).map_err(|error| {
            Failure::new(format!("cannot freeze the {what} of {}", member.name)).because(&error)
        })?;
    }
    Ok(format!("you froze {} (SIGSTOP); [h] thaws it", member.name))
}

async fn cut(group: &Group, seen: &Seen) -> Result<String, Failure> {
    let member = group.resolve("primary", seen)?;
    let cut = Cut {
        member: member.name.clone(),
        from: CutFrom::Everyone,
        direction: Direction::Both,
        plane: None,
    };
    let done = hands::control(group)?.cut(&cut).await;
    done.map_err(|error| Failure::of(&error))?;
    Ok(format!("you cut {} from the store and its peers; [h] heals it", member.name))
}

async fn heal(group: &Group) -> Result<String, Failure> {
    let thawed = hands::thaw_noted(group, None)?;
    let control = hands::control(group)?;
    let cuts = control.cuts().await.map_err(|error| Failure::of(&error))?.len();
    control.heal_all().await.map_err(|error| Failure::of(&error))?;
    Ok(format!("you healed {cuts} cut flows and thawed {thawed} processes"))
}

async fn failover(group: &AnyGroup, seen: &Seen) -> Result<String, Failure> {
    let primary = seen.judgement.primary.as_deref();
    let primary = primary.ok_or_else(|| Failure::new("there is no primary now"))?;
    let asked = group.hand_over(seen, primary, &Wish::default(), HANDOVER_WITHIN).await;
    asked.map(|said| format!("handover: {said}")).map_err(|error| Failure::of(&error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_c_quits_and_c_cuts() {
        let key = |code, modifiers| asked(KeyEvent::new(code, modifiers));
        let c = KeyCode::Char('c');
        assert_eq!(key(c, KeyModifiers::CONTROL), Some(Asked::Quit));
        assert_eq!(key(c, KeyModifiers::NONE), Some(Asked::Cut));
        assert_eq!(key(KeyCode::Char('x'), KeyModifiers::NONE), None);
    }
}
