//! Sessions for hosted servers: opened by ticket, forwarded both ways.

use bytes::Bytes;
use gamewire_crypto::{Certificate, sha256};
use gamewire_wire::{
    address::Address,
    identity::Identity,
    limits::{MAX_CLOSE_DEBUG, MIN_PROTOCOL_VERSION},
    messages::{
        CertificateSigned,
        relay::{
            ConnectOk, ConnectRequest, ConnectionClosed, ConnectionStatsClientToRouter,
            ConnectionStatsRouterToClient, ConnectionStatsRouterToServer,
            ConnectionStatsServerToRouter, GameserverSessionEstablished, GameserverSessionRequest,
            NoConnection, NoSessionRelayToClient, NoSessionRelayToPeer,
            connection_stats_client_to_router, connection_stats_router_to_client,
        },
    },
    relay::{DataKind, DataPacket, Datagram, decode, id},
};

use super::{
    CLOSE_WAIT, Moment, Relay, RelayDrop, Side, StatsParts,
    leg::Leg,
    limits::{
        Allowance, MAX_SESSION_BYTES_PER_SECOND, MAX_SESSION_PACKETS_PER_SECOND,
        SESSION_BYTES_PER_SECOND, SESSION_PACKETS_PER_SECOND, SourceBucket,
        UNCONFIRMED_SERVER_PACKETS,
    },
    onward::{EndToEnd, NextLeg},
    reach,
    session::{Hosted, Route, Session},
};
use crate::{
    PopId,
    coordinator::{ExtraValue, SignedTicket, Ticket},
    hosted::ServerAddress,
};

/// How far ahead a ticket may expire, in seconds; those for servers on a desk may live longer.
pub const MAX_TICKET_LIFETIME_S: u64 = 25 * 3600;
/// The extra field of a ticket that grants more packets per second, in each direction.
pub const EXTRA_PACKETS_PER_SECOND: &str = "gamewire_pps";
/// The extra field of a ticket that grants more bytes per second, in each direction.
pub const EXTRA_BYTES_PER_SECOND: &str = "gamewire_bps";

const ACK_REQUESTS: u32 = connection_stats_client_to_router::Flags::AckRequestRelay as u32
    | connection_stats_client_to_router::Flags::AckRequestImmediate as u32;
const NOT_PRIMARY: u32 = connection_stats_client_to_router::Flags::NotPrimarySession as u32;
const ACK_REQUEST_E2E: u32 = connection_stats_client_to_router::Flags::AckRequestE2e as u32;
const ACK_REQUEST_IMMEDIATE: u32 =
    connection_stats_router_to_client::Flags::AckRequestImmediate as u32;
/// Flags that concern the other end.
const E2E_FLAGS: u32 = ACK_REQUEST_E2E | ACK_REQUEST_IMMEDIATE;

fn debug_text(debug: Option<String>) -> Option<String> {
    debug.map(|mut text| {
        text.truncate(text.floor_char_boundary(MAX_CLOSE_DEBUG));
        text
    })
}

/// What a ticket grants: more than usual if it says so, never more than the most.
fn granted(ticket: &Ticket, name: &str, usual: u32, most: u32) -> u32 {
    match ticket.extra(name) {
        Some(ExtraValue::Int(value)) => u32::try_from(*value).unwrap_or(usual).clamp(usual, most),
        Some(ExtraValue::Text(_) | ExtraValue::Fixed64(_)) | None => usual,
    }
}

