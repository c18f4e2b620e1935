//! A client's WebSocket (RFC 6455) as a machine: bytes in, bytes out. No extensions, binary messages
//! alone, everything bounded.

use std::collections::VecDeque;

use gamewire_crypto::{Entropy, text::encode_base64};
use gamewire_wire::hub;

use super::{accept_key::accept_key, url::HubUrl};

/// Longest head of the server's answer to the upgrade, in bytes.
const MAX_HEAD_BYTES: usize = 8 * 1024;
/// Longest payload of a ping, pong or close (RFC 6455, 5.5).
const MAX_CONTROL_BYTES: usize = 125;
/// Pongs that wait to be sent; a server that pings faster gets no more.
const MAX_QUEUED_PONGS: usize = 4;

const CONTINUATION: u8 = 0x0;
const TEXT: u8 = 0x1;
const BINARY: u8 = 0x2;
const CLOSE: u8 = 0x8;
const PING: u8 = 0x9;
const PONG: u8 = 0xa;

/// Why a WebSocket is over.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub(super) enum WebSocketError {
    #[error("the server does not speak WebSocket there")]
    NotWebSocket,
    #[error("the server answered with HTTP status {0}")]
    Status(u16),
    #[error("the server broke the WebSocket protocol: {0}")]
    Protocol(&'static str),
    #[error("the server closed the connection ({code}: {reason})")]
    Closed { code: u16, reason: String },
}

/// What came of the bytes.
#[derive(PartialEq, Eq, Debug)]
pub(super) enum WebSocketEvent {
    /// Messages may be sent from now on.
    Open,
    Message(Vec<u8>),
    /// Something came that is no message: the server is alive.
    Alive,
}

#[derive(Debug)]
enum State {
    /// The upgrade was asked for; the server must answer with this key.
    Upgrading {
        accept: String,
    },
    Open,
    Over,
}

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct WebSocket {
    state: State,
    incoming: Vec<u8>,
    outgoing: Vec<u8>,
    /// The beginning of a message that comes in pieces.
    partial: Option<Vec<u8>>,
    events: VecDeque<WebSocketEvent>,
    queued_pongs: usize,
}

impl WebSocket {
    /// Asks for the upgrade.
    pub(super) fn connect(url: &HubUrl, entropy: &mut dyn Entropy) -> Self {
        let mut key = [0; 16];
        entropy.fill(&mut key);
        let key = encode_base64(&key);
        let request = format!(
            "GET {base}{path} HTTP/1.1\r\nHost: {host}\r\nConnection: Upgrade\r\n\
             Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\
             Sec-WebSocket-Protocol: {protocol}\r\nUser-Agent: gamewire/{version}\r\n\r\n",
            base = url.base,
            path = hub::WEBSOCKET_PATH,
            host = url.authority(),
            protocol = hub::SUBPROTOCOL,
            version = env!("CARGO_PKG_VERSION"),
        );
        Self {
            state: State::Upgrading { accept: accept_key(&key) },
            incoming: Vec::new(),
            outgoing: request.into_bytes(),
            partial: None,
            events: VecDeque::new(),
            queued_pongs: 0,
        }
    }

    /// What is to be sent.
    pub(super) fn outgoing(&self) -> &[u8] {
        &self.outgoing
    }

    /// So many bytes of it were sent.
    pub(super) fn sent(&mut self, bytes: usize) {
        self.outgoing.drain(..bytes);
        if self.outgoing.is_empty() {
            self.queued_pongs = 0;
        }
    }

    pub(super) fn poll_event(&mut self) -> Option<WebSocketEvent> {
        self.events.pop_front()
    }

    /// Queues a message.
    pub(super) fn send(&mut self, message: &[u8], entropy: &mut dyn Entropy) {
        self.frame(BINARY, message, entropy);
    }

