//! PID 1 beside an engine: supervises it and carries out the brain's decisions.
