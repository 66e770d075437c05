//! 128 bits that stand for a state: two independent lanes, so that of the 10⁸ states of a long
//! search two meet by accident less than once in 10²¹ searches.

use std::hash::{Hash, Hasher};

/// A state's number in the set of those that were visited.
pub(crate) type Print = u128;

/// A hasher with two lanes. Not for input that somebody chose to make it collide.
#[derive(Clone, Copy, Debug)]
struct Lanes {
    one: u64,
    two: u64,
}

const ODD: [u64; 2] = [0x9e37_79b9_7f4a_7c15, 0xd1b5_4a32_d192_ed03];

fn folded(word: u64, by: u64) -> u64 {
    let wide = u128::from(word) * u128::from(by);
    wide as u64 ^ (wide >> 64) as u64
}

impl Hasher for Lanes {
    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.write_u64(u64::from_le_bytes(word));
        }
        self.write_u64(bytes.len() as u64);
    }

    fn write_u8(&mut self, n: u8) {
        self.write_u64(u64::from(n));
    }

    fn write_u32(&mut self, n: u32) {
        self.write_u64(u64::from(n));
    }

    fn write_u64(&mut self, n: u64) {
        self.one = folded(self.one ^ n, ODD[0]).wrapping_add(n);
        self.two = folded(self.two.rotate_left(23) ^ n, ODD[1]).wrapping_add(ODD[0]);
    }

    fn write_usize(&mut self, n: usize) {
        self.write_u64(n as u64);
    }

    fn finish(&self) -> u64 {
        self.one
    }
}

/// The fingerprint of a value.
pub(crate) fn of(value: &impl Hash) -> Print {
    let mut lanes = Lanes { one: ODD[1], two: ODD[0] };
    value.hash(&mut lanes);
    u128::from(folded(lanes.one, ODD[1])) << 64 | u128::from(folded(lanes.two, ODD[0]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_lanes_tell_values_apart() {
        let all: Vec<Print> = (0..2000u64).map(|n| of(&(n, "x"))).collect();
        for half in [|p: &Print| (*p >> 64) as u64, |p: &Print| *p as u64] {
            let mut seen: Vec<u64> = all.iter().map(half).collect();
            seen.sort_unstable();
            seen.dedup();
            assert_eq!(seen.len(), 2000);
        }
        assert_ne!(of(&("ab", "c")), of(&("a", "bc")));
        assert_eq!(of(&vec![1u8, 2]), of(&vec![1u8, 2]));
    }
}
