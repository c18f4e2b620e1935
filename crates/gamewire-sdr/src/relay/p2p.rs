//! Sessions between clients: opened by certificate, forwarded within the relay or to another one.

use bytes::Bytes;
use gamewire_crypto::{Certificate, MessageKey, VerifyContext};
use gamewire_wire::{
    address::Address,
    identity::Identity,
    limits::MIN_PROTOCOL_VERSION,
    messages::relay::{
        ConnectionClosed, ConnectionStatsP2pClientToRouter, ConnectionStatsP2pRouterToClient,
        NoConnection, P2pBadRouteRouterToClient, P2pSessionEstablished, P2pSessionRequest,
        P2pSessionRequestBody, connection_stats_p2p_client_to_router, p2p_session_request_body,
    },
    relay::{DataPacket, decode, id},
};
use prost::Message as _;

use super::{
    Moment, Relay, RelayDrop, Side, StatsParts, interior,
    leg::Leg,
    limits::{Allowance, SESSION_BYTES_PER_SECOND, SESSION_PACKETS_PER_SECOND, SourceBucket},
    onward::{EndToEnd, NextLeg},
    ping::{KIND_PING, KIND_PONG},
    reach,
    session::{ClientKey, P2p, Route, Session, Target, identity_hash},
    token::{RoutingToken, TOKEN_LEN},
};

/// Content of a datagram between relays: token, [`Origin`], data.
const KIND_DATA: u8 = 1;
/// Token, [`Origin`], message id, message.
const KIND_CONTROL: u8 = 2;
/// The sender's session, the token that leads nowhere.
const KIND_BAD_ROUTE: u8 = 3;
/// In place of a time.
const NO_TIME: u16 = u16::MAX;
/// Longest routes that are passed on, in bytes.
pub const MAX_ROUTES_BYTES: usize = 900;
/// How relays read a peer's name that is encrypted to them.
const PEER_NAME_LABEL: &str = "gamewire p2p peer name 1";

use connection_stats_p2p_client_to_router::Flags as ClientFlags;

const ACK_REQUESTS: u32 =
    ClientFlags::AckRequestRelay as u32 | ClientFlags::AckRequestImmediate as u32;
const E2E_FLAGS: u32 = ClientFlags::AckRequestE2e as u32
    | ClientFlags::AckRequestImmediate as u32
    | ClientFlags::NotPrimaryTransportE2e as u32;

/// Who sends: his session at his relay, and the hash of his identity, which his relay has checked.
#[derive(Clone, Copy, Debug)]
struct Origin {
    session: u32,
    identity: u64,
}

impl Origin {
    const LEN: usize = 12;

    fn encode(self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.session.to_le_bytes());
        out.extend_from_slice(&self.identity.to_le_bytes());
    }

    fn decode(bytes: &[u8; Self::LEN]) -> Self {
        let [s0, s1, s2, s3, i0, i1, i2, i3, i4, i5, i6, i7] = *bytes;
        Self {
            session: u32::from_le_bytes([s0, s1, s2, s3]),
            identity: u64::from_le_bytes([i0, i1, i2, i3, i4, i5, i6, i7]),
        }
    }
}

/// What is passed on from one client to the other.
#[derive(Clone, Copy)]
enum Content<'a> {
    Data { e2e_sequence: u16, time: Option<u16>, payload: &'a [u8] },
    Control { id: u8, body: &'a [u8] },
}

impl Content<'_> {
    fn encode(self, token: &RoutingToken, origin: Origin, out: &mut Vec<u8>) {
        out.push(match self {
            Self::Data { .. } => KIND_DATA,
            Self::Control { .. } => KIND_CONTROL,
        });
        out.extend_from_slice(token.as_bytes());
        origin.encode(out);
        match self {
            Self::Data { e2e_sequence, time, payload } => {
                out.extend_from_slice(&e2e_sequence.to_le_bytes());
                out.extend_from_slice(&time.unwrap_or(NO_TIME).to_le_bytes());
                out.extend_from_slice(payload);
            }
            Self::Control { id, body } => {
                out.push(id);
                out.extend_from_slice(body);
            }
        }
    }
}