impl Relay {
    pub(super) fn on_hosted_session_request(
        &mut self,
        at: Moment,
        from: Address,
        body: &[u8],
        length: usize,
    ) -> Result<(), RelayDrop> {
        if !self.sources.take(at.now, from, SourceBucket::SessionRequests) {
            return Err(RelayDrop::SourceLimit);
        }
        let request: GameserverSessionRequest = decode(body).map_err(|_| RelayDrop::Malformed)?;
        let connection_id = request.client_connection_id.filter(|&id| id != 0);
        let client = (from, connection_id.ok_or(RelayDrop::Malformed)?);
        if request.protocol_version.is_none_or(|version| version < MIN_PROTOCOL_VERSION) {
            return Err(RelayDrop::BadVersion);
        }
        if !self.check_challenge(at, from, request.challenge) {
            return self.answer_no_session(at, client, length, RelayDrop::BadChallenge);
        }
        let ticket = request.ticket.ok_or(RelayDrop::BadTicket)?;
        let hash = sha256(&[&ticket]);
        if let Some(session) = self.sessions.by_client(client) {
            // Asked for again: the answer got lost.
            let same = matches!(&session.route, Route::Hosted(hosted) if hosted.ticket == hash);
            return if same && session.gone_at.is_none() {
                session.last_heard = at.now;
                self.answer_established(at, client, length)
            } else {
                Err(RelayDrop::Unexpected)
            };
        }
        if self.drain.is_some() {
            return self.answer_no_session(at, client, length, RelayDrop::Draining);
        }
        let (ticket, server) = self.admit_ticket(at, from, &ticket)?;
        self.open_hosted_session(at, client, &ticket, server, hash)?;
        self.answer_established(at, client, length)
    }

    /// Everything that a ticket must pass, cheap checks first.
    fn admit_ticket(
        &mut self,
        at: Moment,
        from: Address,
        bytes: &[u8],
    ) -> Result<(Ticket, ServerAddress), RelayDrop> {
        let signed = SignedTicket::parse(bytes).map_err(|_| RelayDrop::BadTicket)?;
        let ticket = signed.ticket();
        let pop = ticket.routing.pop();
        let lifetime = u64::from(ticket.expiry).saturating_sub(at.unix);
        if lifetime > MAX_TICKET_LIFETIME_S && pop != PopId::DEV {
            return Err(RelayDrop::BadTicket);
        }
        if ticket.client_ip.is_some_and(|ip| ip.to_canonical() != from.ip()) {
            return Err(RelayDrop::WrongClientAddress);
        }
        self.afford_signature(at.now)?;
        signed.verify(&self.store, at.unix).map_err(|_| RelayDrop::BadTicket)?;
        let server = self
            .options
            .relay_keys
            .open(&ticket.routing, &signed.blob_context())
            .map_err(|_| RelayDrop::BadAddress)?;
        let allow_private = self.options.allow_private_servers;
        if !reach::may_reach(server.address, pop, &self.config, allow_private) {
            return Err(RelayDrop::ForbiddenAddress);
        }
        Ok((signed.into_ticket(), server))
    }

    fn open_hosted_session(
        &mut self,
        at: Moment,
        client: (Address, u32),
        ticket: &Ticket,
        server: ServerAddress,
        hash: [u8; 32],
    ) -> Result<(), RelayDrop> {
        let packets = granted(
            ticket,
            EXTRA_PACKETS_PER_SECOND,
            SESSION_PACKETS_PER_SECOND,
            MAX_SESSION_PACKETS_PER_SECOND,
        );
        let bytes = granted(
            ticket,
            EXTRA_BYTES_PER_SECOND,
            SESSION_BYTES_PER_SECOND,
            MAX_SESSION_BYTES_PER_SECOND,
        );
        let entropy = self.entropy.as_mut();
        let hosted = Hosted {
            server: server.address,
            pop: ticket.routing.pop(),
            routing_secret: server.routing_secret,
            ticket: hash,
            client_identity: ticket.client.clone(),
            server_identity: ticket.server.clone(),
            virtual_port: ticket.virtual_port,
            server_leg: Leg::new(at.now, entropy.next_u32() as u16),
        };
        let allowance = Allowance::new(at.now, packets, bytes);
        let session = Session {
            id: self.sessions.fresh_id(entropy),
            position: 0,
            client,
            last_heard: at.now,
            gone_at: None,
            told_at: None,
            leg: Leg::new(at.now, entropy.next_u32() as u16),
            from_client: allowance,
            to_client: allowance,
            route: Route::Hosted(Box::new(hosted)),
        };
        self.sessions.insert(session, at.now).map_err(|_| RelayDrop::SessionsFull)?;
        self.counters.sessions_opened += 1;
        Ok(())
    }

