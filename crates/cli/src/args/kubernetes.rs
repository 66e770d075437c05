//! What can be typed of the verbs that only Kubernetes has.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

/// `interrex render`.
#[derive(Args, Clone, Debug)]
pub(crate) struct Render {
    /// A spec; `-` reads standard input.
    #[arg(short, long, value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// Print the Secret in place of the rest, with a freshly drawn password and peers' key.
    #[arg(long)]
    pub(crate) secret: bool,
    /// The namespace of the objects [default: the spec's own, else that of whoever applies them].
    #[arg(short, long, value_name = "NAMESPACE")]
    pub(crate) namespace: Option<String>,
    /// The image that brings this program into the pods.
    #[arg(long, value_name = "IMAGE", default_value = ::kubernetes::objects::Options::IMAGE)]
    pub(crate) image: String,
    /// Make local volumes: one directory of a host for each member, in their order.
    #[arg(long, value_name = "HOST=PATH", num_args = 1.., value_delimiter = ',')]
    pub(crate) local_volumes: Vec<::kubernetes::objects::LocalVolume>,
    /// How to print the objects.
    #[arg(short, long, value_enum, default_value_t, value_name = "FORMAT")]
    pub(crate) output: RenderFormat,
}

/// `interrex operator`.
#[derive(Args, Clone, Debug)]
pub(crate) struct Operator {
    /// Only groups of this namespace [default: all].
    #[arg(long, value_name = "NAMESPACE", env = kubernetes::names::WATCH_NAMESPACE_ENV)]
    pub(crate) watch_namespace: Option<String>,
    /// The namespace that it runs in: there operators agree on who works.
    #[arg(long, value_name = "NAMESPACE", env = kubernetes::names::NAMESPACE_ENV)]
    pub(crate) namespace: Option<String>,
    /// Its name among other operators: its pod's.
    #[arg(long, value_name = "NAME", env = kubernetes::names::POD_NAME_ENV)]
    pub(crate) name: Option<String>,
    /// The image that brings this program into the pods.
    #[arg(
        long,
        value_name = "IMAGE",
        env = kubernetes::names::IMAGE_ENV,
        default_value = ::kubernetes::objects::Options::IMAGE
    )]
    pub(crate) image: String,
    /// Where `/live`, `/ready` and `/metrics` are served.
    #[arg(long, value_name = "ADDRESS", default_value = "0.0.0.0:8379")]
    pub(crate) listen: std::net::SocketAddr,
}

/// How objects are printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum RenderFormat {
    /// One document after the other.
    #[default]
    Yaml,
    /// One List.
    Json,
}

/// `interrex crd`.
#[derive(Args, Clone, Copy, Debug)]
pub(crate) struct Crd {
    /// Only the definition, without the policy.
    #[arg(long)]
    pub(crate) only_definition: bool,
}

/// Where to.
#[derive(Args, Clone, Debug)]
pub(crate) struct Install {
    /// The directory.
    #[arg(value_name = "DIRECTORY")]
    pub(crate) directory: PathBuf,
}

/// `interrex load`.
#[derive(Args, Clone, Debug)]
pub(crate) struct Load {
    /// Where to write, host:port.
    #[arg(long, value_name = "HOST:PORT", required_unless_present_any = ["sentinel", "node"])]
    pub(crate) write: Option<String>,
    /// Where to read, host:port [default: where it writes].
    #[arg(long, value_name = "HOST:PORT")]
    pub(crate) read: Option<String>,
    /// A Sentinel to ask for the primary before each connect, host:port; may be repeated.
    #[arg(
        long,
        hide = true,
        value_name = "HOST:PORT",
        requires = "primary_of",
        conflicts_with_all = ["write", "node"]
    )]
    pub(crate) sentinel: Vec<String>,
    /// What the Sentinels call the group.
    #[arg(long = "master", hide = true, value_name = "NAME", requires = "sentinel")]
    pub(crate) primary_of: Option<String>,
    /// A cluster's node to ask for the slot map, host:port; may be repeated.
    #[arg(long, hide = true, value_name = "HOST:PORT", conflicts_with = "write")]
    pub(crate) node: Vec<String>,
    /// The clients' password: the first line of this file [default: none is sent].
    #[arg(long, value_name = "FILE")]
    pub(crate) password_file: Option<PathBuf>,
    /// As whom.
    #[arg(long, value_name = "NAME", default_value = "default")]
    pub(crate) user: String,
    /// The port that answers.
    #[arg(long, value_name = "PORT", default_value_t = trial::station::PORT)]
    pub(crate) port: u16,
}
