//! `gamewire chat`: lines of text between many, relayed by the one who listens.

use std::{
    collections::BTreeMap,
    io::BufRead as _,
    net::SocketAddr,
    sync::mpsc::{self, Receiver, Sender},
};

use anyhow::{Context as _, bail};
use clap::{ArgGroup, Args};
use gamewire::{
    ConnectionHandle, ConnectionState, Event, Identity, Message, PollGroupHandle, SendFlags,
    Sockets, StatusChanged,
};

use crate::{
    address,
    session::{self, print_line, printable},
};

/// Longest line that is sent, in bytes.
const MAX_LINE_BYTES: usize = 4096;

/// Talks to others from the keyboard.
#[derive(Args, Debug)]
#[command(
    group(ArgGroup::new("role").required(true).args(["listen", "connect"])),
    after_help = "\
Examples:
  gamewire chat --listen 27015 --name host
  gamewire chat --connect 192.0.2.1:27015 --name alice
  echo 'hello from a script' | gamewire chat --connect localhost:27015 --name script

Lines that you type go to everybody; the one who listens relays them. /status tells how the connections
do, /quit leaves. At the end of the input the one who connected leaves; the one who listens stays."
)]
pub(crate) struct ChatArgs {
    /// Wait for others at IP:PORT, or at a port alone for every address; port 0 takes a free one
    #[arg(long, value_name = "ADDR", value_parser = address::parse_listen)]
    listen: Option<SocketAddr>,
    /// Join who listens at HOST:PORT
    #[arg(long, value_name = "ADDR", value_parser = address::parse_connect)]
    connect: Option<SocketAddr>,
    /// Name that the others see, at most 31 bytes
    #[arg(long, value_name = "NAME", default_value = "somebody", value_parser = parse_name)]
    name: Identity,
}

fn parse_name(name: &str) -> Result<Identity, String> {
    if name.is_empty() || name.chars().any(char::is_control) {
        return Err("a name is visible text".to_owned());
    }
    Identity::generic_string(name).map_err(|error| format!("{error}; use at most 31 bytes"))
}

/// Something that the main thread waits for.
#[derive(Debug)]
enum Happening {
    Line(String),
    EndOfInput,
    Event(Event),
    Messages(Vec<Message>),
}

/// What a typed line asks for.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Command<'a> {
    Quit,
    Status,
    Help,
    Unknown(&'a str),
    Say(&'a str),
    Nothing,
}

fn parse_line(line: &str) -> Command<'_> {
    match line.trim() {
        "" => Command::Nothing,
        "/quit" => Command::Quit,
        "/status" => Command::Status,
        "/help" => Command::Help,
        // Two slashes: text that begins with one.
        line if line.starts_with("//") => Command::Say(&line[1..]),
        line if line.starts_with('/') => Command::Unknown(line),
        line => Command::Say(&line[..line.floor_char_boundary(MAX_LINE_BYTES)]),
    }
}

/// Runs `gamewire chat`.
pub(crate) fn run(args: &ChatArgs) -> anyhow::Result<()> {
    let sockets = session::sockets(Some(args.name.clone()))?;
    let group = sockets.create_poll_group().context("no poll group")?;
    let mut chat = Chat {
        sockets,
        group,
        name: name_of(&args.name),
        role: Role::Host,
        others: BTreeMap::new(),
    };
    if let Some(address) = args.listen {
        session::listen(&chat.sockets, address, &[])?;
    } else if let Some(address) = args.connect {
        chat.join(address)?;
    }
    let happenings = chat.start_threads();
    chat.run(&happenings)
}

