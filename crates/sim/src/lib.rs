//! The world a group lives in, simulated from a seed. Pure.
