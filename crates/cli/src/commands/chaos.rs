//! `interrex chaos`.

use crate::args::Chaos;
use crate::exit::Exit;
use crate::failure::Outcome;
use crate::ui::Printer;

pub(super) async fn run(_args: Chaos, _printer: &mut Printer) -> Outcome {
    Ok(Exit::Healthy)
}
