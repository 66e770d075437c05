//! What can be typed after `interrex manifest`.

use std::path::PathBuf;

use clap::Args;

use kubernetes::install::NAMESPACE;
use kubernetes::objects::Options;

/// What follows the help of `manifest`.
pub(super) const MANIFEST_HELP: &str = "\
Everything that a cluster needs once: the resource Redis and the rules on it, the operator, and what
it may do. `install.yaml` is what this prints without options.

  interrex manifest | kubectl apply --server-side -f -";

/// `interrex manifest`.
#[derive(Args, Clone, Debug)]
pub(crate) struct Manifest {
    /// The namespace of the operator.
    #[arg(short, long, value_name = "NAMESPACE", default_value = NAMESPACE)]
    pub(crate) namespace: String,
    /// The image of the operator, which it brings into the pods of groups too.
    #[arg(long, value_name = "IMAGE", default_value = Options::IMAGE)]
    pub(crate) image: String,
    /// Only groups of this namespace, and no right outside of it [default: the whole cluster].
    #[arg(long, value_name = "NAMESPACE")]
    pub(crate) watch_namespace: Option<String>,
    /// How many operators: one works, the others stand by.
    #[arg(long, value_name = "N", default_value_t = 1,
        value_parser = clap::value_parser!(u32).range(0..=10))]
    pub(crate) replicas: u32,
    /// Write the generated files of a source tree instead.
    #[arg(long, value_name = "DIRECTORY", hide = true,
        conflicts_with_all = ["namespace", "image", "watch_namespace", "replicas"])]
    pub(crate) tree: Option<PathBuf>,
}
