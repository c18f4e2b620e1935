//! What the driver may ask: one JSON object per line, read strictly. The README is the specification.

mod peers;

use anyhow::{Context as _, Result, anyhow, bail, ensure};
use serde_json::{Map, Value};

use crate::config::{Scope, Setting};
use crate::content;
use crate::fields::Fields;
use crate::library::MAX_LANES;
use crate::message::Route;
use crate::verify::Expectation;

pub(crate) use self::peers::{
    ConnectTo, OnRequest, OnSession, PeerCommand, UserCommand, UserMessages,
};

/// Largest message that Valve's library sends.
pub(crate) const MAX_MESSAGE_BYTES: usize = 512 << 10;

/// Most sizes in one size cycle.
const MAX_SIZES: usize = 4096;

/// Most expectations at a time.
const MAX_EXPECTATIONS: usize = 1024;

/// End reason where the driver names none: `k_ESteamNetConnectionEnd_App_Generic`.
const DEFAULT_END_REASON: i32 = 1000;

/// Log level where the driver names none: Warning.
const DEFAULT_LOG_LEVEL: u32 = 4;

/// `k_nSteamNetworkingSend_Reliable`.
const RELIABLE: i32 = 8;

/// One line from the driver.
#[derive(Debug)]
pub(crate) struct Request {
    /// The command's name as written; replies repeat it.
    pub(crate) name: String,
    /// Anything the driver wants back in the reply and in the events that belong to the command.
    pub(crate) id: Option<Value>,
    pub(crate) command: Command,
}

/// What a line that is not a valid request still tells: enough for a reply that the driver can place.
#[derive(Debug)]
pub(crate) struct Refused {
    pub(crate) name: Option<String>,
    pub(crate) id: Option<Value>,
    pub(crate) error: anyhow::Error,
}

/// What to do with a connection that comes in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum AcceptPolicy {
    Accept,
    Reject(Closing),
    Ignore,
}

/// The arguments of a close.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Closing {
    pub(crate) reason: i32,
    pub(crate) debug: String,
    pub(crate) linger: bool,
}

/// What to do with messages that come in.
#[derive(Debug)]
pub(crate) enum ReceiveMode {
    Report,
    Verify(Vec<Expectation>),
    Echo,
    Count,
    Hold,
}

/// The sizes of a run of messages: message `index` has `sizes[index % len]` bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sizes(Vec<usize>);

impl Sizes {
    pub(crate) fn of(&self, index: u64) -> usize {
        self.0[(index % self.0.len() as u64) as usize]
    }
}

/// A run of generated messages.
#[derive(Debug)]
pub(crate) struct SendRun {
    pub(crate) route: Route,
    pub(crate) seed: u64,
    pub(crate) sizes: Sizes,
    pub(crate) first: u64,
    pub(crate) count: u64,
}

/// Everything that the driver can ask for.
#[derive(Debug)]
pub(crate) enum Command {
    Init { identity: Option<String>, log_level: u32 },
    Identity,
    CertificateRequest,
    SetCertificate { certificate: Vec<u8> },
    Config { scope: Scope, setting: Setting },
    Listen { address: String, options: Vec<Setting> },
    CloseListen { socket: u32 },
    Connect { address: String, options: Vec<Setting> },
    AutoAccept(AcceptPolicy),
    Accept { connection: u32 },
    Close { connection: u32, closing: Closing },
    Lanes { connection: u32, priorities: Vec<i32>, weights: Option<Vec<u16>> },
    Send(SendRun),
    SendHex { route: Route, data: Vec<u8> },
    Flush { connection: u32 },
    ReceiveMode(ReceiveMode),
    VerifyReport,
    Stats,
    Status { connection: u32, lanes: Option<usize> },
    Detailed { connection: u32 },
    Peers(PeerCommand),
    Users(UserCommand),
    Quit,
}

