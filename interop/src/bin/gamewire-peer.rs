//! A peer with our library, driven by JSON lines on standard input and output: see the README of
//! `gamewire-valve-peer`, whose commands it shares as far as connections by identity go.
#![forbid(unsafe_code)]

fn main() {
    gamewire_interop::our_peer::run();
}
