//! A station whose clients know nobody but whom they ask: everything that it writes, reads back and
//! removes must be where they are told to write.

use std::sync::Arc;
use std::time::Duration;

use client::{Connection, Endpoint};
use serde::de::DeserializeOwned;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{interval, timeout};
use trial::load::{Find, Finding, LoadPlan, Way};
use trial::station::{self, Begin, Finished, Members, Now, Station};
use trial::status;

use crate::keeper::Keeper;

const WITHIN: Duration = Duration::from_secs(20);

/// Knows it all the time.
#[derive(Debug)]
struct Told(Endpoint);

impl Find for Told {
    fn primary(&self) -> Finding<'_> {
        Box::pin(async { Some(self.0.clone()) })
    }
}

/// Asks a station; gives what it answers.
async fn ask<T: DeserializeOwned>(address: &str, method: &str, path: &str, body: &str) -> T {
    let asked = async {
        let mut stream = TcpStream::connect(address).await?;
        let request = format!(
            "{method} {path} HTTP/1.0\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(request.as_bytes()).await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        std::io::Result::Ok(answer)
    };
    let answer = timeout(WITHIN, asked).await.expect("in time").expect("an answer");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
    assert!(head.contains(" 200 "), "{path}: {answer}");
    serde_json::from_str(body).unwrap_or_else(|error| panic!("{path}: {error}: {body}"))
}

/// Serves a station; gives its address.
async fn serve(way: Way, tasks: &mut JoinSet<()>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("it is bound").to_string();
    tasks.spawn(async { station::serve(listener, Station::new(way)).await.expect("it serves") });
    address
}

#[tokio::test]
async fn clients_that_ask_write_and_are_counted_where_they_are_told() {
    let keeper = Keeper::start(&["--save", ""]).await;
    status::healthy(&keeper.target, WITHIN).await.expect("it is healthy");
    let engine = keeper.target.write.clone();
    let nobody = Endpoint::unix("/nobody/listens/here");
    let find: Arc<dyn Find> = Arc::new(Told(engine.clone()));
    let way = Way { write: nobody, find: Some(find), read: None, credentials: None, copies: 0 };
    let mut tasks = JoinSet::new();
    let address = serve(way, &mut tasks).await;

    let members = Members::from([("cart-0".to_owned(), engine.to_string())]);
    let begin = Begin { plan: LoadPlan::default(), copies: 0, seeds: 50, members, compare: false };
    let begin = serde_json::to_string(&begin).expect("plain data");
    let now: Now = ask(&address, "POST", "/v1/begin", &begin).await;
    let run = now.run.expect("a run is under way");
    // All keys of a run are in one shard of a cluster.
    assert!(run.starts_with("{compare}-"), "{run}");
    let flows = async {
        let mut looks = interval(Duration::from_millis(20));
        loop {
            looks.tick().await;
            let now: Now = ask(&address, "GET", "/v1/now", "").await;
            if now.acked_per_s > 100 {
                break;
            }
        }
    };
    timeout(WITHIN, flows).await.expect("writes flow");
    let connection = Connection::open(&engine, None, WITHIN).await.expect("it listens");
    let size = connection.call(&["DBSIZE"], WITHIN).await.expect("it answers").as_int();
    assert!(size > Some(50), "{size:?}");

    let finished: Finished = ask(&address, "POST", "/v1/finish", "").await;
    assert!(finished.acked > 100, "{finished:?}");
    assert!((1..finished.acked).contains(&finished.acked_probes), "{finished:?}");
    let lost = (finished.lost_acked, finished.lost_probes, finished.lost_seeds);
    assert_eq!(lost, (0, 0, 0), "{finished:?}");
    let size = connection.call(&["DBSIZE"], WITHIN).await.expect("it answers").as_int();
    assert_eq!(size, Some(0), "nothing is left");
}