    fn answer_established(
        &mut self,
        at: Moment,
        client: (Address, u32),
        length: usize,
    ) -> Result<(), RelayDrop> {
        let seconds_until_shutdown = self.seconds_until_shutdown(at);
        let session = self.sessions.by_client(client).ok_or(RelayDrop::NoSession)?;
        let Route::Hosted(hosted) = &session.route else {
            return Err(RelayDrop::Unexpected);
        };
        let message = GameserverSessionEstablished {
            connection_id: Some(client.1),
            gameserver_identity_string: Some(hosted.server_identity.to_string()),
            seconds_until_shutdown,
            seq_num_r2c: Some(session.leg.next_sequence().into()),
            ..GameserverSessionEstablished::default()
        };
        self.answer(client.0, id::GAMESERVER_SESSION_ESTABLISHED, &message, length)
    }

    /// The first message to the server: checked against the ticket, and vouched for by the routing
    /// secret.
    pub(super) fn on_connect_request(
        &mut self,
        at: Moment,
        from: Address,
        body: &[u8],
        length: usize,
    ) -> Result<(), RelayDrop> {
        let mut request: ConnectRequest = decode(body).map_err(|_| RelayDrop::Malformed)?;
        let client = (from, request.connection_id.unwrap_or(0));
        let Some(session) = self.sessions.by_client(client) else {
            return self.answer_no_session(at, client, length, RelayDrop::NoSession);
        };
        session.last_heard = at.now;
        let Route::Hosted(hosted) = &mut session.route else {
            return Err(RelayDrop::Unexpected);
        };
        let port = request.virtual_port.unwrap_or(0);
        if hosted.virtual_port.is_some_and(|allowed| allowed != port) {
            return Err(RelayDrop::WrongPort);
        }
        // The server checks that the certificate is signed and its key present; here it counts that
        // nobody but the ticket's client gets so far.
        if cert_identity(request.cert.as_ref()).as_ref() != Some(&hosted.client_identity) {
            return Err(RelayDrop::WrongClient);
        }
        request.gameserver_relay_session_id = Some(session.id);
        request.routing_secret = (hosted.routing_secret != 0).then_some(hosted.routing_secret);
        request.legacy_client_steam_id = None;
        self.forward_to_server(at, client, id::CONNECT_REQUEST, &request, length)
    }

    /// Sends a control message to a session's server, within its limits.
    fn forward_to_server(
        &mut self,
        at: Moment,
        client: (Address, u32),
        id: u8,
        message: &impl prost::Message,
        length: usize,
    ) -> Result<(), RelayDrop> {
        let session = self.sessions.by_client(client).ok_or(RelayDrop::NoSession)?;
        let Route::Hosted(hosted) = &session.route else {
            return Err(RelayDrop::Unexpected);
        };
        let server = hosted.server;
        if !session.from_client.take(at.now, length) {
            return Err(RelayDrop::SessionLimit);
        }
        self.afford_server(at, server)?;
        self.batch.push(Side::Interior, server, |out| {
            gamewire_wire::relay::encode(id, message, out);
        });
        Ok(())
    }

    /// A server that has never answered gets little.
    fn afford_server(&mut self, at: Moment, address: Address) -> Result<(), RelayDrop> {
        let server = self.sessions.servers.get_mut(&address).ok_or(RelayDrop::NoSession)?;
        let affordable =
            server.is_confirmed || server.unconfirmed.take(at.now, UNCONFIRMED_SERVER_PACKETS, 1);
        if affordable { Ok(()) } else { Err(RelayDrop::UnconfirmedServer) }
    }

    pub(super) fn on_hosted_data(
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
        let Route::Hosted(hosted) = &mut session.route else {
            return Err(RelayDrop::Unexpected);
        };
        if session.gone_at.is_some() {
            return Err(RelayDrop::NoSession);
        }
        if !session.from_client.take(at.now, length) {
            return Err(RelayDrop::SessionLimit);
        }
        let server_address = hosted.server;
        let server = self.sessions.servers.get_mut(&server_address);
        let server = server.ok_or(RelayDrop::NoSession)?;
        if !server.is_confirmed && !server.unconfirmed.take(at.now, UNCONFIRMED_SERVER_PACKETS, 1) {
            return Err(RelayDrop::UnconfirmedServer);
        }
        // Borrowed anew: the servers were in the way.
        let session = self.sessions.by_client(client).ok_or(RelayDrop::NoSession)?;
        let Route::Hosted(hosted) = &mut session.route else {
            return Err(RelayDrop::Unexpected);
        };
        let next = NextLeg {
            side: Side::Interior,
            to: server_address,
            id: session.id,
            sent: hosted.server_leg.on_sent(at.now, packet.payload.len()),
        };
        self.forward(next, EndToEnd::of(packet));
        if let Some(stats) = packet.stats {
            let stats = decode(stats).map_err(|_| RelayDrop::Malformed)?;
            self.take_client_stats(at, client, stats)?;
        }
        Ok(())
    }

