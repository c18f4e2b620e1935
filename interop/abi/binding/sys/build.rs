//! Takes the declarations that the real package generated, and links the library that it is told.

use std::env;

/// Where the declarations are, as bindgen wrote them.
const DECLARATIONS: &str = "GAMEWIRE_ABI_DECLARATIONS";
/// The directory of the shared library.
const LIBRARY: &str = "GAMEWIRE_ABI_LIBRARY";

fn main() {
    let given = |name: &str| {
        println!("cargo::rerun-if-env-changed={name}");
        env::var(name).unwrap_or_else(|_| panic!("{name} is set by the program `abi`"))
    };
    println!("cargo::rustc-env={DECLARATIONS}={}", given(DECLARATIONS));
    println!("cargo::rustc-link-search=native={}", given(LIBRARY));
    println!("cargo::rustc-link-lib=dylib=GameNetworkingSockets");
}