impl Relay {
    pub(super) fn on_p2p_session_request(
        &mut self,
        at: Moment,
        from: Address,
        body: &[u8],
        length: usize,
    ) -> Result<(), RelayDrop> {
        if !self.sources.take(at.now, from, SourceBucket::SessionRequests) {
            return Err(RelayDrop::SourceLimit);
        }
        let request: P2pSessionRequest = decode(body).map_err(|_| RelayDrop::Malformed)?;
        let signed = request.body.as_deref().ok_or(RelayDrop::Malformed)?;
        let body: P2pSessionRequestBody = decode(signed).map_err(|_| RelayDrop::Malformed)?;
        let connection_id = body.client_connection_id.filter(|&id| id != 0);
        let client = (from, connection_id.ok_or(RelayDrop::Malformed)?);
        if body.protocol_version.is_none_or(|version| version < MIN_PROTOCOL_VERSION) {
            return Err(RelayDrop::BadVersion);
        }
        if !self.check_challenge(at, from, body.challenge) {
            return self.answer_no_session(at, client, length, RelayDrop::BadChallenge);
        }
        // Those who are here already may renew their token.
        if self.drain.is_some() && self.sessions.by_client(client).is_none() {
            return self.answer_no_session(at, client, length, RelayDrop::Draining);
        }
        let identity = self.check_requester(at, &request, signed)?;
        let peer = self.peer_name(&body).ok_or(RelayDrop::Malformed)?;
        let (identity, peer) = (identity_hash(&identity), identity_hash(&peer));
        self.open_p2p_session(at, client, identity, peer)?;
        self.answer_p2p_established(at, client, length)
    }

    /// Who asks, proven by certificate and signature.
    fn check_requester(
        &mut self,
        at: Moment,
        request: &P2pSessionRequest,
        signed: &[u8],
    ) -> Result<Identity, RelayDrop> {
        let cert = request.cert.as_ref().ok_or(RelayDrop::BadCert)?;
        let parsed = cert.cert.as_deref().and_then(|bytes| Certificate::decode(bytes).ok());
        // For one of its own apps; which does not matter here, but its CA must cover it.
        let app_id = parsed.and_then(|cert| cert.app_ids.first().copied());
        let context = VerifyContext {
            now_unix: at.unix,
            app_id: app_id.ok_or(RelayDrop::BadCert)?,
            pop: None,
            expected_identity: None,
        };
        self.afford_signature(at.now)?;
        let verified = self.store.verify_trusted(cert, &context).map_err(|_| RelayDrop::BadCert)?;
        self.afford_signature(at.now)?;
        let signature = request.signature.as_deref().unwrap_or_default();
        verified.key().verify(signed, signature).map_err(|_| RelayDrop::BadCert)?;
        verified.certificate.real_identity().cloned().ok_or(RelayDrop::BadCert)
    }

    /// Whom the client wants to reach: in clear, or encrypted to the relays' key.
    fn peer_name(&self, body: &P2pSessionRequestBody) -> Option<Identity> {
        if let Some(text) = &body.peer_identity_string {
            return text.parse().ok();
        }
        let sealed = body.encrypted_data.as_deref()?;
        let lead = u8::try_from(body.encryption_your_public_key_lead_byte?).ok()?;
        let ephemeral: &[u8; 32] =
            body.encryption_my_ephemeral_public_key.as_deref()?.try_into().ok()?;
        let pop = Some(self.options.pop);
        let plain = self.options.relay_keys.by_lead(pop, lead).find_map(|own| {
            let key = peer_name_key(&own.agree(ephemeral).ok()?);
            let mut buffer = sealed.to_vec();
            let plain = key.open([0; 12], &mut buffer).ok()?.to_vec();
            p2p_session_request_body::EncryptedData::decode(plain.as_slice()).ok()
        });
        plain?.peer_identity_string?.parse().ok()
    }

