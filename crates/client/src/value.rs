//! What an engine answers.

/// A reply of an engine that is not an error (RESP2: nothing else travels on our connections).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// No such thing.
    Nil,
    /// `OK`.
    Ok,
    /// Any other status: `PONG`, `QUEUED`.
    Status(String),
    /// A number.
    Int(i64),
    /// A string, which may be binary.
    Bytes(Vec<u8>),
    /// A list of replies. A map comes as a list of names and values in turn.
    Array(Vec<Value>),
    /// An error inside a list: one command of a transaction that was refused.
    Refused(crate::Refused),
}

impl Value {
    /// The text of a status or of a string that is UTF-8.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Ok => Some("OK"),
            Self::Status(text) => Some(text),
            Self::Bytes(bytes) => std::str::from_utf8(bytes).ok(),
            _ => None,
        }
    }

    /// The text of a status or string, with replacement characters where it is not UTF-8.
    pub fn into_text(self) -> Option<String> {
        match self {
            Self::Bytes(bytes) => Some(String::from_utf8_lossy(&bytes).into_owned()),
            other => other.as_text().map(str::to_owned),
        }
    }

    /// A number, also one that came as text.
    pub fn as_int(&self) -> Option<i64> {
        match self {
            Self::Int(number) => Some(*number),
            other => other.as_text()?.parse().ok(),
        }
    }

    /// The items of a list.
    pub fn as_array(&self) -> Option<&[Self]> {
        match self {
            Self::Array(items) => Some(items),
            _ => None,
        }
    }

    /// Names and values of a map that came as a list, such as the answer to `CONFIG GET`.
    /// `None` if it is no list, a name is no text, or the last name has no value.
    pub fn as_pairs(&self) -> Option<Vec<(&str, &Self)>> {
        let items = self.as_array()?;
        if items.len() % 2 == 1 {
            return None;
        }
        items.chunks_exact(2).map(|pair| Some((pair[0].as_text()?, &pair[1]))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(text: &str) -> Value {
        Value::Bytes(text.as_bytes().to_vec())
    }

    #[test]
    fn numbers_and_texts_are_read_in_every_shape() {
        assert_eq!(bytes("12").as_int(), Some(12));
        assert_eq!(Value::Int(-3).as_int(), Some(-3));
        assert_eq!(Value::Nil.as_int(), None);
        assert_eq!(Value::Ok.as_text(), Some("OK"));
        assert_eq!(Value::Bytes(vec![0xff]).as_text(), None);
        assert_eq!(Value::Bytes(vec![0xff]).into_text().as_deref(), Some("\u{fffd}"));
    }

    #[test]
    fn pairs_come_from_even_lists_only() {
        let list = Value::Array(vec![bytes("maxmemory"), bytes("0")]);
        assert_eq!(list.as_pairs(), Some(vec![("maxmemory", &bytes("0"))]));
        assert_eq!(Value::Array(vec![bytes("maxmemory")]).as_pairs(), None);
        assert_eq!(Value::Array(vec![Value::Nil, Value::Nil]).as_pairs(), None);
    }
}
