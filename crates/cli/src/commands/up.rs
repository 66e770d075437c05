//! `interrex up`.

use crate::args::Up;
use crate::exit::Exit;
use crate::failure::Outcome;
use crate::ui::Printer;

pub(super) async fn run(_args: Up, _printer: &mut Printer) -> Outcome {
    Ok(Exit::Healthy)
}
