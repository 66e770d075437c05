//! The keys of a trial as a whole: written before, read back and compared after, removed in the
//! end.

use std::collections::{BTreeMap, BTreeSet};

use client::{Command, Connection, Credentials, Endpoint, Value};

use super::{BATCH_WITHIN, LoadError, open};
use crate::journal::Track;
use crate::ledger::{self, Tally};

/// Commands of one batch: enough to make round trips cheap, few enough not to hold up the load.
const BATCH: usize = 500;

/// Every key of a trial that an engine holds, with its value.
pub type Dataset = BTreeMap<Vec<u8>, Vec<u8>>;

/// Writes `count` keys, so that there is something to lose: a dataset that shrinks is seen.
pub async fn seed(
    write: &Endpoint,
    credentials: Option<&Credentials>,
    run: &str,
    count: u32,
) -> Result<(), LoadError> {
    let connection = open(write, credentials, "seed the dataset").await?;
    let commands: Vec<Command> = (0..count)
        .map(|n| Command::new(&["SET", &ledger::key(run, "seed", n), &format!("seed-{n:08}")]))
        .collect();
    for batch in commands.chunks(BATCH) {
        answers(&connection, batch, "seed the dataset").await?;
    }
    Ok(())
}

/// Reads back what these writers wrote, and counts.
pub async fn read_back(
    endpoint: &Endpoint,
    credentials: Option<&Credentials>,
    run: &str,
    writers: &[Track],
) -> Result<Tally, LoadError> {
    let connection = open(endpoint, credentials, "read back").await?;
    let mut tally = Tally::default();
    for track in writers {
        let commands: Vec<Command> = ledger::keys(run, track.name(), track.next_number())
            .iter()
            .map(|key| Command::new(&["GET", key]))
            .collect();
        let values = values(&answers(&connection, &commands, "read back").await?);
        tally.add(&track.writes(), &values);
    }
    Ok(tally)
}

/// Which of these writes an engine holds: for each track the numbers of its writes, in order.
pub async fn held(
    engine: &Endpoint,
    credentials: Option<&Credentials>,
    run: &str,
    tracks: &[(String, Vec<u32>)],
) -> Result<Vec<BTreeSet<u32>>, LoadError> {
    let connection = open(engine, credentials, "look for writes").await?;
    let mut all = Vec::new();
    for (name, numbers) in tracks {
        let (Some(first), Some(last)) = (numbers.first(), numbers.last()) else {
            all.push(BTreeSet::new());
            continue;
        };
        let (first, last) = (first / ledger::BITS_PER_KEY, last / ledger::BITS_PER_KEY);
        let commands: Vec<Command> = (first..=last)
            .map(|chunk| Command::new(&["GET", &ledger::key(run, name, chunk)]))
            .collect();
        let values = values(&answers(&connection, &commands, "look for writes").await?);
        let is_there =
            |number: &u32| ledger::is_set(&values, number - first * ledger::BITS_PER_KEY);
        all.push(numbers.iter().copied().filter(is_there).collect());
    }
    Ok(all)
}

/// Everything that this engine holds of a trial.
pub async fn dataset(
    engine: &Endpoint,
    credentials: Option<&Credentials>,
    run: &str,
) -> Result<Dataset, LoadError> {
    let connection = open(engine, credentials, "compare the datasets").await?;
    let keys = scan(&connection, &format!("{}:{run}:*", ledger::PREFIX)).await?;
    let mut dataset = Dataset::new();
    for batch in keys.chunks(BATCH) {
        let commands: Vec<Command> =
            batch.iter().map(|key| Command::new(&[b"GET".as_slice(), key])).collect();
        let values = values(&answers(&connection, &commands, "compare the datasets").await?);
        dataset.extend(batch.iter().cloned().zip(values));
    }
    Ok(dataset)
}

/// How many keys differ between two engines: missing on either side, or of another value.
pub fn differences(left: &Dataset, right: &Dataset) -> usize {
    let missing_left = right.keys().filter(|key| !left.contains_key(*key)).count();
    missing_left + left.iter().filter(|(key, value)| right.get(*key) != Some(value)).count()
}

/// Removes every key of a trial; gives how many there were.
pub async fn clear(
    write: &Endpoint,
    credentials: Option<&Credentials>,
    run: &str,
) -> Result<usize, LoadError> {
    let connection = open(write, credentials, "remove the trial's keys").await?;
    let keys = scan(&connection, &format!("{}:{run}:*", ledger::PREFIX)).await?;
    for batch in keys.chunks(BATCH) {
        let mut words: Vec<&[u8]> = vec![b"UNLINK"];
        words.extend(batch.iter().map(Vec::as_slice));
        answers(&connection, &[Command::new(&words)], "remove the trial's keys").await?;
    }
    Ok(keys.len())
}

async fn scan(connection: &Connection, pattern: &str) -> Result<Vec<Vec<u8>>, LoadError> {
    let mut keys = BTreeSet::new();
    let mut cursor = "0".to_owned();
    loop {
        let command = Command::new(&["SCAN", &cursor, "MATCH", pattern, "COUNT", "1000"]);
        let mut reply = answers(connection, &[command], "list the trial's keys").await?;
        let Some(Value::Array(reply)) = reply.pop() else { break };
        if let Some(Value::Array(found)) = reply.get(1) {
            keys.extend(found.iter().filter_map(bytes));
        }
        match reply.first().and_then(Value::as_text) {
            Some("0") | None => break,
            Some(next) => next.clone_into(&mut cursor),
        }
    }
    Ok(keys.into_iter().collect())
}

fn bytes(value: &Value) -> Option<Vec<u8>> {
    match value {
        Value::Bytes(bytes) => Some(bytes.clone()),
        _ => None,
    }
}

/// The values of `GET`s; empty where there is no such key.
fn values(answers: &[Value]) -> Vec<Vec<u8>> {
    answers.iter().map(|answer| bytes(answer).unwrap_or_default()).collect()
}

/// All answers; the first refusal is an error.
async fn answers(
    connection: &Connection,
    commands: &[Command],
    what: &'static str,
) -> Result<Vec<Value>, LoadError> {
    let endpoint = || connection.endpoint().clone();
    let answers = connection.pipeline(commands, BATCH_WITHIN).await.map_err(|source| {
        LoadError::Call { what, endpoint: endpoint(), source: Box::new(source) }
    })?;
    let refused =
        |source| LoadError::Refused { what, endpoint: endpoint(), source: Box::new(source) };
    answers.into_iter().map(|answer| answer.map_err(refused)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn datasets_differ_by_what_is_missing_and_by_what_is_other() {
        let dataset = |pairs: &[(&str, &str)]| -> Dataset {
            let bytes = |text: &str| text.as_bytes().to_vec();
            pairs.iter().map(|(key, value)| (bytes(key), bytes(value))).collect()
        };
        let left = dataset(&[("a", "1"), ("b", "2"), ("c", "3")]);
        assert_eq!(differences(&left, &left), 0);
        assert_eq!(differences(&left, &dataset(&[("a", "1"), ("b", "x"), ("d", "4")])), 3);
        assert_eq!(differences(&Dataset::new(), &left), 3);
    }
}
