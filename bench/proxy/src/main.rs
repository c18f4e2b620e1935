//! A UDP proxy that delays, drops and limits. A seed makes its dice repeatable.
//!
//! Arguments: the server's address, the delay each way in microseconds, the share of packets lost each way
//! in parts of a million, the rate each way in bytes per second (0: no limit), the seed. The first
//! line on standard output says where it listens.

#![forbid(unsafe_code)]

mod direction;
mod relay;

use std::{net::SocketAddr, process::ExitCode, time::Duration};

use anyhow::{Context as _, bail};
use serde_json::json;

use crate::{direction::Link, relay::Relay};

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("{}", json!({ "report": "failed", "why": format!("{error:#}") }));
            ExitCode::FAILURE
        }
    }
}

fn run() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [server, delay_us, loss_ppm, bytes_per_s, seed] = &arguments[..] else {
        bail!("arguments: ADDRESS DELAY_US LOSS_PPM BYTES_PER_S SEED");
    };
    let server: SocketAddr = server.parse().context("an address")?;
    let link = Link {
        delay: Duration::from_micros(delay_us.parse().context("a delay")?),
        loss_ppm: loss_ppm.parse().context("a loss")?,
        bytes_per_s: bytes_per_s.parse().context("a rate")?,
    };
    let mut relay = Relay::new(server, link, seed.parse().context("a seed")?)?;
    println!("{}", json!({ "report": "listening", "address": relay.address()?.to_string() }));
    loop {
        relay.turn()?;
    }
}