    /// Opens a session, or renews the token of the one that there is.
    fn open_p2p_session(
        &mut self,
        at: Moment,
        client: ClientKey,
        identity: u64,
        peer: u64,
    ) -> Result<(), RelayDrop> {
        if let Some(session) = self.sessions.by_client(client) {
            let Route::P2p(p2p) = &mut session.route else {
                return Err(RelayDrop::Unexpected);
            };
            if (p2p.identity, p2p.peer) != (identity, peer) || session.gone_at.is_some() {
                return Err(RelayDrop::Unexpected);
            }
            session.last_heard = at.now;
            p2p.token = self.tokens.issue(session.id, at.unix);
            return Ok(());
        }
        let entropy = self.entropy.as_mut();
        let id = self.sessions.fresh_id(entropy);
        let token = self.tokens.issue(id, at.unix);
        let allowance =
            Allowance::new(at.now, SESSION_PACKETS_PER_SECOND, SESSION_BYTES_PER_SECOND);
        let session = Session {
            id,
            position: 0,
            client,
            last_heard: at.now,
            gone_at: None,
            told_at: None,
            leg: Leg::new(at.now, entropy.next_u32() as u16),
            from_client: allowance,
            to_client: allowance,
            route: Route::P2p(P2p { identity, peer, token, target: None }),
        };
        self.sessions.insert(session, at.now).map_err(|_| RelayDrop::SessionsFull)?;
        self.counters.sessions_opened += 1;
        Ok(())
    }

    fn answer_p2p_established(
        &mut self,
        at: Moment,
        client: ClientKey,
        length: usize,
    ) -> Result<(), RelayDrop> {
        let seconds_until_shutdown = self.seconds_until_shutdown(at);
        let session = self.sessions.by_client(client).ok_or(RelayDrop::NoSession)?;
        let Route::P2p(p2p) = &session.route else {
            return Err(RelayDrop::Unexpected);
        };
        let message = P2pSessionEstablished {
            connection_id: Some(client.1),
            seconds_until_shutdown,
            relay_routing_token: Some(Bytes::copy_from_slice(p2p.token.as_bytes())),
            seq_num_r2c: Some(session.leg.next_sequence().into()),
        };
        self.answer(client.0, id::P2P_SESSION_ESTABLISHED, &message, length)
    }

    pub(super) fn on_p2p_data(
        &mut self,
        at: Moment,
        from: Address,
        packet: &DataPacket<'_>,
        length: usize,
    ) -> Result<(), RelayDrop> {
        let client = (from, packet.header.id);
        let Some(session) = self.sessions.by_client(client) else {
            return self.answer_no_session(at, client, length, RelayDrop::NoSession);
        };
        session.last_heard = at.now;
        session.leg.on_received(at.now, packet.header.relay_sequence, length);
        if session.gone_at.is_some() {
            return Err(RelayDrop::NoSession);
        }
        if !session.from_client.take(at.now, length) {
            return Err(RelayDrop::SessionLimit);
        }
        if let Some(stats) = packet.stats {
            let stats = decode(stats).map_err(|_| RelayDrop::Malformed)?;
            self.take_p2p_stats(at, client, stats)?;
        }
        let content = Content::Data {
            e2e_sequence: packet.header.e2e_sequence,
            time: packet.header.time_since_previous.map(|time| time.e2e),
            payload: packet.payload,
        };
        self.pass_on(at, client, content)
    }

