//! The objects of every example, and what must hold for each of them.