    /// Queues a ping.
    pub(super) fn ping(&mut self, entropy: &mut dyn Entropy) {
        self.frame(PING, &[], entropy);
    }

    /// Queues a farewell.
    pub(super) fn close(&mut self, entropy: &mut dyn Entropy) {
        if matches!(self.state, State::Open) {
            self.frame(CLOSE, &1000_u16.to_be_bytes(), entropy);
        }
        self.state = State::Over;
    }

    fn frame(&mut self, opcode: u8, payload: &[u8], entropy: &mut dyn Entropy) {
        self.outgoing.push(0x80 | opcode);
        match payload.len() {
            short @ 0..126 => self.outgoing.push(0x80 | short as u8),
            // Messages are bounded far below 64 KiB.
            long => {
                self.outgoing.push(0x80 | 126);
                let length = u16::try_from(long).unwrap_or(u16::MAX);
                self.outgoing.extend_from_slice(&length.to_be_bytes());
            }
        }
        let mut mask = [0; 4];
        entropy.fill(&mut mask);
        self.outgoing.extend_from_slice(&mask);
        let masked = payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask);
        self.outgoing.extend(masked);
    }

    /// Takes what came from the server.
    pub(super) fn handle_bytes(
        &mut self,
        bytes: &[u8],
        entropy: &mut dyn Entropy,
    ) -> Result<(), WebSocketError> {
        self.incoming.extend_from_slice(bytes);
        let result = self.advance(entropy);
        if result.is_err() {
            self.state = State::Over;
        }
        result
    }

    fn advance(&mut self, entropy: &mut dyn Entropy) -> Result<(), WebSocketError> {
        if let State::Upgrading { accept } = &self.state {
            let Some(head) = head_length(&self.incoming) else {
                let too_long = self.incoming.len() > MAX_HEAD_BYTES;
                return if too_long { Err(WebSocketError::NotWebSocket) } else { Ok(()) };
            };
            check_upgrade(&self.incoming[..head], accept)?;
            self.incoming.drain(..head);
            self.state = State::Open;
            self.events.push_back(WebSocketEvent::Open);
        }
        let incoming = std::mem::take(&mut self.incoming);
        let mut rest = incoming.as_slice();
        while matches!(self.state, State::Open) {
            let Some((frame, after)) = Frame::parse(rest)? else { break };
            rest = after;
            self.handle_frame(&frame, entropy)?;
        }
        self.incoming = rest.to_vec();
        Ok(())
    }

    fn handle_frame(
        &mut self,
        frame: &Frame<'_>,
        entropy: &mut dyn Entropy,
    ) -> Result<(), WebSocketError> {
        match frame.opcode {
            BINARY if self.partial.is_some() => {
                return Err(WebSocketError::Protocol("a message within a message"));
            }
            BINARY => self.append(Vec::new(), frame)?,
            CONTINUATION => {
                let begun = self.partial.take();
                let begun = begun.ok_or(WebSocketError::Protocol("continues nothing"))?;
                self.append(begun, frame)?;
            }
            PING => {
                if self.queued_pongs < MAX_QUEUED_PONGS {
                    self.queued_pongs += 1;
                    self.frame(PONG, frame.payload, entropy);
                }
                self.events.push_back(WebSocketEvent::Alive);
            }
            PONG => self.events.push_back(WebSocketEvent::Alive),
            CLOSE => return Err(closed(frame.payload)),
            TEXT => return Err(WebSocketError::Protocol("a text message")),
            _ => return Err(WebSocketError::Protocol("an unknown kind of frame")),
        }
        Ok(())
    }

    fn append(&mut self, mut message: Vec<u8>, frame: &Frame<'_>) -> Result<(), WebSocketError> {
        if message.len() + frame.payload.len() > hub::MAX_MESSAGE_BYTES {
            return Err(WebSocketError::Protocol("the message is too long"));
        }
        message.extend_from_slice(frame.payload);
        if frame.last {
            self.events.push_back(WebSocketEvent::Message(message));
        } else {
            self.partial = Some(message);
        }
        Ok(())
    }
}

