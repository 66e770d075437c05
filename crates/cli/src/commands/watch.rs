//! `interrex watch`: a live view of a group, with keys to break it.

mod keys;
mod load;
mod model;
mod screen;

use std::time::Duration;

use ratatui::crossterm::event::{self, Event, KeyEvent, KeyEventKind};
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval};

use crate::any_group::AnyGroup;
use crate::args::Watch;
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::signals::Ends;
use crate::ui::{Printer, style::Style};

use keys::Asked;
use model::Model;

/// How often the agents are asked and the screen is drawn.
const FRAME_EVERY: Duration = Duration::from_millis(200);

/// The same through an API server that others need too.
const REMOTE_FRAME_EVERY: Duration = Duration::from_millis(500);

/// How long an agent may take: a frozen one must not hold up the view.
const ANSWER_WITHIN: Duration = Duration::from_millis(300);

/// How long the keyboard is waited for before the reader looks whether it is still wanted.
const KEY_WITHIN: Duration = Duration::from_millis(100);

pub(super) async fn run(args: Watch, printer: &mut Printer) -> Outcome {
    let group = AnyGroup::find(args.target.tag.as_deref(), &args.cluster).await?;
    if !Printer::is_terminal() {
        return Err(Failure::usage("a live view needs a terminal")
            .hint(format!("for a program: {} -o json", group.command("status"))));
    }
    show(&group, &mut Ends::listen(), printer.style).await?;
    Ok(Exit::Healthy)
}

/// Shows the live view until `q`, Ctrl-C or the end of the terminal.
pub(super) async fn show(group: &AnyGroup, ends: &mut Ends, style: Style) -> Result<(), Failure> {
    let failed = |error: std::io::Error| {
        Failure::new("cannot draw on this terminal")
            .because(&error)
            .hint(format!("without a live view: {}", group.command("status")))
    };
    let mut terminal = ratatui::try_init().map_err(failed)?;
    let shown = drive(group, &mut terminal, ends, style).await;
    ratatui::restore();
    shown.map_err(failed)
}

async fn drive(
    group: &AnyGroup,
    terminal: &mut ratatui::DefaultTerminal,
    ends: &mut Ends,
    style: Style,
) -> std::io::Result<()> {
    let mut model = Model::new(group.tag());
    let mut pressed = keyboard();
    let is_local = matches!(group, AnyGroup::Local(_));
    let meant = |key| keys::asked(key).filter(|asked| is_local || asked.is_for_any());
    let mut frames = interval(if is_local { FRAME_EVERY } else { REMOTE_FRAME_EVERY });
    frames.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = frames.tick() => {
                let seen = group.look_within(ANSWER_WITHIN).await;
                model.take(group, &seen).await;
            }
            Some(key) = pressed.recv() => match meant(key) {
                Some(Asked::Quit) => break,
                Some(asked) => keys::carry_out(asked, group, &mut model).await,
                None => {}
            },
            _ = ends.next() => break,
        }
        terminal.draw(|frame| screen::draw(frame, &model, style))?;
    }
    model.load.stop().await;
    Ok(())
}

/// Reads keys on a thread of its own; it ends when nobody listens any more.
fn keyboard() -> mpsc::Receiver<KeyEvent> {
    // More keys than a person presses in one frame; what is more is dropped.
    let (sender, receiver) = mpsc::channel(16);
    tokio::task::spawn_blocking(move || {
        while !sender.is_closed() {
            match event::poll(KEY_WITHIN) {
                Ok(true) => {}
                Ok(false) => continue,
                Err(_) => break,
            }
            let Ok(Event::Key(key)) = event::read() else { continue };
            if key.kind == KeyEventKind::Press && sender.try_send(key).is_err() {
                tracing::debug!("a key was dropped");
            }
        }
    });
    receiver
}
