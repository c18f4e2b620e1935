//! Fields of commands.

use anyhow::{Context as _, anyhow, bail};
use gamewire::{Config, SendFlags};
use serde_json::Value;

use super::session::{Closing, OnRequest};
use crate::{
    content,
    runs::{Plan, Run},
};

/// `k_ESteamNetConnectionEnd_App_Generic`.
const DEFAULT_END_REASON: i32 = 1000;

/// A text that must be there.
pub(super) fn text<'a>(command: &'a Value, name: &str) -> anyhow::Result<&'a str> {
    command[name].as_str().ok_or_else(|| anyhow!("{name} is missing or no text"))
}

/// An integer that may be missing.
pub(super) fn integer<T: TryFrom<i64>>(
    command: &Value,
    name: &str,
    default: T,
) -> anyhow::Result<T> {
    match &command[name] {
        Value::Null => Ok(default),
        value => {
            let number = value.as_i64().and_then(|number| T::try_from(number).ok());
            number.ok_or_else(|| anyhow!("{name} is {value}, of the wrong type or range"))
        }
    }
}

pub(super) fn bytes(command: &Value) -> anyhow::Result<Vec<u8>> {
    content::from_hex(text(command, "data")?).context("data is not hexadecimal")
}

/// An assignment by Valve's name.
pub(super) fn setting(name: &str, value: &Value) -> anyhow::Result<Config> {
    let value = match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    format!("{name}={value}").parse::<Config>().with_context(|| name.to_owned())
}

pub(super) fn options(command: &Value) -> anyhow::Result<Vec<Config>> {
    match &command["options"] {
        Value::Null => Ok(Vec::new()),
        Value::Object(options) => {
            options.iter().map(|(name, value)| setting(name, value)).collect()
        }
        other => bail!("options is {other}: an object of names and values"),
    }
}

pub(super) fn closing(command: &Value) -> anyhow::Result<Closing> {
    Ok(Closing {
        reason: integer(command, "reason", DEFAULT_END_REASON)?,
        debug: command["debug"].as_str().unwrap_or_default().to_owned(),
        linger: command["linger"] == true,
    })
}

pub(super) fn on_request(command: &Value) -> anyhow::Result<OnRequest> {
    Ok(match text(command, "mode")? {
        "offer" => OnRequest::Offer,
        "accept" => OnRequest::Accept,
        "reject" => OnRequest::Reject(closing(command)?),
        "ignore" => OnRequest::Ignore,
        other => bail!("no mode {other}: offer, accept, reject or ignore"),
    })
}

fn sizes(object: &Value) -> anyhow::Result<Vec<usize>> {
    let size = |value: &Value| value.as_u64().and_then(|size| usize::try_from(size).ok());
    if let Some(one) = size(&object["size"]) {
        return Ok(vec![one]);
    }
    let list = object["sizes"].as_array().context("either size or sizes")?;
    let sizes: Option<Vec<usize>> = list.iter().map(size).collect();
    sizes.filter(|sizes| !sizes.is_empty()).context("sizes")
}

/// Messages of a seed that the driver chose.
#[derive(Clone, Debug)]
pub(super) struct Batch {
    pub(super) flags: SendFlags,
    pub(super) lane: u16,
    seed: u64,
    sizes: Vec<usize>,
    first: u64,
    count: u64,
}

impl Batch {
    pub(super) fn read(command: &Value) -> anyhow::Result<Self> {
        let flags: u32 = integer(command, "flags", 8)?;
        Ok(Self {
            flags: SendFlags::from_bits(flags),
            lane: integer(command, "lane", 0)?,
            seed: command["seed"].as_u64().unwrap_or(0),
            sizes: sizes(command)?,
            first: command["first"].as_u64().unwrap_or(0),
            count: command["count"].as_u64().unwrap_or(1),
        })
    }

    pub(super) fn messages(&self) -> impl Iterator<Item = Vec<u8>> {
        (self.first..self.first.saturating_add(self.count)).map(|index| {
            let position = index % self.sizes.len() as u64;
            let size = self.sizes[usize::try_from(position).expect("below a length")];
            content::message(self.seed, index, size)
        })
    }
}

/// What the driver expects: its runs are known by lane and reliability, as their seeds are.
pub(super) fn expectations(command: &Value) -> anyhow::Result<Plan> {
    let list = command["expect"].as_array().context("expect is missing")?;
    let runs = list.iter().map(|object| {
        let lane: u16 = integer(object, "lane", 0)?;
        let sizes = sizes(object)?;
        let count = object["count"].as_u64().context("count is missing")?;
        let run = match object["reliable"] == false {
            true => Run::unreliable(&sizes, count),
            false => Run::reliable(&sizes, count),
        };
        let run = run.on_lane(lane);
        anyhow::ensure!(object["seed"] == run.seed(), "another seed than runs of its kind have");
        Ok(run)
    });
    Ok(Plan { runs: runs.collect::<anyhow::Result<_>>()?, marked: Vec::new() })
}
