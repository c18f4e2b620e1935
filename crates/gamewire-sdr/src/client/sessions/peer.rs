//! The relays of the peer, told in signals and in statistics, and the way to them.

use bytes::Bytes;
use gamewire_wire::messages::relay::{P2pRoutes, p2p_routes};
use prost::Message as _;

use super::{super::Measurement, RelaySessions, SessionEvent};
use crate::PopId;

/// Longest routes of a peer that are looked at, in bytes.
const MAX_ROUTES_BYTES: usize = 900;
/// Most relays of a peer that are looked at.
const MAX_CLUSTERS: usize = 8;
/// Most pairs of PoPs that are told.
const MAX_TOLD_ROUTES: usize = 12;

/// A relay of the peer.
#[derive(Clone, Debug)]
struct Cluster {
    pop: PopId,
    /// From there to the peer, penalty included, in milliseconds.
    score: u32,
    token: Bytes,
}

/// The way over a relay of the peer.
#[derive(Clone, Debug)]
pub(super) struct Best {
    /// From our relay to the peer, in milliseconds.
    pub(super) score: u32,
    pub(super) token: Bytes,
}

/// What the peer told, and the revision of what we tell.
#[derive(Debug, Default)]
pub(super) struct PeerRoutes {
    clusters: Vec<Cluster>,
    /// Of the peer's routes, the newest seen.
    pub(super) revision: Option<u32>,
    /// Of ours.
    own_revision: u32,
    /// Of ours, that the peer has seen.
    pub(super) acked: Option<u32>,
}

impl PeerRoutes {
    /// Our relays have changed.
    pub(super) fn revise(&mut self) {
        self.own_revision += 1;
    }

    /// The best way from our relay in a PoP.
    pub(super) fn best(&self, own: PopId, measurement: &Measurement) -> Option<Best> {
        let ways = self.clusters.iter().filter_map(|cluster| {
            let interior = interior(measurement, own, cluster.pop)?;
            Some(Best { score: interior + cluster.score, token: cluster.token.clone() })
        });
        ways.min_by_key(|best| best.score)
    }

    fn forget(&mut self, token: &Bytes) {
        self.clusters.retain(|cluster| cluster.token != *token);
    }
}

/// Between two relays: as the one told, else as far as the config knows. Unknown is far.
fn interior(measurement: &Measurement, own: PopId, other: PopId) -> Option<u32> {
    const UNKNOWN_MS: u32 = 250;
    if own == other {
        return Some(0);
    }
    let told = measurement.pop(own).and_then(|pop| pop.clusters.get(&other).copied());
    let config = measurement.config();
    Some(told.or_else(|| config?.interior_ping(own, other)).unwrap_or(UNKNOWN_MS))
}

impl RelaySessions {
    /// What to tell the peer of our relays, and its revision: in signals as `sdr_routes`, or inline
    /// in statistics.
    pub fn local_routes(&self, measurement: &Measurement) -> (Bytes, u32) {
        let established = self.slots.iter().filter(|slot| slot.is_established());
        let with_token = established.filter_map(|slot| Some((slot, slot.token.clone()?)));
        let relay_clusters = with_token.map(|(slot, token)| p2p_routes::RelayCluster {
            pop_id: Some(slot.candidate.pop.as_u32()),
            ping_ms: Some(slot.rtt_us.map_or(slot.candidate.front_ms, |us| us.div_ceil(1000))),
            score_penalty: measurement.pop(slot.candidate.pop).map(|pop| pop.penalty),
            session_relay_routing_token: Some(token),
        });
        let pairs = self.slots.iter().flat_map(|slot| {
            let others = self.peer.clusters.iter();
            others.map(|cluster| (slot.candidate.pop, cluster.pop))
        });
        let routes = pairs.take(MAX_TOLD_ROUTES).map(|(own, other)| p2p_routes::Route {
            my_pop_id: Some(own.as_u32()),
            your_pop_id: Some(other.as_u32()),
            interior_score: interior(measurement, own, other),
            legacy_score: None,
        });
        let revision = self.peer.own_revision;
        let message = P2pRoutes {
            relay_clusters: relay_clusters.collect(),
            routes: routes.collect(),
            revision: Some(revision),
        };
        (message.encode_to_vec().into(), revision)
    }

    /// Takes the peer's routes, from a signal or a statistic. False if they are none, or old.
    pub fn handle_peer_routes(&mut self, bytes: &[u8]) -> bool {
        if bytes.len() > MAX_ROUTES_BYTES {
            return false;
        }
        let Ok(routes) = P2pRoutes::decode(bytes) else {
            return false;
        };
        let revision = routes.revision.unwrap_or(0);
        if self.peer.revision.is_some_and(|known| revision.wrapping_sub(known) >= 1 << 31) {
            return false;
        }
        self.peer.revision = Some(revision);
        let clusters = routes.relay_clusters.into_iter().take(MAX_CLUSTERS);
        self.peer.clusters = clusters
            .filter_map(|cluster| {
                let score = cluster.ping_ms.unwrap_or(0);
                Some(Cluster {
                    pop: PopId::new(cluster.pop_id?),
                    score: score.saturating_add(cluster.score_penalty.unwrap_or(0)),
                    token: cluster.session_relay_routing_token?,
                })
            })
            .collect();
        true
    }

    /// The revision of the peer's routes to acknowledge.
    pub const fn peer_routes_revision(&self) -> Option<u32> {
        self.peer.revision
    }

    /// Takes the acknowledgement of ours, from a signal.
    pub fn handle_routes_ack(&mut self, revision: u32) {
        self.peer.acked = Some(revision);
    }

    /// A token leads nowhere: it is not used until the peer names it again.
    pub(super) fn forget_token(&mut self, token: &Bytes) {
        self.peer.forget(token);
        for slot in &mut self.slots {
            if slot.target.as_ref().is_some_and(|target| target.token == *token) {
                slot.target = None;
            }
        }
        self.push_event(SessionEvent::RoutesChanged);
    }
}
