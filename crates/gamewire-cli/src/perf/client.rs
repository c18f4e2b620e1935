//! The side that measures.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc::{self, RecvTimeoutError},
    },
    time::{Duration, Instant},
};

use anyhow::bail;
use gamewire::Config;

use super::{
    ClientArgs, Encryption,
    control::{Control, Mode, Plan, Tally},
    link::{Link, News, PATIENCE},
    options, ping_pong,
    report::{Measured, Report},
    stream,
};
use crate::{cpu, session, units};

/// How often progress is shown.
const PROGRESS_INTERVAL: Duration = Duration::from_secs(1);

/// Runs `gamewire perf client`.
pub(super) fn run(args: &ClientArgs) -> anyhow::Result<()> {
    let plan = plan(args);
    let links = (0..args.parallel).map(|_| connect(args, &plan)).collect::<Result<Vec<_>, _>>()?;
    let bytes = Arc::new(AtomicU64::new(0));
    let cpu = cpu::process_seconds();
    let progress = (!args.quiet).then(|| Progress::start(plan.mode, bytes.clone()));
    let tests: Vec<_> = links
        .into_iter()
        .map(|mut link| {
            let bytes = bytes.clone();
            std::thread::spawn(move || measure(&mut link, &plan, &bytes))
        })
        .collect();
    let mut measured: Option<Measured> = None;
    for test in tests {
        let Ok(one) = test.join() else { bail!("a test panicked") };
        let one = one?;
        measured = Some(match measured {
            None => one,
            Some(others) => others.and(&one),
        });
    }
    let Some(measured) = measured else { bail!("no connection was measured") };
    if let Some(progress) = progress {
        progress.stop();
    }
    let report = Report {
        plan,
        parallel: args.parallel,
        encrypted: args.encryption == Encryption::Aes,
        cpu_seconds: cpu::since(cpu),
        measured,
    };
    let text = if args.json { report.to_json().to_string() } else { report.to_string() };
    session::print_line(&text)?;
    Ok(())
}

fn plan(args: &ClientArgs) -> Plan {
    let mode = match (args.ping_pong, args.reverse) {
        (true, _) => Mode::PingPong,
        (false, true) => Mode::Reverse,
        (false, false) => Mode::Forward,
    };
    let default_size = match (mode, args.unreliable) {
        (Mode::PingPong, _) => 64,
        (Mode::Forward | Mode::Reverse, true) => 1200,
        (Mode::Forward | Mode::Reverse, false) => 16 * 1024,
    };
    Plan {
        mode,
        reliable: !args.unreliable,
        size: args.size.unwrap_or(default_size),
        lanes: args.lanes,
        rate: args.rate,
        duration: args.duration,
    }
}

fn connect(args: &ClientArgs, plan: &Plan) -> anyhow::Result<Link> {
    let sockets = session::sockets(None)?;
    let mut options = options(plan.rate, plan.size);
    if args.encryption == Encryption::None {
        options.push(Config::Unencrypted(3));
    }
    let connection = session::connect(&sockets, args.connect, &options)?;
    Ok(Link::new(sockets, connection, News::Own))
}

/// One connection from the plan to the result.
fn measure(link: &mut Link, plan: &Plan, bytes: &AtomicU64) -> anyhow::Result<Measured> {
    link.send_control(&Control::Start(*plan))?;
    match link.next_control(PATIENCE)? {
        Control::Ready => {}
        Control::Refused(why) => bail!("the server refuses: {}", session::printable(&why)),
        Control::Start(_) | Control::Done { .. } | Control::Finish | Control::Result(_) => {
            bail!("the server answers something else; is it of the same version?")
        }
    }
    let (tally, sent_messages, rtt) = match plan.mode {
        Mode::Forward => {
            let sent = stream::send(link, plan, bytes)?;
            (result(link)?, sent.messages, sent.rtt)
        }
        Mode::Reverse => {
            let received = stream::receive(link, plan, bytes)?;
            link.send_control(&Control::Finish)?;
            let tally = Tally { cpu_seconds: result(link)?.cpu_seconds, ..received.tally };
            (tally, received.sent_messages, received.rtt)
        }
        Mode::PingPong => {
            let trips = ping_pong::ping(link, plan, bytes)?;
            link.send_control(&Control::Finish)?;
            let tally = Tally { cpu_seconds: result(link)?.cpu_seconds, ..trips.tally };
            (tally, trips.sent_messages, trips.rtt)
        }
    };
    link.sockets.close_connection(link.connection, 0, "done", false);
    Ok(Measured::new(tally, sent_messages, rtt))
}

fn result(link: &mut Link) -> anyhow::Result<Tally> {
    // What waits in buffers must arrive first, which takes a second or so at any rate.
    match link.next_control(3 * PATIENCE)? {
        Control::Result(tally) => Ok(tally),
        Control::Refused(why) => bail!("the server failed: {}", session::printable(&why)),
        Control::Start(_) | Control::Ready | Control::Done { .. } | Control::Finish => {
            bail!("the server answers something else; is it of the same version?")
        }
    }
}

/// Says each second how it goes.
struct Progress {
    stop: mpsc::Sender<()>,
    thread: std::thread::JoinHandle<()>,
}

impl Progress {
    fn start(mode: Mode, bytes: Arc<AtomicU64>) -> Self {
        let (stop, stopped) = mpsc::channel();
        let thread = std::thread::spawn(move || {
            let verb = match mode {
                Mode::Forward => "sending",
                Mode::Reverse => "receiving",
                Mode::PingPong => "to and fro",
            };
            let start = Instant::now();
            let (mut shown_at, mut shown) = (start, 0);
            while stopped.recv_timeout(PROGRESS_INTERVAL) == Err(RecvTimeoutError::Timeout) {
                let (now, total) = (Instant::now(), bytes.load(Ordering::Relaxed));
                let rate = (total - shown) as f64 / now.duration_since(shown_at).as_secs_f64();
                eprintln!(
                    "{:5.1} s  {verb} {}/s, {} so far",
                    now.duration_since(start).as_secs_f64(),
                    units::bytes(rate),
                    units::bytes(total as f64)
                );
                (shown_at, shown) = (now, total);
            }
        });
        Self { stop, thread }
    }

    fn stop(self) {
        drop(self.stop);
        // It only prints.
        let _panicked = self.thread.join();
    }
}
