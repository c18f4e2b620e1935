//! Sending and receiving.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use gamewire_proto::{
    Time,
    connection::SendError as MachineSendError,
    event::ConnectionState,
    lane::{LaneConfig, MAX_LANES},
    send::{EnqueueError, INTERNAL_HEADER_BYTES, LaneError, MAX_MESSAGE_BYTES, OutgoingMessage},
};

use super::Sockets;
use crate::{
    error::{ConnectionError, LanesError, SendError},
    handle::{ConnectionHandle, PollGroupHandle},
    message::{Message, Outgoing, SendFlags},
    pipe::PipeSendError,
    slot::{Machine, Slot, SlotState},
};

impl Sockets {
    /// Sends a message on lane 0. Returns its number.
    ///
    /// The content is copied; [`Sockets::send`] takes [`Bytes`] without copying.
    ///
    /// # Errors
    /// See [`SendError`]; the message comes back.
    #[doc(alias = "SendMessageToConnection")]
    pub fn send_message(
        &self,
        connection: ConnectionHandle,
        payload: &[u8],
        flags: SendFlags,
    ) -> Result<u64, SendError> {
        let Some(slot) = self.core.slot(connection) else {
            let payload = Bytes::copy_from_slice(payload);
            return Err(SendError::NoSuchConnection(Outgoing::new(connection, payload, flags)));
        };
        let mut state = slot.lock();
        let payload = state.copies.copy(payload);
        let now = self.core.clock.now();
        let message = Outgoing::new(connection, payload, flags);
        let result = self.enqueue(&slot, &mut state, now, message);
        self.core.settle(&slot, &mut state, now);
        result
    }

    /// Sends one message as it is. Returns its number.
    ///
    /// # Errors
    /// See [`SendError`]; the message comes back.
    pub fn send(&self, message: Outgoing) -> Result<u64, SendError> {
        let Some(slot) = self.core.slot(message.connection) else {
            return Err(SendError::NoSuchConnection(message));
        };
        let mut state = slot.lock();
        let now = self.core.clock.now();
        let result = self.enqueue(&slot, &mut state, now, message);
        self.core.settle(&slot, &mut state, now);
        result
    }

    /// As [`Sockets::send`], but waits for room, at most `timeout` (`None`: for ever).
    ///
    /// # Errors
    /// As [`Sockets::send`]; for want of room only once the time is over.
    pub fn send_wait(
        &self,
        message: Outgoing,
        timeout: Option<Duration>,
    ) -> Result<u64, SendError> {
        let Some(slot) = self.core.slot(message.connection) else {
            return Err(SendError::NoSuchConnection(message));
        };
        let mut waiting = Some(message);
        let sent = slot.writable.wait(timeout, || match self.send(waiting.take()?) {
            Err(SendError::LimitExceeded(message)) => {
                waiting = Some(message);
                None
            }
            result => Some(result),
        });
        match (sent, waiting) {
            (Some(result), _) => result,
            (None, Some(message)) => Err(SendError::LimitExceeded(message)),
            (None, None) => unreachable!("a message is sent, refused or given back"),
        }
    }

    /// Sends many messages, taking each connection's lock once for a run of messages. The results
    /// are in the order of the messages. Once a message fails, later ones for the same connection
    /// are not tried, so that the order holds. What failed is given back in its error.
    #[doc(alias = "SendMessages")]
    pub fn send_messages(
        &self,
        messages: impl IntoIterator<Item = Outgoing>,
    ) -> Vec<Result<u64, SendError>> {
        let messages = messages.into_iter();
        let mut results = Vec::with_capacity(messages.size_hint().0);
        let mut failed: Vec<ConnectionHandle> = Vec::new();
        let mut messages = messages.peekable();
        while let Some(first) = messages.next() {
            let connection = first.connection;
            let Some(slot) = self.core.slot(connection) else {
                if failed.contains(&connection) {
                    results.push(Err(SendError::NotTried(first)));
                } else {
                    failed.push(connection);
                    results.push(Err(SendError::NoSuchConnection(first)));
                }
                continue;
            };
            let mut state = slot.lock();
            let now = self.core.clock.now();
            let mut next = Some(first);
            while let Some(message) = next {
                let result = if failed.contains(&connection) {
                    Err(SendError::NotTried(message))
                } else {
                    self.enqueue(&slot, &mut state, now, message)
                };
                if result.is_err() && !failed.contains(&connection) {
                    failed.push(connection);
                }
                results.push(result);
                next = messages.next_if(|message| message.connection == connection);
            }
            self.core.settle(&slot, &mut state, now);
        }
        results
    }

