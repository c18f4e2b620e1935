//! Commands about connections by identity and about sessions with users.

use anyhow::{Result, bail, ensure};

use super::{Closing, RELIABLE, Sizes, closing, hex, options, sizes};
use crate::config::Setting;
use crate::fields::Fields;

/// Most channels that are read at a time.
const MAX_CHANNELS: usize = 64;

/// What to do with a request while the library asks about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum OnRequest {
    /// Give it a channel; `auto_accept` decides later.
    Offer,
    /// Accept at once.
    Accept,
    /// Close it and tell the peer.
    Reject(Closing),
    /// Say nothing.
    Ignore,
}

/// Connections by identity.
#[derive(Debug)]
pub(crate) enum PeerCommand {
    Listen { virtual_port: i32, options: Vec<Setting> },
    Connect { to: ConnectTo, virtual_port: i32, options: Vec<Setting> },
    Signal { data: Vec<u8> },
    OnRequest(OnRequest),
}

/// Who is to be reached, and over whose channel.
#[derive(Debug)]
pub(crate) enum ConnectTo {
    /// `ConnectP2PCustomSignaling`, where the identity may be unknown.
    Custom(Option<String>),
    /// `ConnectP2P`, for which the library asks for the channel.
    Default(String),
}

/// Sessions with users.
#[derive(Debug)]
pub(crate) enum UserCommand {
    Send { identity: String, channel: i32, flags: i32, messages: UserMessages },
    Channels(Vec<i32>),
    OnSession(OnSession),
    Accept { identity: String },
    Close { identity: String },
    CloseChannel { identity: String, channel: i32 },
    Status { identity: String },
}

/// What to send to a user.
#[derive(Debug)]
pub(crate) enum UserMessages {
    Literal(Vec<u8>),
    Run { seed: u64, sizes: Sizes, first: u64, count: u64 },
}

/// What to do with a session that somebody wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OnSession {
    Accept,
    Ignore,
}

pub(super) fn parse_listen(fields: &mut Fields) -> Result<PeerCommand> {
    let virtual_port = fields.optional("virtual_port")?.unwrap_or(0);
    Ok(PeerCommand::Listen { virtual_port, options: options(fields)? })
}

pub(super) fn parse_connect(fields: &mut Fields) -> Result<PeerCommand> {
    let identity = fields.optional_text("identity")?;
    let channel = fields.optional_text("channel")?;
    let to = match (channel.as_deref().unwrap_or("custom"), identity) {
        ("custom", identity) => ConnectTo::Custom(identity),
        ("default", Some(identity)) => ConnectTo::Default(identity),
        ("default", None) => bail!("the default channel needs an identity"),
        (other, _) => bail!("no channel {other}: custom or default"),
    };
    let virtual_port = fields.optional("virtual_port")?.unwrap_or(0);
    Ok(PeerCommand::Connect { to, virtual_port, options: options(fields)? })
}

pub(super) fn parse_signal(fields: &mut Fields) -> Result<PeerCommand> {
    Ok(PeerCommand::Signal { data: hex(fields)? })
}

pub(super) fn parse_on_request(fields: &mut Fields) -> Result<PeerCommand> {
    Ok(PeerCommand::OnRequest(match fields.text("mode")?.as_str() {
        "offer" => OnRequest::Offer,
        "accept" => OnRequest::Accept,
        "reject" => OnRequest::Reject(closing(fields)?),
        "ignore" => OnRequest::Ignore,
        other => bail!("no mode {other}: offer, accept, reject or ignore"),
    }))
}

/// A command whose name begins with `user_`.
pub(super) fn parse_user(name: &str, fields: &mut Fields) -> Result<UserCommand> {
    Ok(match name {
        "user_send" => parse_user_send(fields)?,
        "user_channels" => {
            let channels: Vec<i32> = fields.required("channels")?;
            ensure!(channels.len() <= MAX_CHANNELS, "at most {MAX_CHANNELS} channels");
            UserCommand::Channels(channels)
        }
        "user_on_session" => UserCommand::OnSession(match fields.text("mode")?.as_str() {
            "accept" => OnSession::Accept,
            "ignore" => OnSession::Ignore,
            other => bail!("no mode {other}: accept or ignore"),
        }),
        "user_accept" => UserCommand::Accept { identity: fields.text("identity")? },
        "user_close" => UserCommand::Close { identity: fields.text("identity")? },
        "user_close_channel" => UserCommand::CloseChannel {
            identity: fields.text("identity")?,
            channel: fields.required("channel")?,
        },
        "user_status" => UserCommand::Status { identity: fields.text("identity")? },
        _ => bail!("no such command"),
    })
}

fn parse_user_send(fields: &mut Fields) -> Result<UserCommand> {
    let identity = fields.text("identity")?;
    let channel = fields.optional("channel")?.unwrap_or(0);
    let flags = fields.optional("flags")?.unwrap_or(RELIABLE);
    let literal = fields.optional_text("data")?;
    let messages = match literal {
        Some(text) => match crate::content::from_hex(&text) {
            Some(data) => UserMessages::Literal(data),
            None => bail!("data is not hexadecimal"),
        },
        None => UserMessages::Run {
            seed: fields.optional("seed")?.unwrap_or(0),
            sizes: sizes(fields)?,
            first: fields.optional("first")?.unwrap_or(0),
            count: fields.optional("count")?.unwrap_or(1),
        },
    };
    if let UserMessages::Run { first, count, .. } = &messages {
        ensure!(first.checked_add(*count).is_some(), "first + count is beyond 64 bits");
    }
    Ok(UserCommand::Send { identity, channel, flags, messages })
}
