//! Every decision of a group, as a deterministic state machine. Pure.