/// A name without the type that identities are written with.
fn name_of(identity: &Identity) -> String {
    match identity {
        Identity::GenericString(name) => printable(name),
        identity => printable(&identity.to_string()),
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Role {
    /// Relays among the others.
    Host,
    /// Has one connection, to the host.
    Guest,
}

struct Chat {
    sockets: Sockets,
    group: PollGroupHandle,
    name: String,
    role: Role,
    /// Names by connection.
    others: BTreeMap<ConnectionHandle, String>,
}

impl Chat {
    fn join(&mut self, address: SocketAddr) -> anyhow::Result<()> {
        let host = session::connect(&self.sockets, address, &[])?;
        self.sockets.set_connection_poll_group(host, Some(self.group));
        self.role = Role::Guest;
        self.others.insert(host, "the host".to_owned());
        print_line(&format!("connected to {address}; /quit leaves, /status tells how it does"))?;
        Ok(())
    }

    fn start_threads(&self) -> Receiver<Happening> {
        let (sender, receiver) = mpsc::channel();
        let (lines, events) = (sender.clone(), sender.clone());
        std::thread::spawn(move || read_lines(&lines));
        let sockets = self.sockets.clone();
        std::thread::spawn(move || {
            while let Some(event) = sockets.wait_event(None) {
                if events.send(Happening::Event(event)).is_err() {
                    return;
                }
            }
        });
        let (sockets, group) = (self.sockets.clone(), self.group);
        std::thread::spawn(move || {
            while let Some(messages) = sockets.wait_messages_on_poll_group(group, 64, None) {
                if sender.send(Happening::Messages(messages)).is_err() {
                    return;
                }
            }
        });
        receiver
    }

    fn run(&mut self, happenings: &Receiver<Happening>) -> anyhow::Result<()> {
        for happening in happenings {
            match happening {
                Happening::Line(line) => match parse_line(&line) {
                    Command::Quit => break,
                    Command::Status => self.show_status()?,
                    Command::Help => {
                        print_line("/status  how the connections do\n/quit    leaves")?
                    }
                    Command::Unknown(line) => {
                        print_line(&format!("{line} is no command; /help lists them"))?;
                    }
                    Command::Say(text) => self.tell_all(&self.announcement(text), None),
                    Command::Nothing => {}
                },
                Happening::EndOfInput => match self.role {
                    Role::Guest => break,
                    Role::Host => {}
                },
                Happening::Messages(messages) => {
                    for message in &messages {
                        self.on_message(message)?;
                    }
                }
                Happening::Event(Event::ConnectionStatusChanged(change)) => {
                    self.on_status(&change)?
                }
                Happening::Event(_) => {}
            }
        }
        for connection in self.others.keys() {
            session::drain_and_close(&self.sockets, *connection);
        }
        Ok(())
    }

    /// What a line becomes on its way: guests say it, hosts say who says it.
    fn announcement(&self, text: &str) -> String {
        match self.role {
            Role::Guest => text.to_owned(),
            Role::Host => format!("{}: {text}", self.name),
        }
    }

    fn on_message(&mut self, message: &Message) -> anyhow::Result<()> {
        let text = String::from_utf8_lossy(message);
        let text = printable(&text[..text.floor_char_boundary(2 * MAX_LINE_BYTES)]);
        match self.role {
            Role::Guest => print_line(&text)?,
            Role::Host => {
                let line = format!("{}: {text}", name_of(&message.peer));
                print_line(&line)?;
                self.tell_all(&line, Some(message.connection));
            }
        }
        Ok(())
    }

    fn on_status(&mut self, change: &StatusChanged) -> anyhow::Result<()> {
        let connection = change.connection;
        match change.info.state {
            ConnectionState::Connecting if self.role == Role::Host => {
                self.sockets.set_connection_poll_group(connection, Some(self.group));
                if let Err(error) = self.sockets.accept_connection(connection) {
                    tracing::warn!(%connection, %error, "not accepted");
                }
            }
            ConnectionState::Connected if self.role == Role::Host => {
                let name = name_of(&change.info.identity_remote);
                let line = format!("* {name} joins");
                print_line(&line)?;
                self.tell_all(&line, None);
                self.others.insert(connection, name);
            }
            ConnectionState::ClosedByPeer | ConnectionState::ProblemDetectedLocally => {
                self.read_the_rest(connection)?;
                self.sockets.close_connection(connection, 0, "", false);
                let name = self.others.remove(&connection);
                if self.role == Role::Guest {
                    bail!("the host is gone: {}", session::ending(&change.info));
                }
                if let Some(name) = name {
                    let line = format!("* {name} leaves");
                    print_line(&line)?;
                    self.tell_all(&line, None);
                }
            }
            ConnectionState::None
            | ConnectionState::Connecting
            | ConnectionState::FindingRoute
            | ConnectionState::Connected => {}
        }
        Ok(())
    }

    /// What a connection said before it ended is still worth reading.
    fn read_the_rest(&mut self, connection: ConnectionHandle) -> anyhow::Result<()> {
        for message in self.sockets.receive_messages(connection, usize::MAX).unwrap_or_default() {
            self.on_message(&message)?;
        }
        Ok(())
    }

    fn tell_all(&self, text: &str, but: Option<ConnectionHandle>) {
        for connection in self.others.keys().filter(|connection| Some(**connection) != but) {
            let flags = SendFlags::RELIABLE_NO_NAGLE;
            if let Err(error) = self.sockets.send_message(*connection, text.as_bytes(), flags) {
                // Who reads so slowly that the buffer is full misses lines of a chat.
                tracing::warn!(%connection, %error, "a line is not sent");
            }
        }
    }

    fn show_status(&self) -> anyhow::Result<()> {
        if self.others.is_empty() {
            print_line("nobody is here")?;
        }
        for (connection, name) in &self.others {
            if let Some(status) = self.sockets.detailed_connection_status(*connection) {
                print_line(&format!("{name}\n{status}"))?;
            }
        }
        Ok(())
    }
}

fn read_lines(happenings: &Sender<Happening>) {
    for line in std::io::stdin().lock().lines() {
        let Ok(line) = line else { break };
        if happenings.send(Happening::Line(line)).is_err() {
            return;
        }
    }
    // If nobody listens any more, that is fine.
    let _ended = happenings.send(Happening::EndOfInput);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_commands_or_words() {
        for (line, command) in [
            ("", Command::Nothing),
            ("  \t", Command::Nothing),
            ("/quit", Command::Quit),
            (" /status ", Command::Status),
            ("/help", Command::Help),
            ("/dance", Command::Unknown("/dance")),
            ("//dance", Command::Say("/dance")),
            ("hello you", Command::Say("hello you")),
        ] {
            assert_eq!(parse_line(line), command, "{line:?}");
        }
        let long = "ä".repeat(MAX_LINE_BYTES);
        let Command::Say(said) = parse_line(&long) else { panic!("text") };
        assert_eq!(said.len(), MAX_LINE_BYTES);
    }

    #[test]
    fn names() {
        assert_eq!(name_of(&parse_name("Zoë").unwrap()), "Zoë");
        assert!(parse_name("").is_err());
        assert!(parse_name("a\x1bb").is_err());
        assert!(parse_name(&"x".repeat(32)).is_err());
        assert_eq!(name_of(&Identity::localhost()), "ip:::1");
    }
}