    pub(super) fn on_client_stats(
        &mut self,
        at: Moment,
        from: Address,
        body: &[u8],
        length: usize,
    ) -> Result<(), RelayDrop> {
        let stats: ConnectionStatsClientToRouter =
            decode(body).map_err(|_| RelayDrop::Malformed)?;
        let client = (from, stats.client_connection_id.unwrap_or(0));
        self.on_stats_of_client(at, client, stats.seq_num_c2r, length)?;
        self.take_client_stats(at, client, stats)
    }

    /// The client's statistics: what concerns the server goes there, the rest ends here.
    fn take_client_stats(
        &mut self,
        at: Moment,
        client: (Address, u32),
        stats: ConnectionStatsClientToRouter,
    ) -> Result<(), RelayDrop> {
        let session = self.sessions.by_client(client).ok_or(RelayDrop::NoSession)?;
        let Route::Hosted(hosted) = &mut session.route else {
            return Err(RelayDrop::Unexpected);
        };
        let (id, server) = (session.id, hosted.server);
        let flags = stats.flags.unwrap_or(0);
        let for_server = stats.quality_e2e.is_some()
            || !stats.legacy_ack_e2e.is_empty()
            || flags & ACK_REQUEST_E2E != 0;
        if for_server {
            let (sequence, _) = hosted.server_leg.on_sent(at.now, 0);
            let message = ConnectionStatsRouterToServer {
                quality_e2e: stats.quality_e2e,
                legacy_ack_e2e: stats.legacy_ack_e2e,
                flags: Some(flags & E2E_FLAGS),
                seq_num_r2s: Some(sequence.into()),
                seq_num_e2e: stats.seq_num_e2e,
                client_identity_string: Some(hosted.client_identity.to_string()),
                relay_session_id: Some(id),
                client_connection_id: Some(client.1),
                routing_secret: Some(hosted.routing_secret),
                not_primary_session: (flags & NOT_PRIMARY != 0).then_some(true),
                ..ConnectionStatsRouterToServer::default()
            };
            self.afford_server(at, server)?;
            self.batch.push(Side::Interior, server, |out| {
                gamewire_wire::relay::encode(id::STATS, &message, out);
            });
        }
        if flags & ACK_REQUESTS != 0 {
            let with_quality = stats.quality_relay.is_some();
            self.send_client_stats(at, id, &StatsParts { with_quality, ..StatsParts::default() });
        }
        Ok(())
    }

    /// Sends a session's client what the relay has to say, with parts that others had.
    pub(super) fn send_client_stats(&mut self, at: Moment, session: u32, parts: &StatsParts) {
        let seconds_until_shutdown = self.seconds_until_shutdown(at);
        let penalty = (self.options.penalty > 0).then_some(self.options.penalty);
        let migrate = self.drain.and_then(|drain| drain.to);
        let Some(session) = self.sessions.by_id(session) else {
            return;
        };
        if let Route::P2p(_) = session.route {
            let id = session.id;
            self.send_p2p_stats(at, id, parts);
            return;
        }
        let (migrate_request_ip, migrate_request_ipv6) = migrate.map_or((None, None), reach::split);
        let (sequence, _) = session.leg.on_sent(at.now, 0);
        let message = ConnectionStatsRouterToClient {
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
            client_connection_id: Some(session.client.1),
            seq_num_r2c: Some(sequence.into()),
            seq_num_e2e: parts.sequence_e2e,
        };
        self.batch.push(Side::Front, session.client.0, |out| {
            gamewire_wire::relay::encode(id::STATS, &message, out);
        });
    }

