//! UDP in batches, by `recvmmsg` and `sendmmsg`: the one module that names the operating system.

mod batch;
mod socket;
mod stop;

pub use batch::{BATCH, Receiver, Sender};
pub use socket::{Socket, thread_cpu_time, wait};
pub use stop::{stop_requested, watch_stop_signals};
