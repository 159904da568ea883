//! The whole program from outside: one test binary, a module for each area.

mod audio;
mod batch;
mod check;
mod cli;
mod containers;
mod convert;
mod hub;
mod jobs;
mod layouts;
mod listen;
mod packed;
mod parity_clone;
mod parity_speak;
mod standins;