    pub(super) fn on_client_closed(
        &mut self,
        at: Moment,
        from: Address,
        body: &[u8],
        length: usize,
    ) -> Result<(), RelayDrop> {
        let closed: ConnectionClosed = decode(body).map_err(|_| RelayDrop::Malformed)?;
        let client = (from, closed.from_connection_id.unwrap_or(0));
        let Some(session) = self.sessions.by_client(client) else {
            return self.answer_no_session(at, client, length, RelayDrop::NoSession);
        };
        session.last_heard = at.now;
        session.gone_at = Some(session.gone_at.unwrap_or(at.now + CLOSE_WAIT));
        let Route::Hosted(hosted) = &session.route else {
            return self.p2p_closed(at, client, closed, length);
        };
        let id = session.id;
        let message = ConnectionClosed {
            to_connection_id: closed.to_connection_id,
            from_connection_id: closed.from_connection_id,
            from_identity_string: Some(hosted.client_identity.to_string()),
            legacy_gameserver_relay_session_id: Some(id),
            from_relay_session_id: Some(id),
            relay_mode: closed.relay_mode,
            debug: debug_text(closed.debug),
            reason_code: closed.reason_code,
            routing_secret: Some(hosted.routing_secret),
            not_primary_session: closed.not_primary_session,
            quality_e2e: closed.quality_e2e,
            ..ConnectionClosed::default()
        };
        self.forward_to_server(at, client, id::CONNECTION_CLOSED, &message, length)
    }

    pub(super) fn on_client_no_connection(
        &mut self,
        at: Moment,
        from: Address,
        body: &[u8],
        length: usize,
    ) -> Result<(), RelayDrop> {
        let message: NoConnection = decode(body).map_err(|_| RelayDrop::Malformed)?;
        let client = (from, message.from_connection_id.unwrap_or(0));
        // No answer: it is an answer itself.
        let session = self.sessions.by_client(client).ok_or(RelayDrop::NoSession)?;
        session.gone_at = Some(session.gone_at.unwrap_or(at.now + CLOSE_WAIT));
        let Route::Hosted(hosted) = &session.route else {
            return self.p2p_no_connection(at, client, message, length);
        };
        if message.end_to_end != Some(true) {
            return Ok(());
        }
        let id = session.id;
        let message = NoConnection {
            to_connection_id: message.to_connection_id,
            from_connection_id: message.from_connection_id,
            legacy_gameserver_relay_session_id: Some(id),
            from_relay_session_id: Some(id),
            from_identity_string: Some(hosted.client_identity.to_string()),
            end_to_end: Some(true),
            routing_secret: Some(hosted.routing_secret),
            ..NoConnection::default()
        };
        self.forward_to_server(at, client, id::NO_CONNECTION, &message, length)
    }

    /// A datagram on the side of servers that is not from a relay.
    pub(super) fn on_server(
        &mut self,
        at: Moment,
        from: Address,
        datagram: Datagram<'_>,
        length: usize,
    ) -> Result<(), RelayDrop> {
        match datagram {
            Datagram::Data(packet) => self.on_server_data(at, from, &packet, length),
            Datagram::Control { id, body } => match id {
                id::CONNECT_OK => self.on_connect_ok(at, from, body, length),
                id::STATS => self.on_server_stats(at, from, body, length),
                id::CONNECTION_CLOSED => self.on_server_closed(at, from, body, length),
                id::NO_CONNECTION => self.on_server_no_connection(at, from, body, length),
                id::GAMESERVER_PING_REPLY => self.on_server_ping_reply(at, from, body),
                _ => Err(RelayDrop::Unexpected),
            },
            Datagram::Ping(_) => Err(RelayDrop::Unexpected),
        }
    }

    /// The session that a server names, if it is its own; also, that the server is one.
    fn session_of_server(
        &mut self,
        at: Moment,
        from: Address,
        session: Option<u32>,
        length: usize,
    ) -> Result<&mut Session, RelayDrop> {
        let id = session.unwrap_or(0);
        let Some(session) = self.sessions.by_id(id) else {
            return Err(self.answer_stray_server(at, from, id, length));
        };
        match &session.route {
            Route::Hosted(hosted) if hosted.server == from => {}
            Route::Hosted(_) | Route::P2p(_) => return Err(RelayDrop::WrongServer),
        }
        // Nobody can guess a session's id, so our packets reach it.
        if let Some(server) = self.sessions.servers.get_mut(&from) {
            server.is_confirmed = true;
        }
        let session = self.sessions.by_id(id).ok_or(RelayDrop::NoSession)?;
        if !session.to_client.take(at.now, length) {
            return Err(RelayDrop::SessionLimit);
        }
        Ok(session)
    }

