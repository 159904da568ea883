//! One binary for all integration tests.

mod parity_speak;
