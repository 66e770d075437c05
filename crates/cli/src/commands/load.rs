//! `interrex load`: the client of the tests on Kubernetes, a pod that makes load on a group and
//! tells over HTTP what its clients noticed.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::path::Path;
use std::sync::Arc;

use client::{Credentials, Endpoint};
use tokio::net::TcpListener;
use trial::load::{Find, Way};
use trial::rivals::find::{BySentinel, BySlots, TAG};
use trial::station::{self, Station};

use super::keep::telemetry;
use crate::args::Load;
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::signals;

pub(super) async fn run(args: Load) -> Outcome {
    telemetry();
    let way = way(&args)?;
    let listener = listen(args.port).await.map_err(|error| {
        Failure::new(format!("cannot listen on port {}", args.port))
            .because(&error)
            .hint("name another with --port")
    })?;
    tokio::select! {
        served = station::serve(listener, Station::new(way)) => {
            served.map_err(|error| Failure::new("cannot answer any more").because(&error))?;
        }
        () = signals::end() => {}
    }
    Ok(Exit::Healthy)
}

/// How its clients come to who takes writes: by an address, or by asking.
fn way(args: &Load) -> Result<Way, Failure> {
    let credentials = match &args.password_file {
        Some(file) => Some(Credentials::new(args.user.clone(), password(file)?)),
        None => None,
    };
    let write = endpoints(args.write.as_slice(), "--write")?;
    let sentinels = endpoints(&args.sentinel, "--sentinel")?;
    let nodes = endpoints(&args.node, "--node")?;
    let first = write.iter().chain(&sentinels).chain(&nodes).next().cloned();
    let find: Option<Arc<dyn Find>> = if let Some(group) = &args.primary_of {
        Some(Arc::new(BySentinel::new(sentinels, group)))
    } else if nodes.is_empty() {
        None
    } else {
        Some(Arc::new(BySlots::new(nodes, TAG, credentials.clone())))
    };
    Ok(Way {
        write: first.ok_or_else(|| Failure::usage("nobody to write to").hint("name --write"))?,
        find,
        read: endpoints(args.read.as_slice(), "--read")?.pop(),
        credentials,
        copies: 0,
    })
}

/// Both families where there are both: pods may have either.
async fn listen(port: u16) -> std::io::Result<TcpListener> {
    match TcpListener::bind((Ipv6Addr::UNSPECIFIED, port)).await {
        Ok(listener) => Ok(listener),
        Err(_) => TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).await,
    }
}

fn endpoints(texts: &[String], option: &str) -> Result<Vec<Endpoint>, Failure> {
    let read = texts.iter().map(|text| text.parse::<Endpoint>());
    read.collect::<Result<_, _>>().map_err(|error| {
        Failure::usage(format!("{option} is wrong")).because(&error).hint("write cart:6379")
    })
}

/// The first line that is not empty: each line of the file is a password that is right.
fn password(file: &Path) -> Result<String, Failure> {
    let text = std::fs::read_to_string(file).map_err(|error| {
        Failure::new(format!("cannot read the password from {}", file.display()))
            .because(&error)
            .hint("mount the group's Secret, and name its key `password` with --password-file")
    })?;
    let line = text.lines().find(|line| !line.is_empty());
    line.map(str::to_owned)
        .ok_or_else(|| Failure::new(format!("{} holds no password", file.display())))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::args::{Cli, Verb};

    fn read(words: &[&str]) -> Result<Load, String> {
        let words = ["interrex", "load"].iter().chain(words);
        match Cli::try_parse_from(words).map(|cli| cli.verb) {
            Ok(Verb::Load(load)) => Ok(load),
            other => Err(format!("{other:?}")),
        }
    }

    #[tokio::test]
    async fn a_client_has_an_address_or_somebody_to_ask() {
        let way = |words: &[&str]| way(&read(words).expect("it can be typed")).expect("a way");
        let plain = way(&["--write=cart:6379", "--read=cart-replicas:6379"]);
        assert!(plain.find.is_none() && plain.credentials.is_none());
        assert_eq!(plain.read, Some(Endpoint::tcp("cart-replicas", 6379)));
        let asking = way(&["--sentinel=a:26379", "--sentinel=b:26379", "--master=rival"]);
        assert!(format!("{:?}", asking.find).contains("BySentinel"), "{asking:?}");
        let slots = way(&["--node=a:6379", "--node=b:6379"]);
        assert!(format!("{:?}", slots.find).contains("BySlots"), "{slots:?}");
        assert!(slots.read.is_none());
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for words in [
            &[][..],
            &["--sentinel=a:26379"],
            &["--master=rival"],
            &["--write=a:1", "--node=b:1"],
            &["--sentinel=a:1", "--master=rival", "--node=b:1"],
        ] {
            assert!(read(words).is_err(), "{words:?}");
        }
    }
}
