//! What a place to run must offer: record, roster, route.
