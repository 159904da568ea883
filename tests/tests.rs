//! One binary for all integration tests.

mod parity_speak;
//! The whole program from outside: one test binary, a module for each area.

mod hub;
