//! Names the shared library as Valve's is named.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-cdylib-link-arg=-Wl,-soname,libGameNetworkingSockets.so");
}
