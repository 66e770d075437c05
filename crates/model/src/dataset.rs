//! What an engine holds: at most three writes in order, by number. Their count is its offset.

/// The most writes that a world may make.
pub const WRITES: u8 = 3;

/// A sequence of writes 1..=3 in one byte: two bits of length, then two bits a write.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Log(pub u8);

impl Log {
    /// The offset: how many writes.
    pub fn len(self) -> u8 {
        self.0 >> 6
    }

    /// Whether there are no writes.
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// The write at this place, from 0.
    pub fn at(self, place: u8) -> u8 {
        (self.0 >> (2 * place)) & 3
    }

    /// With one more write at its end.
    pub fn with(self, write: u8) -> Log {
        let len = self.len();
        Log(((len + 1) << 6) | (self.0 & 63) | (write << (2 * len)))
    }

    /// The first `len` writes.
    pub fn cut(self, len: u8) -> Log {
        let len = len.min(self.len());
        let kept = (1u16 << (2 * len)) - 1;
        Log((len << 6) | (self.0 & kept as u8))
    }

    /// Whether `other` begins with this.
    pub fn begins(self, other: Log) -> bool {
        self.len() <= other.len() && other.cut(self.len()) == self
    }

    /// Whether this write is in it.
    pub fn has(self, write: u8) -> bool {
        (0..self.len()).any(|place| self.at(place) == write)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_keeps_what_is_put_in_order() {
        let log = Log::default().with(2).with(1).with(3);
        assert_eq!((log.len(), log.at(0), log.at(1), log.at(2)), (3, 2, 1, 3));
        assert_eq!(log.cut(1), Log::default().with(2));
        assert!(log.cut(2).begins(log) && !log.begins(log.cut(2)));
        assert!(log.has(3) && !log.cut(2).has(3) && Log::default().is_empty());
    }
}
