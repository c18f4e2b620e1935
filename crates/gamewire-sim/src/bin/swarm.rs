//! Runs made-up scenarios, seed after seed, until time is up or something is wrong.
#![forbid(unsafe_code)]

use std::{
    process::ExitCode,
    time::{Duration, Instant},
};

use gamewire_sim::scenario::{Report, Scenario, fixed, fixed_names, generate};

const USAGE: &str = "\
usage: swarm [--minutes N] [--seed S] [--count N] [--scenario NAME] [--list]

  --minutes N      run for about so long (default 1)
  --seed S         the first seed (default 1); alone, plays just this one
  --count N        play so many seeds instead of running for some minutes
  --scenario NAME  play this fixed scenario with each seed
  --list           print the names of the fixed scenarios

Exit code 0: nothing wrong. 1: a checker cried out. 2: wrong usage.";

/// What the command line asks for.
#[derive(Default)]
struct Request {
    minutes: Option<u64>,
    seed: Option<u64>,
    count: Option<u64>,
    scenario: Option<String>,
    list: bool,
}

impl Request {
    fn parse(mut words: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut request = Self::default();
        while let Some(word) = words.next() {
            if word == "--list" {
                request.list = true;
                continue;
            }
            let value = words.next().ok_or_else(|| format!("{word} needs a value"))?;
            let number = || value.parse().map_err(|_| format!("{value} is no number"));
            match word.as_str() {
                "--minutes" => request.minutes = Some(number()?),
                "--seed" => request.seed = Some(number()?),
                "--count" => request.count = Some(number()?),
                "--scenario" => request.scenario = Some(value),
                _ => return Err(format!("what is {word}?")),
            }
        }
        Ok(request)
    }

    fn build(&self, seed: u64) -> Result<Scenario, String> {
        match &self.scenario {
            None => Ok(generate(seed)),
            Some(name) => {
                fixed(name, seed).ok_or_else(|| format!("no scenario {name}; try --list"))
            }
        }
    }

    /// How many seeds, and for how long.
    fn limits(&self) -> (u64, Duration) {
        let single = self.seed.is_some() && self.minutes.is_none();
        let count = self.count.unwrap_or(if single { 1 } else { u64::MAX });
        let minutes = self.minutes.unwrap_or(if self.count.is_some() { u64::MAX / 60 } else { 1 });
        (count, Duration::from_secs(minutes * 60))
    }
}

fn main() -> ExitCode {
    match Request::parse(std::env::args().skip(1)).and_then(|request| swarm(&request)) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error}\n\n{USAGE}");
            ExitCode::from(2)
        }
    }
}

fn swarm(request: &Request) -> Result<bool, String> {
    if request.list {
        fixed_names().for_each(|name| println!("{name}"));
        return Ok(true);
    }
    let (count, time) = request.limits();
    let (begun, first) = (Instant::now(), request.seed.unwrap_or(1));
    let (mut runs, mut messages, mut datagrams) = (0, 0, 0);
    while runs < count && begun.elapsed() < time {
        let scenario = request.build(first.wrapping_add(runs))?;
        let report = scenario.run();
        runs += 1;
        messages += report.messages_delivered;
        datagrams += report.datagrams;
        if !report.passed() {
            fail(request, &scenario, &report);
            return Ok(false);
        }
        if count == 1 {
            println!("{report:#?}");
        }
    }
    let seconds = begun.elapsed().as_secs_f64();
    println!("{runs} runs, {messages} messages, {datagrams} datagrams in {seconds:.1} s: all well");
    Ok(true)
}

fn fail(request: &Request, scenario: &Scenario, report: &Report) {
    let seed = scenario.seed;
    println!("FAILED: {} (seed {seed})", scenario.name);
    report.violations.iter().for_each(|violation| println!("  {violation}"));
    let fixed =
        request.scenario.as_ref().map_or_else(String::new, |name| format!(" --scenario {name}"));
    println!("replay:  cargo run -p gamewire-sim --bin swarm -- --seed {seed}{fixed}");
    println!("keep it: add \"{seed} <what it found>\" to crates/gamewire-sim/seeds.txt");
    let smaller = shrink(scenario);
    println!("the smallest variant found that still fails:\n{smaller:#?}");
}

/// Leaves out one thing after the other for as long as the scenario still fails.
fn shrink(scenario: &Scenario) -> Scenario {
    let mut smallest = scenario.clone();
    loop {
        let variants = smaller_variants(&smallest);
        match variants.into_iter().find(|variant| !variant.run().passed()) {
            Some(variant) => smallest = variant,
            None => return smallest,
        }
    }
}

fn smaller_variants(scenario: &Scenario) -> Vec<Scenario> {
    let mut variants = Vec::new();
    let mut without = |change: &dyn Fn(&mut Scenario)| {
        let mut variant = scenario.clone();
        change(&mut variant);
        variants.push(variant);
    };
    if scenario.connections > 1 {
        without(&|scenario| scenario.connections = 1);
    }
    if !scenario.cuts.is_empty() {
        without(&|scenario| scenario.cuts.clear());
    }
    for side in 0..2 {
        let link = scenario.links[side];
        if link != Default::default() {
            without(&|scenario| scenario.links[side] = Default::default());
        }
        for index in 0..scenario.sides[side].plan.traffic.len() {
            without(&|scenario| {
                scenario.sides[side].plan.traffic.remove(index);
            });
            if scenario.sides[side].plan.traffic[index].count > 1 {
                without(&|scenario| scenario.sides[side].plan.traffic[index].count /= 2);
            }
        }
    }
    variants
}
