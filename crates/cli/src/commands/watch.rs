//! `interrex watch`.

use crate::args::Watch;
use crate::exit::Exit;
use crate::failure::Outcome;
use crate::ui::Printer;

pub(super) async fn run(_args: Watch, _printer: &mut Printer) -> Outcome {
    Ok(Exit::Healthy)
}