    /// Sends content where the session's target leads.
    fn pass_on(
        &mut self,
        at: Moment,
        client: ClientKey,
        content: Content<'_>,
    ) -> Result<(), RelayDrop> {
        let session = self.sessions.by_client(client).ok_or(RelayDrop::NoSession)?;
        let Route::P2p(p2p) = &session.route else {
            return Err(RelayDrop::Unexpected);
        };
        let target = p2p.target.ok_or(RelayDrop::NoTarget)?;
        let origin = Origin { session: session.id, identity: p2p.identity };
        let route = target.token.route();
        if (route.relay, route.shard) == (self.id(), self.options.shard) {
            return match self.deliver(at, &target.token, origin, content) {
                Err(RelayDrop::BadToken) => {
                    self.tell_bad_route(origin.session, &target.token);
                    Err(RelayDrop::BadToken)
                }
                other => other,
            };
        }
        let Some(to) = self.interior.address(route) else {
            self.tell_bad_route(origin.session, &target.token);
            return Err(RelayDrop::BadToken);
        };
        let interior: &mut interior::Interior = &mut self.interior;
        let mut sealed = false;
        self.batch.push(Side::Interior, to, |out| {
            sealed = interior.seal(route.relay, out, |out| {
                content.encode(&target.token, origin, out);
            });
        });
        if !sealed {
            self.batch.pop();
            return Err(RelayDrop::BadToken);
        }
        if let Content::Data { payload, .. } = content {
            self.counters.to_relays += 1;
            self.counters.payload_bytes += payload.len() as u64;
        }
        Ok(())
    }

    /// Gives content to the client whose session a token of ours names, if that is who the client
    /// wants to hear from.
    fn deliver(
        &mut self,
        at: Moment,
        token: &RoutingToken,
        origin: Origin,
        content: Content<'_>,
    ) -> Result<(), RelayDrop> {
        let id = self.tokens.check(token, at.unix).ok_or(RelayDrop::BadToken)?;
        let session = self.sessions.by_id(id).filter(|session| session.gone_at.is_none());
        let session = session.ok_or(RelayDrop::BadToken)?;
        let Route::P2p(p2p) = &session.route else {
            return Err(RelayDrop::BadToken);
        };
        if p2p.peer != origin.identity {
            return Err(RelayDrop::WrongPeer);
        }
        match content {
            Content::Data { e2e_sequence, time, payload } => {
                if !session.to_client.take(at.now, payload.len()) {
                    return Err(RelayDrop::SessionLimit);
                }
                let (to, id) = session.client;
                let sent = session.leg.on_sent(at.now, payload.len());
                let content = EndToEnd { sequence: e2e_sequence, time, payload };
                self.forward(NextLeg { side: Side::Front, to, id, sent }, content);
                Ok(())
            }
            Content::Control { id: message, body } => {
                if !session.to_client.take(at.now, body.len()) {
                    return Err(RelayDrop::SessionLimit);
                }
                self.deliver_control(at, id, message, body)
            }
        }
    }

    /// Decoded and encoded anew: what the other relay passed on is a client's word.
    fn deliver_control(
        &mut self,
        at: Moment,
        session: u32,
        message: u8,
        body: &[u8],
    ) -> Result<(), RelayDrop> {
        let session_id = session;
        let session = self.sessions.by_id(session).ok_or(RelayDrop::NoSession)?;
        let (to, connection_id) = session.client;
        match message {
            id::CONNECTION_CLOSED => {
                let closed: ConnectionClosed = decode(body).map_err(|_| RelayDrop::Malformed)?;
                let closed = ConnectionClosed {
                    to_connection_id: Some(connection_id),
                    ..end_to_end_part(closed)
                };
                self.push_to_client(to, id::CONNECTION_CLOSED, &closed);
            }
            id::NO_CONNECTION => {
                let message: NoConnection = decode(body).map_err(|_| RelayDrop::Malformed)?;
                let message = NoConnection {
                    to_connection_id: Some(connection_id),
                    from_connection_id: message.from_connection_id,
                    end_to_end: Some(true),
                    ..NoConnection::default()
                };
                self.push_to_client(to, id::NO_CONNECTION, &message);
            }
            id::P2P_STATS_CLIENT => {
                let stats: ConnectionStatsP2pRouterToClient =
                    decode(body).map_err(|_| RelayDrop::Malformed)?;
                let parts = StatsParts {
                    quality_e2e: stats.quality_e2e,
                    ack_e2e: stats.legacy_ack_e2e,
                    flags: stats.flags.map(|flags| flags & E2E_FLAGS),
                    sequence_e2e: stats.seq_num_e2e,
                    routes: stats.routes.filter(|routes| routes.len() <= MAX_ROUTES_BYTES),
                    ack_routes: stats.ack_peer_routes_revision,
                    with_quality: false,
                };
                self.send_p2p_stats(at, session_id, &parts);
            }
            _ => return Err(RelayDrop::Unexpected),
        }
        Ok(())
    }

