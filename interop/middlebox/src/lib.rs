//! A bad network for real packets, where the kernel has no netem: IP packets go between two TUN
//! devices, each perhaps in a network namespace of its own, and a seed decides which of them are
//! late, lost, swapped or doubled.
//!
//! What a link does is [`gamewire_sim::network::Link`]'s business, the same that the simulator uses;
//! this crate owns the devices and the clock. It never looks into a packet.

mod middlebox;
mod tun;

pub use self::{
    middlebox::Middlebox,
    tun::{Place, Tun},
};