/// Reads one line.
pub(crate) fn parse(line: &str) -> Result<Request, Refused> {
    let object = match serde_json::from_str::<Map<String, Value>>(line) {
        Ok(object) => object,
        Err(error) => {
            let error = anyhow!("not a JSON object: {error}");
            return Err(Refused { name: None, id: None, error });
        }
    };
    let mut fields = Fields::new(object);
    let id = fields.optional_value("id");
    let name = match fields.text("cmd") {
        Ok(name) => name,
        Err(error) => {
            return Err(Refused { name: None, id, error });
        }
    };
    match parse_command(&name, &mut fields).and_then(|command| fields.finish().map(|()| command)) {
        Ok(command) => Ok(Request { name, id, command }),
        Err(error) => Err(Refused { name: Some(name), id, error }),
    }
}

fn parse_command(name: &str, fields: &mut Fields) -> Result<Command> {
    Ok(match name {
        "init" => Command::Init {
            identity: fields.optional_text("identity")?,
            log_level: fields.optional("log_level")?.unwrap_or(DEFAULT_LOG_LEVEL),
        },
        "identity" => Command::Identity,
        "certificate_request" => Command::CertificateRequest,
        "set_certificate" => Command::SetCertificate { certificate: hex(fields)? },
        "config" => parse_config(fields)?,
        "listen" => Command::Listen { address: fields.text("address")?, options: options(fields)? },
        "close_listen" => Command::CloseListen { socket: fields.required("socket")? },
        "connect" => {
            Command::Connect { address: fields.text("address")?, options: options(fields)? }
        }
        "auto_accept" => Command::AutoAccept(accept_policy(fields)?),
        "accept" => Command::Accept { connection: fields.required("connection")? },
        "close" => {
            Command::Close { connection: fields.required("connection")?, closing: closing(fields)? }
        }
        "lanes" => parse_lanes(fields)?,
        "send" => parse_send(fields)?,
        "bulk_send" => parse_bulk_send(fields)?,
        "send_hex" => Command::SendHex { route: route(fields)?, data: hex(fields)? },
        "flush" => Command::Flush { connection: fields.required("connection")? },
        "receive_mode" => Command::ReceiveMode(receive_mode(fields)?),
        "verify_report" => Command::VerifyReport,
        "stats" => Command::Stats,
        "status" => Command::Status {
            connection: fields.required("connection")?,
            lanes: fields.optional("lanes")?,
        },
        "detailed" => Command::Detailed { connection: fields.required("connection")? },
        "listen_p2p" => Command::Peers(peers::parse_listen(fields)?),
        "connect_p2p" => Command::Peers(peers::parse_connect(fields)?),
        "signal" => Command::Peers(peers::parse_signal(fields)?),
        "on_request" => Command::Peers(peers::parse_on_request(fields)?),
        user if user.starts_with("user_") => Command::Users(peers::parse_user(user, fields)?),
        "quit" => Command::Quit,
        _ => bail!("no such command"),
    })
}

fn hex(fields: &mut Fields) -> Result<Vec<u8>> {
    let text = fields.text("data")?;
    content::from_hex(&text).ok_or_else(|| anyhow!("data is not hexadecimal"))
}

fn parse_config(fields: &mut Fields) -> Result<Command> {
    let scope = match fields.text("scope")?.as_str() {
        "global" => Scope::Global,
        "listen_socket" => Scope::ListenSocket(fields.required("socket")?),
        "connection" => Scope::Connection(fields.required("connection")?),
        other => bail!("no scope {other}: global, listen_socket or connection"),
    };
    let key = match fields.value("name")? {
        Value::String(name) => name,
        Value::Number(number) => number.to_string(),
        other => bail!("name is {other}: a string or a number"),
    };
    Ok(Command::Config { scope, setting: Setting { key, value: fields.value("value")? } })
}

