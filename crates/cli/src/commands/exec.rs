//! `interrex exec`: an engine command on a member, with the answer as `redis-cli` would print it.

use std::io::BufRead;
use std::time::Duration;

use client::{Connection, Value};

use crate::args::{Exec, Format};
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::group::Group;
use crate::ui::Printer;

/// How long the connection may take.
const CONNECT_WITHIN: Duration = Duration::from_secs(3);

/// How long a command may take; a blocking one should ask for less.
const ANSWER_WITHIN: Duration = Duration::from_secs(60);

pub(super) async fn run(args: Exec, printer: &mut Printer) -> Outcome {
    let (group, member) = Group::find_with_member(args.tag.as_deref(), args.member.as_deref())?;
    let seen = group.look().await;
    let member = group.resolve(member.as_deref().unwrap_or("primary"), &seen)?;
    let endpoint = Group::endpoint(&group.engine(&member))?;
    let credentials = group.credentials()?;
    let connection = Connection::open(&endpoint, Some(&credentials), CONNECT_WITHIN).await;
    let connection = connection.map_err(|error| {
        Failure::of(&error).hint(format!("see interrex status {}", group.tag()))
    })?;
    let mut exit = Exit::Healthy;
    if args.command == ["-"] {
        for line in std::io::stdin().lock().lines() {
            let line = line.map_err(|error| {
                Failure::new("cannot read commands from standard input").because(&error)
            })?;
            let words: Vec<&str> = line.split_whitespace().collect();
            if !words.is_empty() && one(&connection, &words, args.output.output, printer).await? {
                exit = Exit::Error;
            }
        }
    } else if one(&connection, &args.command, args.output.output, printer).await? {
        exit = Exit::Error;
    }
    Ok(exit)
}

/// Runs one command; true when the engine refused it.
async fn one<A: AsRef<[u8]>>(
    connection: &Connection,
    words: &[A],
    format: Format,
    printer: &mut Printer,
) -> Result<bool, Failure> {
    match connection.call(words, ANSWER_WITHIN).await {
        Ok(value) if format == Format::Table => printer.raw(&plain(&value))?,
        Ok(value) => printer.document(format, &document(&value))?,
        Err(error) => {
            let Some(refused) = error.refused() else { return Err(Failure::of(&error)) };
            printer.raw(format!("(error) {}\n", refused.text).as_bytes())?;
            return Ok(true);
        }
    }
    Ok(false)
}

/// As `redis-cli` prints to a pipe: one value a line, strings as they are.
fn plain(value: &Value) -> Vec<u8> {
    let mut out = match value {
        Value::Nil => Vec::new(),
        Value::Ok => b"OK".to_vec(),
        Value::Status(text) => text.clone().into_bytes(),
        Value::Int(number) => number.to_string().into_bytes(),
        Value::Bytes(bytes) => bytes.clone(),
        Value::Array(items) => {
            return items.iter().flat_map(plain).collect();
        }
        Value::Refused(refused) => format!("(error) {}", refused.text).into_bytes(),
    };
    if !out.ends_with(b"\n") {
        out.push(b'\n');
    }
    out
}

fn document(value: &Value) -> serde_json::Value {
    match value {
        Value::Nil => serde_json::Value::Null,
        Value::Int(number) => (*number).into(),
        Value::Array(items) => items.iter().map(document).collect(),
        Value::Refused(refused) => serde_json::json!({ "error": refused.text }),
        other => other.clone().into_text().into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_look_as_in_a_pipe() {
        let text = |text: &str| Value::Bytes(text.as_bytes().to_vec());
        assert_eq!(plain(&text("v")), b"v\n");
        assert_eq!(plain(&text("two\nlines\n")), b"two\nlines\n");
        assert_eq!(plain(&Value::Nil), b"\n");
        assert_eq!(plain(&Value::Array(vec![Value::Int(1), text("a")])), b"1\na\n");
        let list = Value::Array(vec![Value::Nil, Value::Ok]);
        assert_eq!(document(&list), serde_json::json!([null, "OK"]));
    }
}
