//! The trial held against a plain engine: it must find no loss where there is none, and every loss
//! where there is one.

mod keeper;
mod plain;
mod rivals;
mod station;