fn options(fields: &mut Fields) -> Result<Vec<Setting>> {
    match fields.optional_value("options") {
        None => Ok(Vec::new()),
        Some(Value::Object(options)) => {
            Ok(options.into_iter().map(|(key, value)| Setting { key, value }).collect())
        }
        Some(other) => bail!("options is {other}: an object of names and values"),
    }
}

fn closing(fields: &mut Fields) -> Result<Closing> {
    Ok(Closing {
        reason: fields.optional("reason")?.unwrap_or(DEFAULT_END_REASON),
        debug: fields.optional_text("debug")?.unwrap_or_default(),
        linger: fields.optional("linger")?.unwrap_or(false),
    })
}

fn accept_policy(fields: &mut Fields) -> Result<AcceptPolicy> {
    Ok(match fields.text("mode")?.as_str() {
        "accept" => AcceptPolicy::Accept,
        "reject" => AcceptPolicy::Reject(closing(fields)?),
        "ignore" => AcceptPolicy::Ignore,
        other => bail!("no mode {other}: accept, reject or ignore"),
    })
}

fn parse_lanes(fields: &mut Fields) -> Result<Command> {
    let connection = fields.required("connection")?;
    let priorities: Vec<i32> = fields.required("priorities")?;
    let weights: Option<Vec<u16>> = fields.optional("weights")?;
    ensure!((1..=MAX_LANES).contains(&priorities.len()), "1 to {MAX_LANES} lanes");
    Ok(Command::Lanes { connection, priorities, weights })
}

fn route(fields: &mut Fields) -> Result<Route> {
    Ok(Route {
        connection: fields.required("connection")?,
        lane: fields.optional("lane")?.unwrap_or(0),
        flags: fields.optional("flags")?.unwrap_or(RELIABLE),
    })
}

fn sizes(fields: &mut Fields) -> Result<Sizes> {
    let sizes: Vec<usize> = match (fields.optional("size")?, fields.optional("sizes")?) {
        (Some(size), None) => vec![size],
        (None, Some(sizes)) => sizes,
        _ => bail!("either size or sizes"),
    };
    ensure!((1..=MAX_SIZES).contains(&sizes.len()), "1 to {MAX_SIZES} sizes");
    for &size in &sizes {
        ensure!(size <= MAX_MESSAGE_BYTES, "a size above {MAX_MESSAGE_BYTES}");
    }
    Ok(Sizes(sizes))
}

fn parse_send(fields: &mut Fields) -> Result<Command> {
    let run = SendRun {
        route: route(fields)?,
        seed: fields.optional("seed")?.unwrap_or(0),
        sizes: sizes(fields)?,
        first: fields.optional("first")?.unwrap_or(0),
        count: fields.optional("count")?.unwrap_or(1),
    };
    ensure!(run.first.checked_add(run.count).is_some(), "first + count is beyond 64 bits");
    Ok(Command::Send(run))
}

fn parse_bulk_send(fields: &mut Fields) -> Result<Command> {
    let bytes: u64 = fields.required("bytes")?;
    let size: usize = fields.required("message_size")?;
    ensure!((1..=MAX_MESSAGE_BYTES).contains(&size), "1 to {MAX_MESSAGE_BYTES} bytes a message");
    Ok(Command::Send(SendRun {
        route: route(fields)?,
        seed: fields.optional("seed")?.unwrap_or(0),
        sizes: Sizes(vec![size]),
        first: 0,
        count: bytes.div_ceil(size as u64),
    }))
}

fn receive_mode(fields: &mut Fields) -> Result<ReceiveMode> {
    Ok(match fields.text("mode")?.as_str() {
        "report" => ReceiveMode::Report,
        "verify" => ReceiveMode::Verify(expectations(fields)?),
        "echo" => ReceiveMode::Echo,
        "count" => ReceiveMode::Count,
        "hold" => ReceiveMode::Hold,
        other => bail!("no mode {other}: report, verify, echo, count or hold"),
    })
}

