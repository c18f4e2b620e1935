//! Signals that came by way of the hub.

use gamewire_wire::Identity;

use crate::core::Core;

impl Core {
    /// Takes one signal of a peer. Called on the service thread, with nothing locked. The hub
    /// vouches for `from`.
    pub(crate) fn on_hub_signal(&self, from: &Identity, signal: &[u8]) {
        tracing::debug!(%from, bytes = signal.len(), "a signal came, and nothing takes it yet");
    }
}
