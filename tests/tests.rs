//! The whole program from outside: one test binary, a module for each area.

mod hub;
mod parity_clone;
mod parity_speak;