fn expectations(fields: &mut Fields) -> Result<Vec<Expectation>> {
    let list: Vec<Map<String, Value>> = fields.required("expect")?;
    ensure!(list.len() <= MAX_EXPECTATIONS, "at most {MAX_EXPECTATIONS} expectations");
    list.into_iter()
        .enumerate()
        .map(|(position, object)| {
            expectation(object).with_context(|| format!("expect[{position}]"))
        })
        .collect()
}

fn expectation(object: Map<String, Value>) -> Result<Expectation> {
    let mut fields = Fields::new(object);
    let expectation = Expectation {
        connection: fields.optional("connection")?,
        lane: fields.optional("lane")?.unwrap_or(0),
        reliable: fields.optional("reliable")?.unwrap_or(true),
        seed: fields.optional("seed")?.unwrap_or(0),
        sizes: sizes(&mut fields)?,
        first: fields.optional("first")?.unwrap_or(0),
        count: fields.optional("count")?,
    };
    fields.finish()?;
    Ok(expectation)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error_of(line: &str) -> String {
        format!("{:#}", parse(line).expect_err(line).error)
    }

    #[test]
    fn a_send_with_every_field() {
        let line = r#"{"cmd":"send","id":[1,"a"],"connection":7,"lane":3,"flags":1,"size":64,
                       "seed":18446744073709551615,"count":100,"first":50}"#;
        let request = parse(line).expect("valid");
        assert_eq!(request.id, Some(serde_json::json!([1, "a"])));
        let Command::Send(run) = request.command else { panic!("{:?}", request.command) };
        assert_eq!(run.route, Route { connection: 7, lane: 3, flags: 1 });
        assert_eq!((run.seed, run.first, run.count), (u64::MAX, 50, 100));
        assert_eq!(run.sizes, Sizes(vec![64]));
    }

    #[test]
    fn bulk_rounds_the_count_up() {
        let line = r#"{"cmd":"bulk_send","connection":1,"bytes":2001,"message_size":1000}"#;
        let Command::Send(run) = parse(line).expect("valid").command else { panic!("no send") };
        assert_eq!((run.count, run.route.flags), (3, RELIABLE));
    }

    #[test]
    fn sizes_cycle() {
        let sizes = Sizes(vec![1, 20, 300]);
        assert_eq!([0, 1, 2, 3, 7].map(|index| sizes.of(index)), [1, 20, 300, 1, 20]);
    }

    #[test]
    fn refusals_name_what_is_wrong() {
        let cases = [
            ("", "not a JSON object"),
            ("[1]", "not a JSON object"),
            ("{}", "cmd"),
            (r#"{"cmd":"fly"}"#, "no such command"),
            (r#"{"cmd":"stats","sped":1}"#, "sped"),
            (r#"{"cmd":"send","connection":1}"#, "size"),
            (r#"{"cmd":"send","connection":1,"size":524289}"#, "a size above"),
            (r#"{"cmd":"send","connection":1,"sizes":[]}"#, "sizes"),
            (r#"{"cmd":"send","connection":-1,"size":1}"#, "connection"),
            (r#"{"cmd":"send_hex","connection":1,"data":"0"}"#, "hexadecimal"),
            (r#"{"cmd":"lanes","connection":1,"priorities":[]}"#, "lanes"),
            (r#"{"cmd":"config","scope":"moon","name":1,"value":1}"#, "moon"),
            (r#"{"cmd":"receive_mode","mode":"verify","expect":[{"lane":1}]}"#, "expect[0]"),
        ];
        for (line, part) in cases {
            let error = error_of(line);
            assert!(error.contains(part), "{line}: {error}");
        }
    }

    #[test]
    fn a_refusal_keeps_name_and_id() {
        let refused = parse(r#"{"cmd":"accept","id":9}"#).expect_err("no connection");
        assert_eq!(refused.name.as_deref(), Some("accept"));
        assert_eq!(refused.id, Some(serde_json::json!(9)));
    }
}
