//! Links the ENet of the system.

fn main() {
    println!("cargo:rustc-link-lib=enet");
}
