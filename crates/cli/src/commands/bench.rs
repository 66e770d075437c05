//! `interrex bench`.

use crate::args::Bench;
use crate::exit::Exit;
use crate::failure::Outcome;
use crate::ui::Printer;

pub(super) async fn run(_args: Bench, _printer: &mut Printer) -> Outcome {
    Ok(Exit::Healthy)
}