    /// Tells a server that a session is gone, with no more bytes than it sent.
    fn answer_stray_server(
        &mut self,
        at: Moment,
        to: Address,
        session: u32,
        length: usize,
    ) -> RelayDrop {
        let message = NoSessionRelayToPeer {
            from_relay_session_id: Some(session),
            ..NoSessionRelayToPeer::default()
        };
        if !self.sources.take(at.now, to, SourceBucket::StrayAnswers) {
            return RelayDrop::SourceLimit;
        }
        let sent = self.batch.push(Side::Interior, to, |out| {
            gamewire_wire::relay::encode(id::NO_SESSION, &message, out);
        });
        if sent > length {
            self.batch.pop();
            return RelayDrop::ReplyTooLong;
        }
        RelayDrop::NoSession
    }

    fn on_server_data(
        &mut self,
        at: Moment,
        from: Address,
        packet: &DataPacket<'_>,
        length: usize,
    ) -> Result<(), RelayDrop> {
        if packet.header.kind != DataKind::Server || !packet.header.is_session_id {
            return Err(RelayDrop::Unexpected);
        }
        let session = self.session_of_server(at, from, Some(packet.header.id), length)?;
        if let Route::Hosted(hosted) = &mut session.route {
            hosted.server_leg.on_received(at.now, packet.header.relay_sequence, length);
        }
        let (to, id) = session.client;
        let session_id = session.id;
        let sent = session.leg.on_sent(at.now, packet.payload.len());
        self.forward(NextLeg { side: Side::Front, to, id, sent }, EndToEnd::of(packet));
        if let Some(stats) = packet.stats {
            let stats = decode(stats).map_err(|_| RelayDrop::Malformed)?;
            self.take_server_stats(at, session_id, stats);
        }
        Ok(())
    }

    fn on_connect_ok(
        &mut self,
        at: Moment,
        from: Address,
        body: &[u8],
        length: usize,
    ) -> Result<(), RelayDrop> {
        let ok: ConnectOk = decode(body).map_err(|_| RelayDrop::Malformed)?;
        let session = self.session_of_server(at, from, ok.gameserver_relay_session_id, length)?;
        if ok.client_connection_id != Some(session.client.1) {
            return Err(RelayDrop::Unexpected);
        }
        let to = session.client.0;
        let message = ConnectOk { gameserver_relay_session_id: None, ..ok };
        self.push_to_client(to, id::CONNECT_OK, &message);
        Ok(())
    }

    fn on_server_stats(
        &mut self,
        at: Moment,
        from: Address,
        body: &[u8],
        length: usize,
    ) -> Result<(), RelayDrop> {
        let stats: ConnectionStatsServerToRouter =
            decode(body).map_err(|_| RelayDrop::Malformed)?;
        let session = self.session_of_server(at, from, stats.relay_session_id, length)?;
        if let (Route::Hosted(hosted), Some(sequence)) = (&mut session.route, stats.seq_num_s2r) {
            hosted.server_leg.on_received(at.now, sequence as u16, length);
        }
        let id = session.id;
        self.take_server_stats(at, id, stats);
        Ok(())
    }

    /// The server's statistics: what concerns the client goes there, the rest ends here.
    fn take_server_stats(&mut self, at: Moment, id: u32, stats: ConnectionStatsServerToRouter) {
        let flags = stats.flags.unwrap_or(0);
        if stats.quality_e2e.is_some()
            || !stats.legacy_ack_e2e.is_empty()
            || flags & ACK_REQUEST_E2E != 0
        {
            let parts = StatsParts {
                quality_e2e: stats.quality_e2e,
                ack_e2e: stats.legacy_ack_e2e,
                flags: Some(flags & E2E_FLAGS),
                sequence_e2e: stats.seq_num_e2e,
                ..StatsParts::default()
            };
            self.send_client_stats(at, id, &parts);
        }
        if flags & ACK_REQUESTS != 0 {
            self.send_server_stats(at, id, stats.quality_relay.is_some());
        }
    }

