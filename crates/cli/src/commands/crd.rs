//! `interrex crd`: what a Kubernetes cluster must know once.

use kubernetes::crd::{definition, policy, policy_binding};

use crate::args::{Crd, Format};
use crate::exit::Exit;
use crate::failure::Outcome;
use crate::ui::Printer;

pub(super) fn run(args: Crd, printer: &mut Printer) -> Outcome {
    printer.document(Format::Yaml, &definition())?;
    if !args.only_definition {
        printer.line("---")?;
        printer.document(Format::Yaml, &policy())?;
        printer.line("---")?;
        printer.document(Format::Yaml, &policy_binding())?;
    }
    Ok(Exit::Healthy)
}