    fn enqueue(
        &self,
        slot: &Arc<Slot>,
        state: &mut SlotState,
        now: Time,
        message: Outgoing,
    ) -> Result<u64, SendError> {
        // The application may have closed it between finding the slot and taking its lock.
        if slot.is_closed() {
            return Err(SendError::NoSuchConnection(message));
        }
        let header = if slot.peer_side.as_ref().is_some_and(|side| side.is_session()) {
            INTERNAL_HEADER_BYTES
        } else {
            0
        };
        if message.payload.len() > MAX_MESSAGE_BYTES + header {
            return Err(SendError::TooLarge(message));
        }
        let machine = match &mut state.machine {
            Machine::Pipe(pipe) => {
                return pipe.send(now, &message).map_err(|error| match error {
                    PipeSendError::NoConnection => SendError::NoConnection(message),
                    PipeSendError::InvalidLane => SendError::InvalidLane(message),
                    PipeSendError::TooLarge => SendError::TooLarge(message),
                });
            }
            Machine::Udp(machine) => machine,
            Machine::Peer(peer) => peer.connection_mut(),
        };
        let Outgoing { connection, payload, flags, lane, deadline, user_data } = message;
        let outgoing = OutgoingMessage {
            payload,
            lane,
            reliable: flags.is_reliable(),
            no_nagle: flags.no_nagle(),
            no_delay: flags.no_delay(),
            deadline,
        };
        let report = machine
            .send(now, outgoing)
            .map_err(|error| give_back(error, connection, flags, user_data))?;
        Ok(report.message_number)
    }

    /// Ends the Nagle wait of what is queued.
    ///
    /// # Errors
    /// See [`ConnectionError`].
    #[doc(alias = "FlushMessagesOnConnection")]
    pub fn flush_messages(&self, connection: ConnectionHandle) -> Result<(), ConnectionError> {
        let slot = self.core.slot(connection).ok_or(ConnectionError::NoSuchConnection)?;
        let flushed = self.core.drive(&slot, |machine, _| match machine.state() {
            ConnectionState::Connected => {
                machine.flush();
                Ok(())
            }
            ConnectionState::Connecting | ConnectionState::FindingRoute => {
                Err(ConnectionError::NotConnected)
            }
            ConnectionState::ClosedByPeer
            | ConnectionState::ProblemDetectedLocally
            | ConnectionState::None => Err(ConnectionError::Ended),
        });
        flushed.unwrap_or(Ok(()))
    }

    /// Takes up to `max` messages of one connection. `None`: no such connection.
    #[doc(alias = "ReceiveMessagesOnConnection")]
    pub fn receive_messages(
        &self,
        connection: ConnectionHandle,
        max: usize,
    ) -> Option<Vec<Message>> {
        let slot = self.core.slot(connection)?;
        let inbox = slot.destination.load();
        let messages = if Arc::ptr_eq(&inbox, &slot.inbox) {
            inbox.take(max)
        } else {
            inbox.take_of(connection, max)
        };
        self.core.after_consuming(&slot, &messages);
        Some(messages)
    }