    /// Acknowledges a server's packet.
    fn send_server_stats(&mut self, at: Moment, id: u32, with_quality: bool) {
        let Some(session) = self.sessions.by_id(id) else { return };
        let client = session.client.1;
        let Route::Hosted(hosted) = &mut session.route else { return };
        let (sequence, _) = hosted.server_leg.on_sent(at.now, 0);
        let message = ConnectionStatsRouterToServer {
            quality_relay: with_quality.then(|| hosted.server_leg.quality(at.now)),
            ack_relay: hosted.server_leg.take_ack(at.now).into_iter().collect(),
            seq_num_r2s: Some(sequence.into()),
            relay_session_id: Some(id),
            client_connection_id: Some(client),
            routing_secret: Some(hosted.routing_secret),
            ..ConnectionStatsRouterToServer::default()
        };
        let to = hosted.server;
        self.batch.push(Side::Interior, to, |out| {
            gamewire_wire::relay::encode(id::STATS, &message, out);
        });
    }

    fn on_server_closed(
        &mut self,
        at: Moment,
        from: Address,
        body: &[u8],
        length: usize,
    ) -> Result<(), RelayDrop> {
        let closed: ConnectionClosed = decode(body).map_err(|_| RelayDrop::Malformed)?;
        let named = closed.to_relay_session_id.or(closed.legacy_gameserver_relay_session_id);
        let session = self.session_of_server(at, from, named, length)?;
        session.gone_at = Some(session.gone_at.unwrap_or(at.now + CLOSE_WAIT));
        let to = session.client.0;
        let Route::Hosted(hosted) = &session.route else {
            return Err(RelayDrop::Unexpected);
        };
        let message = ConnectionClosed {
            to_connection_id: Some(session.client.1),
            from_connection_id: closed.from_connection_id,
            from_identity_string: Some(hosted.server_identity.to_string()),
            relay_mode: closed.relay_mode,
            debug: debug_text(closed.debug),
            reason_code: closed.reason_code,
            quality_e2e: closed.quality_e2e,
            ..ConnectionClosed::default()
        };
        self.push_to_client(to, id::CONNECTION_CLOSED, &message);
        Ok(())
    }

    fn on_server_no_connection(
        &mut self,
        at: Moment,
        from: Address,
        body: &[u8],
        length: usize,
    ) -> Result<(), RelayDrop> {
        let message: NoConnection = decode(body).map_err(|_| RelayDrop::Malformed)?;
        let named = message.to_relay_session_id.or(message.legacy_gameserver_relay_session_id);
        // No answer to what is an answer.
        if self.sessions.by_id(named.unwrap_or(0)).is_none() {
            return Err(RelayDrop::NoSession);
        }
        let session = self.session_of_server(at, from, named, length)?;
        session.gone_at = Some(session.gone_at.unwrap_or(at.now + CLOSE_WAIT));
        let (to, connection_id) = session.client;
        let message = NoConnection {
            to_connection_id: Some(connection_id),
            from_connection_id: message.from_connection_id,
            end_to_end: Some(true),
            ..NoConnection::default()
        };
        self.push_to_client(to, id::NO_CONNECTION, &message);
        Ok(())
    }

    pub(super) fn push_to_client(&mut self, to: Address, id: u8, message: &impl prost::Message) {
        self.batch.push(Side::Front, to, |out| {
            gamewire_wire::relay::encode(id, message, out);
        });
    }

    /// Tells both ends of a session that it is no more.
    pub(super) fn say_session_ended(&mut self, at: Moment, session: &Session) {
        let message = NoSessionRelayToClient {
            connection_id: Some(session.client.1),
            server_time: Some(at.unix as u32),
            seconds_until_shutdown: self.seconds_until_shutdown(at),
            ..NoSessionRelayToClient::default()
        };
        self.push_to_client(session.client.0, id::NO_SESSION, &message);
        if let Route::Hosted(hosted) = &session.route {
            let message = NoSessionRelayToPeer {
                from_relay_session_id: Some(session.id),
                from_connection_id: Some(session.client.1),
                ..NoSessionRelayToPeer::default()
            };
            self.batch.push(Side::Interior, hosted.server, |out| {
                gamewire_wire::relay::encode(id::NO_SESSION, &message, out);
            });
        }
    }
}

/// Whom a certificate names; nothing of it is checked.
fn cert_identity(cert: Option<&CertificateSigned>) -> Option<Identity> {
    let bytes: &Bytes = cert?.cert.as_ref()?;
    Certificate::decode(bytes).ok()?.identity
}
