//! The whole program from outside: one test binary, a module for each area.

mod audio;
mod batch;
mod batch_run;
mod byte_tokenizer;
mod cli;
mod containers;
mod convert;
mod device_path;
mod epub;
mod hub;
mod imports;
mod layouts;
mod lora;
mod noise;
mod packed;
mod parity_clone;
mod parity_speak;
mod quantizer;
mod readme;
mod recordings;
mod rule;
mod sizes;
mod sound;
mod standins;
mod text;
