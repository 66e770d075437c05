//! Writes RESP2 commands and reads RESP2 answers from what has arrived so far.

use std::io;

use super::Answer;
use crate::{Refused, Value};

/// No status, error or number of an engine is longer; more means that this is not an engine.
const LINE_BYTES: usize = 64 * 1024;
/// The longest string that an engine accepts by default (`proto-max-bulk-len`).
const BULK_BYTES: usize = 512 * 1024 * 1024;
/// Answers nest three deep at most (`CLUSTER SLOTS`, `COMMAND DOCS` a little more).
const DEPTH: usize = 16;

/// Appends one command.
pub(super) fn encode<A: AsRef<[u8]>>(out: &mut Vec<u8>, words: &[A]) {
    assert!(!words.is_empty(), "a command has a name");
    header(out, b'*', words.len());
    for word in words {
        let word = word.as_ref();
        header(out, b'$', word.len());
        out.extend_from_slice(word);
        out.extend_from_slice(b"\r\n");
    }
}

fn header(out: &mut Vec<u8>, kind: u8, count: usize) {
    out.push(kind);
    let mut digits = [0; 20];
    let mut at = digits.len();
    let mut rest = count;
    loop {
        at -= 1;
        digits[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[at..]);
    out.extend_from_slice(b"\r\n");
}

/// Reads one whole answer and its length in bytes; `None` if more bytes must come first.
pub(super) fn parse(bytes: &[u8]) -> io::Result<Option<(Answer, usize)>> {
    let mut at = 0;
    let answer = value(bytes, &mut at, DEPTH)?;
    Ok(answer.map(|value| match value {
        Value::Refused(refused) => (Err(refused), at),
        value => (Ok(value), at),
    }))
}

fn value(bytes: &[u8], at: &mut usize, depth: usize) -> io::Result<Option<Value>> {
    let Some(line) = line(bytes, at)? else { return Ok(None) };
    let (Some(kind), rest) = (line.first(), line.get(1..).unwrap_or_default()) else {
        return Err(broken("an empty line"));
    };
    Ok(Some(match kind {
        b'+' if rest == b"OK" => Value::Ok,
        b'+' => Value::Status(String::from_utf8_lossy(rest).into_owned()),
        b'-' => Value::Refused(Refused::parse(&String::from_utf8_lossy(rest))),
        b':' => Value::Int(number(rest)?),
        b'$' => match length(rest, BULK_BYTES)? {
            None => Value::Nil,
            Some(length) => return bulk(bytes, at, length),
        },
        b'*' => match length(rest, BULK_BYTES)? {
            None => Value::Nil,
            Some(_) if depth == 0 => return Err(broken("lists nested too deep")),
            Some(length) => return list(bytes, at, length, depth - 1),
        },
        other => return Err(broken(&format!("a reply that begins with byte {other}"))),
    }))
}

fn bulk(bytes: &[u8], at: &mut usize, length: usize) -> io::Result<Option<Value>> {
    let (end, next) = (*at + length, *at + length + 2);
    if bytes.len() < next {
        return Ok(None);
    }
    if &bytes[end..next] != b"\r\n" {
        return Err(broken("a string longer than announced"));
    }
    let found = bytes[*at..end].to_vec();
    *at = next;
    Ok(Some(Value::Bytes(found)))
}

fn list(bytes: &[u8], at: &mut usize, count: usize, depth: usize) -> io::Result<Option<Value>> {
    // Each item takes at least 4 bytes, so an announced length cannot reserve memory for nothing.
    let mut items = Vec::with_capacity(count.min((bytes.len() - *at) / 4));
    for _ in 0..count {
        match value(bytes, at, depth)? {
            Some(item) => items.push(item),
            None => return Ok(None),
        }
    }
    Ok(Some(Value::Array(items)))
}

fn line<'a>(bytes: &'a [u8], at: &mut usize) -> io::Result<Option<&'a [u8]>> {
    let rest = &bytes[*at..];
    let looked_at = &rest[..rest.len().min(LINE_BYTES)];
    let Some(end) = looked_at.iter().position(|byte| *byte == b'\r') else {
        return if rest.len() < LINE_BYTES { Ok(None) } else { Err(broken("an endless line")) };
    };
    match rest.get(end + 1) {
        None => Ok(None),
        Some(b'\n') => {
            *at += end + 2;
            Ok(Some(&rest[..end]))
        }
        Some(_) => Err(broken("a line that does not end in CR LF")),
    }
}

fn number(digits: &[u8]) -> io::Result<i64> {
    std::str::from_utf8(digits)
        .ok()
        .and_then(|digits| digits.parse().ok())
        .ok_or_else(|| broken("a number that is none"))
}

/// A length; `None` for -1, the absent string or list.
fn length(digits: &[u8], limit: usize) -> io::Result<Option<usize>> {
    match number(digits)? {
        -1 => Ok(None),
        length => match usize::try_from(length) {
            Ok(length) if length <= limit => Ok(Some(length)),
            _ => Err(broken("an impossible length")),
        },
    }
}

fn broken(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(text: &str) -> Value {
        Value::Bytes(text.as_bytes().to_vec())
    }

    #[test]
    fn a_command_is_a_list_of_strings() {
        let mut out = Vec::new();
        encode(&mut out, &["SET", "k", "0123456789"]);
        assert_eq!(out, b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$10\r\n0123456789\r\n");
    }

    #[test]
    fn every_kind_of_answer_is_read_whole_or_not_at_all() {
        let list = Value::Array(vec![
            Value::Int(-7),
            Value::Array(vec![Value::Nil, bytes("a\r\nb")]),
            Value::Refused(Refused::parse("WRONGTYPE no")),
        ]);
        let cases: [(&[u8], Answer); 7] = [
            (b"+OK\r\n", Ok(Value::Ok)),
            (b"+PONG\r\n", Ok(Value::Status("PONG".to_owned()))),
            (b":12\r\n", Ok(Value::Int(12))),
            (b"$-1\r\n", Ok(Value::Nil)),
            (b"$0\r\n\r\n", Ok(bytes(""))),
            (b"-READONLY no\r\n", Err(Refused::parse("READONLY no"))),
            (b"*3\r\n:-7\r\n*2\r\n$-1\r\n$4\r\na\r\nb\r\n-WRONGTYPE no\r\n", Ok(list)),
        ];
        for (text, expected) in cases {
            for cut in 0..text.len() {
                assert_eq!(parse(&text[..cut]).expect("a beginning"), None, "cut at {cut}");
            }
            let more = [text, b"+OK\r\n"].concat();
            assert_eq!(parse(&more).expect("an answer"), Some((expected, text.len())));
        }
    }

    #[test]
    fn what_no_engine_says_is_an_error() {
        let deep = "*1\r\n".repeat(DEPTH + 1);
        let endless = format!("+{}", "x".repeat(LINE_BYTES));
        let cases: [&[u8]; 9] = [
            b"HTTP/1.1 400 Bad Request\r\n",
            b"\r\n",
            b":one\r\n",
            b"$-2\r\n",
            b"$999999999999\r\n",
            b"$1\r\nabc\r\n",
            b"+OK\rX",
            deep.as_bytes(),
            endless.as_bytes(),
        ];
        for text in cases {
            assert!(parse(text).is_err(), "{:?}", String::from_utf8_lossy(text));
        }
    }
}