    /// Tells a client that its target leads nowhere; it chooses another one.
    fn tell_bad_route(&mut self, session: u32, token: &RoutingToken) {
        let Some(session) = self.sessions.by_id(session) else { return };
        let Route::P2p(p2p) = &session.route else { return };
        // Of a target that is not in use any more it need not know.
        let Some(target) = p2p.target.filter(|target| target.token == *token) else { return };
        let message = P2pBadRouteRouterToClient {
            connection_id: Some(session.client.1),
            failed_relay_routing_token: Some(Bytes::copy_from_slice(token.as_bytes())),
            ack_forward_target_revision: Some(target.revision),
            kludge_pad: None,
        };
        let to = session.client.0;
        self.push_to_client(to, id::P2P_BAD_ROUTE, &message);
    }

    pub(super) fn on_p2p_stats(
        &mut self,
        at: Moment,
        from: Address,
        body: &[u8],
        length: usize,
    ) -> Result<(), RelayDrop> {
        let stats: ConnectionStatsP2pClientToRouter =
            decode(body).map_err(|_| RelayDrop::Malformed)?;
        let client = (from, stats.connection_id.unwrap_or(0));
        self.on_stats_of_client(at, client, stats.seq_num_c2r, length)?;
        self.take_p2p_stats(at, client, stats)
    }

    /// A client's statistics: a new target is taken, what concerns the peer goes there.
    fn take_p2p_stats(
        &mut self,
        at: Moment,
        client: ClientKey,
        stats: ConnectionStatsP2pClientToRouter,
    ) -> Result<(), RelayDrop> {
        let session = self.sessions.by_client(client).ok_or(RelayDrop::NoSession)?;
        let Route::P2p(p2p) = &mut session.route else {
            return Err(RelayDrop::Unexpected);
        };
        let id = session.id;
        let mut has_new_target = false;
        if let Some(bytes) = &stats.forward_target_relay_routing_token {
            let token = RoutingToken::from_bytes(bytes).ok_or(RelayDrop::BadToken)?;
            let revision = stats.forward_target_revision.unwrap_or(0);
            // Late messages must not bring an old target back.
            if p2p.target.is_none_or(|target| revision.wrapping_sub(target.revision) < 1 << 31) {
                p2p.target = Some(Target { token, revision });
                has_new_target = true;
            }
        }
        let flags = stats.flags.unwrap_or(0);
        if has_new_target || flags & ACK_REQUESTS != 0 {
            let with_quality = stats.quality_relay.is_some();
            self.send_p2p_stats(at, id, &StatsParts { with_quality, ..StatsParts::default() });
        }
        let routes = stats.routes.filter(|routes| routes.len() <= MAX_ROUTES_BYTES);
        let for_peer = stats.quality_e2e.is_some()
            || !stats.legacy_ack_e2e.is_empty()
            || routes.is_some()
            || stats.ack_peer_routes_revision.is_some()
            || flags & ClientFlags::AckRequestE2e as u32 != 0;
        if !for_peer {
            return Ok(());
        }
        let body = ConnectionStatsP2pRouterToClient {
            quality_e2e: stats.quality_e2e,
            legacy_ack_e2e: stats.legacy_ack_e2e,
            flags: Some(flags & E2E_FLAGS),
            routes,
            ack_peer_routes_revision: stats.ack_peer_routes_revision,
            seq_num_e2e: stats.seq_num_e2e,
            ..ConnectionStatsP2pRouterToClient::default()
        }
        .encode_to_vec();
        self.pass_on(at, client, Content::Control { id: id::P2P_STATS_CLIENT, body: &body })
    }

