//! Starting, recognising and ending processes.
