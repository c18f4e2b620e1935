//! Carries packets between two TUN devices until its standard input ends. Prints `ready` once the
//! devices are there, for somebody else to give them addresses.

use std::{io::Read as _, time::Duration};

use anyhow::Context as _;
use clap::Parser;
use gamewire_middlebox::{Middlebox, Place, Tun};
use gamewire_sim::{network::LinkConfig, rng::PerMillion};

/// A bad network for real packets: two TUN devices, and what lies between.
#[derive(Debug, Parser)]
struct Arguments {
    /// The first device: NAME, or NAME@PROCESS to make it in that process's network namespace
    #[arg(value_parser = place)]
    near: Place,
    /// The second device, likewise
    #[arg(value_parser = place)]
    far: Place,
    /// What decides all that is random
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// One way, in microseconds
    #[arg(long, default_value_t = 0)]
    delay_us: u64,
    /// Added to the delay of each packet, evenly spread from zero, without changing their order
    #[arg(long, default_value_t = 0)]
    jitter_us: u64,
    /// Packets lost, of a million, in each direction
    #[arg(long, default_value_t = 0)]
    loss_ppm: u32,
    /// Packets doubled, of a million
    #[arg(long, default_value_t = 0)]
    duplicate_ppm: u32,
    /// Packets held back, of a million, so that others overtake them
    #[arg(long, default_value_t = 0)]
    reorder_ppm: u32,
    /// How long those are held back
    #[arg(long, default_value_t = 5_000)]
    reorder_us: u64,
}

fn place(text: &str) -> Result<Place, std::num::ParseIntError> {
    let (name, process) = match text.split_once('@') {
        Some((name, process)) => (name, Some(process.parse()?)),
        None => (text, None),
    };
    Ok(Place { process, name: name.to_owned() })
}

impl Arguments {
    fn link(&self) -> LinkConfig {
        LinkConfig {
            delay: Duration::from_micros(self.delay_us),
            jitter: Duration::from_micros(self.jitter_us),
            loss: PerMillion(self.loss_ppm),
            duplicate: PerMillion(self.duplicate_ppm),
            reorder: PerMillion(self.reorder_ppm),
            reorder_delay: Duration::from_micros(self.reorder_us),
            ..LinkConfig::default()
        }
    }
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let tuns = [Tun::open(&arguments.near)?, Tun::open(&arguments.far)?];
    let mut middlebox = Middlebox::new(tuns, [arguments.link(); 2], arguments.seed);
    std::thread::Builder::new()
        .name("until-the-end".to_owned())
        .spawn(|| {
            // Whoever started us ends us by going away.
            let _ = std::io::stdin().read_to_end(&mut Vec::new());
            std::process::exit(0);
        })
        .context("no thread")?;
    println!("ready");
    middlebox.run().context("a device is gone")
}