    /// As [`Sockets::receive_messages`], but waits for the first message, at most `timeout`
    /// (`None`: for ever). Empty: the time is over, or the connection has ended.
    pub fn wait_messages(
        &self,
        connection: ConnectionHandle,
        max: usize,
        timeout: Option<Duration>,
    ) -> Option<Vec<Message>> {
        let slot = self.core.slot(connection)?;
        let inbox = slot.destination.load_full();
        let messages = inbox.signal.wait(timeout, || {
            let Some(messages) = self.receive_messages(connection, max) else {
                return Some(None);
            };
            let lives = self.state(connection).is_some_and(ConnectionState::is_alive);
            let over = messages.is_empty() && !lives;
            (over || !messages.is_empty()).then_some(Some(messages))
        });
        messages.unwrap_or(Some(Vec::new()))
    }

    /// Takes up to `max` messages of a poll group. `None`: no such group.
    #[doc(alias = "ReceiveMessagesOnPollGroup")]
    pub fn receive_messages_on_poll_group(
        &self,
        group: PollGroupHandle,
        max: usize,
    ) -> Option<Vec<Message>> {
        let group = self.core.poll_groups.find(group.to_raw())?;
        let messages = group.inbox.take(max);
        self.core.credit(&messages);
        Some(messages)
    }

    /// As [`Sockets::receive_messages_on_poll_group`], but waits for the first message, at most
    /// `timeout` (`None`: for ever).
    pub fn wait_messages_on_poll_group(
        &self,
        group: PollGroupHandle,
        max: usize,
        timeout: Option<Duration>,
    ) -> Option<Vec<Message>> {
        let found = self.core.poll_groups.find(group.to_raw())?;
        let messages = found.inbox.signal.wait(timeout, || {
            let messages = found.inbox.take(max);
            (!messages.is_empty()).then_some(messages)
        });
        let messages = messages.unwrap_or_default();
        self.core.credit(&messages);
        Some(messages)
    }

    /// Configures lanes. Lanes may be added, never taken away.
    ///
    /// # Errors
    /// See [`LanesError`]; nothing changed then.
    #[doc(alias = "ConfigureConnectionLanes")]
    pub fn configure_connection_lanes(
        &self,
        connection: ConnectionHandle,
        lanes: &[LaneConfig],
    ) -> Result<(), LanesError> {
        let slot = self.core.slot(connection).ok_or(LanesError::NoSuchConnection)?;
        let mut state = slot.lock();
        let machine = match &mut state.machine {
            Machine::Pipe(pipe) => {
                let sound = (1..=MAX_LANES).contains(&lanes.len())
                    && lanes.iter().all(|lane| lane.weight > 0);
                return (sound && pipe.configure_lanes(lanes.len()))
                    .then_some(())
                    .ok_or(LanesError::Invalid);
            }
            Machine::Udp(machine) => machine,
            Machine::Peer(peer) => peer.connection_mut(),
        };
        match machine.state() {
            ConnectionState::Connecting
            | ConnectionState::FindingRoute
            | ConnectionState::Connected => {
                machine.configure_lanes(lanes).map_err(|_: LaneError| LanesError::Invalid)
            }
            ConnectionState::ClosedByPeer
            | ConnectionState::ProblemDetectedLocally
            | ConnectionState::None => Err(LanesError::Ended),
        }
    }
}

fn give_back(
    error: MachineSendError,
    connection: ConnectionHandle,
    flags: SendFlags,
    user_data: i64,
) -> SendError {
    let wrap = |message: OutgoingMessage| Outgoing {
        connection,
        payload: message.payload,
        flags,
        lane: message.lane,
        deadline: message.deadline,
        user_data,
    };
    match error {
        MachineSendError::NoConnection(message) | MachineSendError::InvalidState(message) => {
            SendError::NoConnection(wrap(message))
        }
        MachineSendError::Ignored(message)
        | MachineSendError::Refused(EnqueueError::WouldWait(message)) => {
            SendError::Ignored(wrap(message))
        }
        MachineSendError::Refused(EnqueueError::LimitExceeded(message)) => {
            SendError::LimitExceeded(wrap(message))
        }
        MachineSendError::Refused(EnqueueError::InvalidLane(message)) => {
            SendError::InvalidLane(wrap(message))
        }
        MachineSendError::Refused(EnqueueError::TooLarge(message)) => {
            SendError::TooLarge(wrap(message))
        }
    }
}