    pub(super) fn send_p2p_stats(&mut self, at: Moment, session: u32, parts: &StatsParts) {
        let seconds_until_shutdown = self.seconds_until_shutdown(at);
        let penalty = (self.options.penalty > 0).then_some(self.options.penalty);
        let migrate = self.drain.and_then(|drain| drain.to);
        let Some(session) = self.sessions.by_id(session) else { return };
        let Route::P2p(p2p) = &session.route else { return };
        let revision = p2p.target.map(|target| target.revision);
        let (migrate_request_ip, migrate_request_ipv6) = migrate.map_or((None, None), reach::split);
        let (sequence, _) = session.leg.on_sent(at.now, 0);
        let message = ConnectionStatsP2pRouterToClient {
            quality_relay: parts.with_quality.then(|| session.leg.quality(at.now)),
            quality_e2e: parts.quality_e2e.clone(),
            seconds_until_shutdown,
            migrate_request_ip,
            migrate_request_ipv6,
            migrate_request_port: migrate.map(|to| to.port().into()),
            scoring_penalty_relay_cluster: penalty,
            ack_relay: session.leg.take_ack(at.now).into_iter().collect(),
            legacy_ack_e2e: parts.ack_e2e.clone(),
            flags: parts.flags,
            ack_forward_target_revision: revision,
            routes: parts.routes.clone(),
            ack_peer_routes_revision: parts.ack_routes,
            connection_id: Some(session.client.1),
            seq_num_r2c: Some(sequence.into()),
            seq_num_e2e: parts.sequence_e2e,
        };
        let to = session.client.0;
        self.push_to_client(to, id::P2P_STATS_CLIENT, &message);
    }

    pub(super) fn p2p_closed(
        &mut self,
        at: Moment,
        client: ClientKey,
        closed: ConnectionClosed,
        length: usize,
    ) -> Result<(), RelayDrop> {
        let session = self.sessions.by_client(client).ok_or(RelayDrop::NoSession)?;
        if !session.from_client.take(at.now, length) {
            return Err(RelayDrop::SessionLimit);
        }
        // It may come with a target that no packet has gone to yet.
        if let (Route::P2p(p2p), Some(bytes)) =
            (&mut session.route, &closed.forward_target_relay_routing_token)
            && let (None, Some(token)) = (p2p.target, RoutingToken::from_bytes(bytes))
        {
            p2p.target = Some(Target { token, revision: 0 });
        }
        let body = end_to_end_part(closed).encode_to_vec();
        self.pass_on(at, client, Content::Control { id: id::CONNECTION_CLOSED, body: &body })
    }

    pub(super) fn p2p_no_connection(
        &mut self,
        at: Moment,
        client: ClientKey,
        message: NoConnection,
        length: usize,
    ) -> Result<(), RelayDrop> {
        if message.end_to_end != Some(true) {
            return Ok(());
        }
        let session = self.sessions.by_client(client).ok_or(RelayDrop::NoSession)?;
        if !session.from_client.take(at.now, length) {
            return Err(RelayDrop::SessionLimit);
        }
        let body = NoConnection {
            to_connection_id: message.to_connection_id,
            from_connection_id: message.from_connection_id,
            end_to_end: Some(true),
            ..NoConnection::default()
        }
        .encode_to_vec();
        self.pass_on(at, client, Content::Control { id: id::NO_CONNECTION, body: &body })
    }

