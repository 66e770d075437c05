//! `interrex render`: a group's Kubernetes objects on stdout, for clusters without an operator.

use brain::spec::{DurabilityField, DurabilityMode, ValidatedSpec};
use kubernetes::objects::{self, Credentials, Options};
use kubernetes::render::{self, Form};

use crate::args::{Render, RenderFormat};
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::spec;
use crate::ui::Printer;

pub(super) fn run(args: &Render, printer: &mut Printer) -> Outcome {
    let from = args.file.display().to_string();
    let spec = spec::anywhere(&super::up::read(&args.file)?, &from)?;
    let options = options(args, &spec);
    objects::check(&spec, &options)
        .map_err(|errors| spec::refused(&errors, &spec::makes_no_group(&from)))?;
    let form = match args.output {
        RenderFormat::Yaml => Form::Yaml,
        RenderFormat::Json => Form::Json,
    };
    let text = if args.secret {
        let drawn = Credentials::draw().map_err(|error| Failure::of(&error))?;
        render::text(&[objects::secret(&spec, &options, &drawn)], form)
    } else {
        render::text(&objects::build(&spec, &options).list(), form)
    };
    printer.raw(text.map_err(|error| Failure::of(&error))?.as_bytes())?;
    if !args.secret {
        hints(args, &spec, &options, printer);
    }
    Ok(Exit::Healthy)
}

fn options(args: &Render, spec: &ValidatedSpec) -> Options {
    let of_spec = || spec.resource().metadata.namespace.clone();
    Options {
        namespace: args.namespace.clone().or_else(of_spec),
        image: args.image.clone(),
        local_volumes: args.local_volumes.clone(),
        owner: None,
    }
}

/// What the objects still need, and what a person might not expect of them.
fn hints(args: &Render, spec: &ValidatedSpec, options: &Options, printer: &mut Printer) {
    let namespace = args.namespace.as_ref().map(|name| format!(" -n {name}")).unwrap_or_default();
    printer.say(&format!(
        "hint: the pods wait for their Secret; make it once: \
         interrex render -f {}{namespace} --secret | kubectl create -f -",
        args.file.display()
    ));
    if let Some(name) = &spec.resource().spec.auth.secret_name {
        let place = options.namespace.as_deref().map(|name| format!(" in namespace {name}"));
        printer.say(&format!(
            "hint: the clients' password is `password` of Secret {name}{}",
            place.unwrap_or_default()
        ));
    }
    let cache = DurabilityField::Mode(DurabilityMode::Cache);
    if spec.storage_bytes().is_none() && spec.resource().spec.durability != cache {
        printer.warn(
            "memory only: without spec.storage the data are gone when all pods are gone at once",
        );
    }
}
