//! House rules live in this crate's tests; the library itself is empty.
