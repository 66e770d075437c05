//! `interrex manifest`: what a Kubernetes cluster needs once, as YAML on stdout; and the files of
//! the source tree that are made of the same.

use std::path::Path;

use kubernetes::install::{self, Install};
use kubernetes::render::{self, Form};

use crate::args::Manifest;
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::spec;
use crate::ui::Printer;

pub(super) fn run(args: &Manifest, printer: &mut Printer) -> Outcome {
    if let Some(tree) = &args.tree {
        return write(tree, printer);
    }
    let install = Install {
        namespace: args.namespace.clone(),
        image: args.image.clone(),
        watched: args.watch_namespace.clone(),
        replicas: args.replicas,
    };
    install::check(&install)
        .map_err(|errors| spec::refused(&errors, "these options make no operator"))?;
    let text = render::text(&install::manifest(&install), Form::Yaml);
    printer.raw(text.map_err(|error| Failure::of(&error))?.as_bytes())?;
    Ok(Exit::Healthy)
}

/// Writes what differs, and says so.
fn write(tree: &Path, printer: &mut Printer) -> Outcome {
    for file in install::files().map_err(|error| Failure::of(&error))? {
        let path = tree.join(file.path);
        if std::fs::read_to_string(&path).is_ok_and(|found| found == file.text) {
            continue;
        }
        let directory = path.parent().unwrap_or(tree);
        std::fs::create_dir_all(directory)
            .and_then(|()| std::fs::write(&path, &file.text))
            .map_err(|error| {
                let what = format!("cannot write {}", path.display());
                Failure::new(what).because(&error).hint("name the root of the source tree")
            })?;
        printer.line(file.path)?;
    }
    Ok(Exit::Healthy)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_is_written_once() {
        let tree = tempfile::tempdir().expect("a directory");
        let mut printer = Printer::new(true, true);
        assert_eq!(write(tree.path(), &mut printer).expect("written"), Exit::Healthy);
        let manifest = tree.path().join("install.yaml");
        let first = std::fs::metadata(&manifest).and_then(|m| m.modified()).expect("a file");
        write(tree.path(), &mut printer).expect("nothing to do");
        let second = std::fs::metadata(&manifest).and_then(|m| m.modified()).expect("a file");
        assert_eq!(first, second);
    }
}
