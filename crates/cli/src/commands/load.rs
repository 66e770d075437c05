//! `interrex load`: the client of the tests on Kubernetes, a pod that makes load on a group and
//! tells over HTTP what its clients noticed.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::path::Path;

use client::{Credentials, Endpoint};
use tokio::net::TcpListener;
use trial::load::Way;
use trial::station::{self, Station};

use super::keep::telemetry;
use crate::args::Load;
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::signals;

pub(super) async fn run(args: Load) -> Outcome {
    telemetry();
    let way = Way {
        write: endpoint(&args.write, "--write")?,
        read: endpoint(&args.read, "--read")?,
        credentials: Some(Credentials::new(args.user, password(&args.password_file)?)),
        copies: 0,
    };
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

/// Both families where there are both: pods may have either.
async fn listen(port: u16) -> std::io::Result<TcpListener> {
    match TcpListener::bind((Ipv6Addr::UNSPECIFIED, port)).await {
        Ok(listener) => Ok(listener),
        Err(_) => TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).await,
    }
}

fn endpoint(text: &str, option: &str) -> Result<Endpoint, Failure> {
    text.parse().map_err(|error| {
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
