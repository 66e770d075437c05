//! A group on Kubernetes: the resource and its objects as plain functions, what agents need of the
//! API, and the operator.

pub mod names;
pub mod objects;
pub mod platform;
pub mod render;
