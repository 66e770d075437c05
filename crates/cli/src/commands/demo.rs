//! `interrex demo`.

use crate::args::Demo;
use crate::exit::Exit;
use crate::failure::Outcome;
use crate::ui::Printer;

pub(super) async fn run(_args: Demo, _printer: &mut Printer) -> Outcome {
    Ok(Exit::Healthy)
}