    /// A datagram from another relay, or from another shard of this one.
    pub(super) fn on_interior(
        &mut self,
        at: Moment,
        from: Address,
        datagram: &mut [u8],
    ) -> Result<(), RelayDrop> {
        if datagram.len() > gamewire_wire::relay::MAX_INTERIOR_DATAGRAM {
            return Err(RelayDrop::Malformed);
        }
        let (signatures, now) = (&mut self.signatures, at.now);
        let afford = || signatures.take(now, super::SIGNATURE_CHECKS, 1);
        let opened = self.interior.open(datagram, afford).ok_or(RelayDrop::BadInterior)?;
        let (relay, content) = opened;
        let (&kind, body) = content.split_first().ok_or(RelayDrop::Malformed)?;
        match kind {
            KIND_DATA | KIND_CONTROL => self.on_passed_on(at, relay, from, kind, body),
            KIND_BAD_ROUTE => {
                let (session, token) = body.split_first_chunk::<4>().ok_or(RelayDrop::Malformed)?;
                let token = RoutingToken::from_bytes(token).ok_or(RelayDrop::Malformed)?;
                // Only the relay that the token leads to can say so.
                if token.route().relay != relay {
                    return Err(RelayDrop::BadInterior);
                }
                self.tell_bad_route(u32::from_le_bytes(*session), &token);
                Ok(())
            }
            KIND_PING => self.on_relay_ping(relay, from, body),
            KIND_PONG => self.on_relay_pong(at, relay, body),
            _ => Err(RelayDrop::Unexpected),
        }
    }

    fn on_passed_on(
        &mut self,
        at: Moment,
        relay: u32,
        from: Address,
        kind: u8,
        body: &[u8],
    ) -> Result<(), RelayDrop> {
        const MALFORMED: RelayDrop = RelayDrop::Malformed;
        let (token, rest) = body.split_first_chunk::<TOKEN_LEN>().ok_or(MALFORMED)?;
        let token = RoutingToken::from_bytes(token).ok_or(MALFORMED)?;
        let (origin, rest) = rest.split_first_chunk::<{ Origin::LEN }>().ok_or(MALFORMED)?;
        let origin = Origin::decode(origin);
        let content = if kind == KIND_DATA {
            let (numbers, payload) = rest.split_first_chunk::<4>().ok_or(MALFORMED)?;
            let [e0, e1, t0, t1] = *numbers;
            let time = Some(u16::from_le_bytes([t0, t1])).filter(|&time| time != NO_TIME);
            Content::Data { e2e_sequence: u16::from_le_bytes([e0, e1]), time, payload }
        } else {
            let (&id, body) = rest.split_first().ok_or(MALFORMED)?;
            Content::Control { id, body }
        };
        let result = self.deliver(at, &token, origin, content);
        if result == Err(RelayDrop::BadToken) {
            let interior: &mut interior::Interior = &mut self.interior;
            self.batch.push(Side::Interior, from, |out| {
                interior.seal(relay, out, |out| {
                    out.push(KIND_BAD_ROUTE);
                    out.extend_from_slice(&origin.session.to_le_bytes());
                    out.extend_from_slice(token.as_bytes());
                });
            });
        }
        result
    }
}

/// What of a goodbye is for the other end.
fn end_to_end_part(closed: ConnectionClosed) -> ConnectionClosed {
    let debug = closed.debug.map(|mut text| {
        text.truncate(text.floor_char_boundary(gamewire_wire::limits::MAX_CLOSE_DEBUG));
        text
    });
    ConnectionClosed {
        to_connection_id: closed.to_connection_id,
        from_connection_id: closed.from_connection_id,
        relay_mode: closed.relay_mode,
        debug,
        reason_code: closed.reason_code,
        quality_e2e: closed.quality_e2e,
        not_primary_transport: closed.not_primary_transport,
        ..ConnectionClosed::default()
    }
}

/// The key under which a client tells relays its peer's name.
pub(crate) fn peer_name_key(secret: &gamewire_crypto::SharedSecret) -> MessageKey {
    MessageKey::derive(secret, PEER_NAME_LABEL, &[])
}
