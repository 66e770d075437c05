//! `interrex down`.

use crate::args::Down;
use crate::exit::Exit;
use crate::failure::Outcome;
use crate::ui::Printer;

pub(super) async fn run(_args: Down, _printer: &mut Printer) -> Outcome {
    Ok(Exit::Healthy)
}
