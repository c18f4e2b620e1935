//! The side that does what it is asked for.

use std::{
    collections::HashMap,
    sync::{Arc, atomic::AtomicU64},
    time::Instant,
};

use gamewire::{
    Config, ConnectionHandle, ConnectionState, Event, ScopeObject, Sockets, StatusChanged,
};

use super::{
    MAX_SIZE, ServerArgs,
    control::{Control, Mode, Plan, Tally},
    link::{Gate, Link, News, PATIENCE},
    options, ping_pong, stream,
};
use crate::{cpu, session, units};

/// Runs `gamewire perf server`.
pub(super) fn run(args: &ServerArgs) -> anyhow::Result<()> {
    let sockets = session::sockets(None)?;
    let mut listen_options = options(0, MAX_SIZE);
    // Encrypted unless the client insists.
    listen_options.push(Config::Unencrypted(1));
    session::listen(&sockets, args.listen, &listen_options)?;
    let mut gates = HashMap::new();
    loop {
        match sockets.wait_event(None) {
            Some(Event::ConnectionStatusChanged(change)) => {
                on_status(&sockets, &mut gates, &change);
            }
            Some(Event::Writable { connection }) => {
                if let Some(gate) = gates.get(&connection) {
                    gate.open();
                }
            }
            Some(_) | None => {}
        }
    }
}

fn on_status(
    sockets: &Sockets,
    gates: &mut HashMap<ConnectionHandle, Arc<Gate>>,
    change: &StatusChanged,
) {
    let connection = change.connection;
    match change.info.state {
        ConnectionState::Connecting => {
            if let Err(error) = sockets.accept_connection(connection) {
                tracing::warn!(%connection, %error, "not accepted");
            }
        }
        ConnectionState::Connected => {
            let gate = Arc::new(Gate::default());
            gates.insert(connection, gate.clone());
            let link = Link::new(sockets.clone(), connection, News::Gate(gate));
            let peer = session::peer(&change.info);
            std::thread::spawn(move || serve(link, &peer));
        }
        ConnectionState::ClosedByPeer | ConnectionState::ProblemDetectedLocally => {
            // The thread of the connection closes it, once it has read what there is.
            if let Some(gate) = gates.remove(&connection) {
                gate.end(session::ending(&change.info));
            } else {
                sockets.close_connection(connection, 0, "", false);
            }
        }
        // Closed on our side: nobody waits any more.
        ConnectionState::None => {
            gates.remove(&connection);
        }
        ConnectionState::FindingRoute => {}
    }
}

/// One connection from its first message to its end.
fn serve(mut link: Link, peer: &str) {
    let result = serve_test(&mut link);
    let line = match &result {
        Ok(line) => format!("{peer}: {line}"),
        Err(error) => format!("{peer}: failed: {error:#}"),
    };
    // Nobody needs to read what the server says.
    let _unread = session::print_line(&line);
    if let Err(error) = result {
        let refusal = Control::Refused(format!("{error:#}"));
        // The connection may be what failed.
        let _unsent = link.send_control(&refusal);
    }
    session::drain_and_close(&link.sockets, link.connection);
}

fn serve_test(link: &mut Link) -> anyhow::Result<String> {
    let plan = match link.next_control(PATIENCE)? {
        Control::Start(plan) => plan,
        Control::Ready
        | Control::Done { .. }
        | Control::Finish
        | Control::Result(_)
        | Control::Refused(_) => anyhow::bail!("the first message is not the plan of a test"),
    };
    for option in options(plan.rate, plan.size) {
        let scope = ScopeObject::Connection(link.connection);
        link.sockets.set_config_value(scope, option.id(), Some(option.data()))?;
    }
    let (cpu, start) = (cpu::process_seconds(), Instant::now());
    link.send_control(&Control::Ready)?;
    let tally = carry_out(link, &plan)?;
    link.send_control(&Control::Result(Tally { cpu_seconds: cpu::since(cpu), ..tally }))?;
    // Until the client has read it and goes.
    while let Ok(Some(_)) = link.next(PATIENCE) {}
    Ok(match plan.mode {
        Mode::Forward => format!(
            "{} messages, {} in {}",
            tally.messages,
            units::bytes(tally.bytes as f64),
            units::duration(tally.elapsed)
        ),
        Mode::Reverse | Mode::PingPong => {
            format!("{} for {}", plan.mode.name(), units::duration(start.elapsed()))
        }
    })
}

fn carry_out(link: &mut Link, plan: &Plan) -> anyhow::Result<Tally> {
    let bytes = AtomicU64::new(0);
    match plan.mode {
        Mode::Forward => Ok(stream::receive(link, plan, &bytes)?.tally),
        Mode::Reverse => {
            let sent = stream::send(link, plan, &bytes)?;
            while !matches!(link.next_control(PATIENCE)?, Control::Finish) {}
            Ok(Tally { messages: sent.messages, ..Tally::default() })
        }
        Mode::PingPong => {
            ping_pong::pong(link, plan)?;
            Ok(Tally::default())
        }
    }
}