fn closed(payload: &[u8]) -> WebSocketError {
    let (code, reason) = match payload {
        [high, low, reason @ ..] => (u16::from_be_bytes([*high, *low]), reason),
        // No code was given (RFC 6455, 7.1.5).
        [] | [_] => (1005, &[][..]),
    };
    let reason = String::from_utf8_lossy(reason).chars().filter(|c| !c.is_control()).collect();
    WebSocketError::Closed { code, reason }
}

/// One frame of the server.
struct Frame<'a> {
    opcode: u8,
    last: bool,
    payload: &'a [u8],
}

impl<'a> Frame<'a> {
    /// The first frame and what comes after it; `None`: not all of it is there yet.
    fn parse(bytes: &'a [u8]) -> Result<Option<(Self, &'a [u8])>, WebSocketError> {
        let [first, second, rest @ ..] = bytes else { return Ok(None) };
        if first & 0x70 != 0 {
            return Err(WebSocketError::Protocol("a reserved bit is set"));
        }
        if second & 0x80 != 0 {
            return Err(WebSocketError::Protocol("a server's frame is masked"));
        }
        let (opcode, last) = (first & 0xf, first & 0x80 != 0);
        let is_control = opcode & 0x8 != 0;
        let (length, rest) = match second & 0x7f {
            126 => match rest {
                [high, low, rest @ ..] => (usize::from(u16::from_be_bytes([*high, *low])), rest),
                [] | [_] => return Ok(None),
            },
            127 => return Err(WebSocketError::Protocol("the frame is too long")),
            short => (usize::from(short), rest),
        };
        if length > hub::MAX_MESSAGE_BYTES {
            return Err(WebSocketError::Protocol("the frame is too long"));
        }
        if is_control && (!last || length > MAX_CONTROL_BYTES) {
            return Err(WebSocketError::Protocol("a control frame in pieces or too long"));
        }
        Ok(rest
            .split_at_checked(length)
            .map(|(payload, after)| (Self { opcode, last, payload }, after)))
    }
}

/// How long the head of an HTTP answer is, once it is there.
fn head_length(bytes: &[u8]) -> Option<usize> {
    let searched = &bytes[..bytes.len().min(MAX_HEAD_BYTES)];
    searched.windows(4).position(|window| window == b"\r\n\r\n").map(|at| at + 4)
}

fn check_upgrade(head: &[u8], accept: &str) -> Result<(), WebSocketError> {
    let head = std::str::from_utf8(head).map_err(|_| WebSocketError::NotWebSocket)?;
    let mut lines = head.split("\r\n");
    let status = lines.next().unwrap_or_default();
    let status = status.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3));
    match status.and_then(|digits| digits.parse::<u16>().ok()) {
        Some(101) => {}
        Some(other) => return Err(WebSocketError::Status(other)),
        None => return Err(WebSocketError::NotWebSocket),
    }
    let headers: Vec<(&str, &str)> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.trim(), value.trim()))
        .collect();
    let has = |name: &str, fits: &dyn Fn(&str) -> bool| {
        headers.iter().any(|(other, value)| other.eq_ignore_ascii_case(name) && fits(value))
    };
    let lists_upgrade =
        |value: &str| value.split(',').any(|word| word.trim().eq_ignore_ascii_case("upgrade"));
    let fits = has("upgrade", &|value| value.eq_ignore_ascii_case("websocket"))
        && has("connection", &lists_upgrade)
        && has("sec-websocket-accept", &|value| value == accept)
        && has("sec-websocket-protocol", &|value| value == hub::SUBPROTOCOL)
        && !has("sec-websocket-extensions", &|_| true);
    fits.then_some(()).ok_or(WebSocketError::NotWebSocket)
}

#[cfg(test)]
mod tests;
