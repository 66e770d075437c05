//! A group on one machine: processes, ports, a directory.
