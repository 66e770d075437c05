//! Carrying out what the judgement wants: begun in order, answered by inputs.

use std::sync::Arc;

use brain::{
    Act, Effect, EngineCommand, EngineNews, Input, PersistId, Record, RequestId, Settings,
    StoreOutcome, Version,
};
use platform::{Platform, RecordStore, StoreError};

use crate::clock;
use crate::driver::{Leaving, World};
use crate::engine_port::Order;
use crate::inbox::{Inbound, Inbox};

/// Begins one effect.
pub(crate) fn begin<P: Platform>(
    world: &mut World<P>,
    settings: &Settings,
    epoch: u64,
    effect: Effect,
) {
    world.decisions.note(&settings.me.0, epoch, name(&effect.act), &effect.why);
    match effect.act {
        Act::Read { request } => read(world, outer(world.base, request)),
        Act::Replace { request, expected, record } => {
            replace(world, outer(world.base, request), expected, *record);
        }
        Act::Send { to, message } => world.peers.send(&to, message),
        Act::Engine { request, command } => engine(world, outer(world.base, request), command),
        Act::Gate(deadline) => {
            if let Err(error) = world.engine.set_gate(deadline) {
                // The last deadline stands: the engine ends at it, which is safe.
                tracing::error!(error = crate::engine_port::in_words(&error), "the gate is stuck");
            }
        }
        Act::Route(route) => {
            world.route.send_replace(Some(route));
        }
        Act::Members(members) => world.peers.set(&members),
        Act::Persist { id, memory } => {
            world.persister.write(PersistId(world.base + id.0), *memory);
        }
        Act::Note => {}
        Act::Answer { ask, result } => {
            if let Some(reply) = world.asks.remove(&ask) {
                // Whoever asked may have given up.
                let _ = reply.send(result);
            }
        }
        Act::Leave => {
            world.engine.kill();
            world.leaving = Some(Leaving::Done);
        }
        Act::StartAnew => {
            world.engine.kill();
            world.leaving = Some(Leaving::StartAnew);
        }
    }
}

fn outer(base: u64, request: RequestId) -> RequestId {
    RequestId(base + request.0)
}

fn name(act: &Act) -> &'static str {
    match act {
        Act::Read { .. } => "read",
        Act::Replace { .. } => "replace",
        Act::Send { .. } => "send",
        Act::Engine { .. } => "engine",
        Act::Gate(_) => "gate",
        Act::Route(_) => "route",
        Act::Members(_) => "members",
        Act::Persist { .. } => "persist",
        Act::Note => "note",
        Act::Answer { .. } => "answer",
        Act::Leave => "leave",
        Act::StartAnew => "start-anew",
    }
}

/// Commands go in order through the engine task; a kill overtakes them all.
fn engine<P: Platform>(world: &mut World<P>, request: RequestId, command: EngineCommand) {
    if command == EngineCommand::Kill {
        world.engine.kill();
        did(world, request, Ok(()));
        return;
    }
    if world.engine.order(Order::Command(request, command)).is_err() {
        did(world, request, Err("too many commands wait for the engine".to_owned()));
    }
}

fn did<P: Platform>(world: &mut World<P>, request: RequestId, result: Result<(), String>) {
    let inbox = world.inbox.clone();
    let news = Input::Engine(EngineNews::Did { request, result });
    // A task, as the loop that empties the inbox must not wait for room in it.
    world.tasks.spawn(async move { put(&inbox, news).await });
}

async fn put(inbox: &Inbox, input: Input) {
    // Closed only when the agent is ending.
    let _ = inbox.send(Inbound::Input(input)).await;
}

fn read<P: Platform>(world: &mut World<P>, request: RequestId) {
    let (platform, inbox) = (Arc::clone(&world.platform), world.inbox.clone());
    let within = clock::duration(world.store_timeout);
    world.tasks.spawn(async move {
        let call = platform.record().read(within);
        let outcome = match tokio::time::timeout(within, call).await {
            Ok(Ok(found)) => StoreOutcome::Read(found),
            Ok(Err(error)) => failed(error),
            Err(_) => StoreOutcome::Unavailable("no answer in time".to_owned()),
        };
        put(&inbox, Input::Store { request, outcome }).await;
    });
}

fn replace<P: Platform>(
    world: &mut World<P>,
    request: RequestId,
    expected: Option<Version>,
    record: Record,
) {
    let (platform, inbox) = (Arc::clone(&world.platform), world.inbox.clone());
    let within = clock::duration(world.store_timeout);
    world.tasks.spawn(async move {
        let call = platform.record().replace(expected.as_ref(), &record, within);
        let outcome = match tokio::time::timeout(within, call).await {
            Ok(Ok(version)) => StoreOutcome::Replaced(version),
            Ok(Err(error)) => failed(error),
            // It may still be carried out.
            Err(_) => StoreOutcome::Unanswered,
        };
        put(&inbox, Input::Store { request, outcome }).await;
    });
}

fn failed(error: StoreError) -> StoreOutcome {
    match error {
        StoreError::Conflict => StoreOutcome::Conflict,
        StoreError::Unavailable(why) => StoreOutcome::Unavailable(why),
        StoreError::Unanswered(_) => StoreOutcome::Unanswered,
    }
}
