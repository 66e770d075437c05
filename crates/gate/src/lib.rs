//! The engine module that ends an engine past its deadline, embedded.
