//! Signals that come and go by way of the hub.

use std::sync::{Arc, Weak};

use gamewire_wire::Identity;

use crate::{
    core::Core,
    handle::ConnectionHandle,
    signaling::{ConnectionSignaling, SignalingRecvContext},
    status::ConnectionInfo,
};

/// The hub as the channel to one peer.
struct HubChannel {
    core: Weak<Core>,
    peer: Identity,
}

impl ConnectionSignaling for HubChannel {
    fn send_signal(&self, _: ConnectionHandle, _: &ConnectionInfo, signal: &[u8]) -> bool {
        let Some(core) = self.core.upgrade() else { return false };
        let Some(hub) = &core.hub else { return false };
        // What does not fit is lost, as signals may be: they are repeated.
        if let Err(error) = hub.send_signal(&self.peer, signal) {
            tracing::debug!(peer = %self.peer, %error, "a signal is not sent");
        }
        true
    }
}

/// Answers by way of the hub. Only who listens is there at all.
struct HubContext<'a> {
    core: &'a Arc<Core>,
    /// Who the hub says sent the signal.
    from: &'a Identity,
}

impl SignalingRecvContext for HubContext<'_> {
    fn on_connect_request(
        &mut self,
        _: ConnectionHandle,
        peer: &Identity,
        _: i32,
    ) -> Option<Box<dyn ConnectionSignaling>> {
        Some(Box::new(self.core.hub_channel(peer)?))
    }

    fn send_rejection_signal(&mut self, peer: &Identity, signal: &[u8]) {
        if let Some(hub) = self.core.hub.as_ref().filter(|_| peer == self.from)
            && let Err(error) = hub.send_signal(peer, signal)
        {
            tracing::debug!(%peer, %error, "a refusal is not sent");
        }
    }

    fn needs_listener(&self) -> bool {
        true
    }
}

impl Core {
    /// The hub as a channel to a peer, if there is one.
    pub(crate) fn hub_signaling(
        self: &Arc<Self>,
        peer: &Identity,
    ) -> Option<Arc<dyn ConnectionSignaling>> {
        let channel = self.hub_channel(peer)?;
        if let Some(hub) = &self.hub {
            hub.want();
        }
        Some(Arc::new(channel))
    }

    fn hub_channel(self: &Arc<Self>, peer: &Identity) -> Option<HubChannel> {
        self.hub.as_ref()?;
        Some(HubChannel { core: Arc::downgrade(self), peer: peer.clone() })
    }

    /// Takes one signal of a peer. Called on the service thread, with nothing locked. The hub
    /// vouches for `from`.
    pub(crate) fn on_hub_signal(self: &Arc<Self>, from: &Identity, signal: &[u8]) {
        let mut context = HubContext { core: self, from };
        if !self.received_signal_from(Some(from), signal, &mut context) {
            tracing::debug!(%from, "a signal that came by way of the hub makes no sense");
        }
    }
}
