//! `verify`: checks the kernels, measures how wide a network of a given depth must be, and reports what was found.

mod provenance;
mod rows;

fn main() {}
