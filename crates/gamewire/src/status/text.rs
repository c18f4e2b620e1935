//! Statuses as text.

use std::{fmt, time::Duration};

use gamewire_proto::event::ConnectionState;

use super::{
    CongestionStatus, DetailedStatus, Distribution, LaneStatus, LinkReport, LinkStatus,
    ProtocolStatus, RecentStats, WholeTimeStats,
};

pub(super) fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

/// The state in one word.
pub(super) const fn state_name(state: ConnectionState) -> &'static str {
    match state {
        ConnectionState::None => "none",
        ConnectionState::Connecting => "connecting",
        ConnectionState::FindingRoute => "finding_route",
        ConnectionState::Connected => "connected",
        ConnectionState::ClosedByPeer => "closed_by_peer",
        ConnectionState::ProblemDetectedLocally => "problem_detected_locally",
    }
}

#[cfg(feature = "serde")]
pub(super) fn serialize<S: serde::Serializer>(
    value: &impl fmt::Display,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_str(value)
}

#[cfg(feature = "serde")]
pub(super) fn serialize_state<S: serde::Serializer>(
    state: &ConnectionState,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(state_name(*state))
}

#[cfg(feature = "serde")]
pub(super) fn serialize_handle<S: serde::Serializer>(
    handle: &Option<crate::handle::ListenSocketHandle>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match handle {
        Some(handle) => serializer.serialize_some(&handle.to_raw()),
        None => serializer.serialize_none(),
    }
}

/// A value, or a word for not knowing it.
struct Known<T>(Option<T>, &'static str);

impl<T: fmt::Display> fmt::Display for Known<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Some(value) => write!(f, "{value}{}", self.1),
            None => f.write_str("unknown"),
        }
    }
}

/// A share as percent.
struct Share(Option<f32>);

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(share) => write!(f, "{:.1} %", share * 100.0),
            None => f.write_str("unknown"),
        }
    }
}

/// Microseconds as milliseconds.
struct Millis(u64);

impl fmt::Display for Millis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:03} ms", self.0 / 1000, self.0 % 1000)
    }
}

/// Control characters escaped: the text may be the peer's.
pub(super) struct OneLine<'a>(pub(super) &'a str);

impl fmt::Display for OneLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.0.chars() {
            if c.is_control() {
                write!(f, "{}", c.escape_default())?;
            } else {
                fmt::Write::write_char(f, c)?;
            }
        }
        Ok(())
    }
}

impl fmt::Display for DetailedStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write_head(f)?;
        if let Some(protocol) = &self.protocol {
            protocol.fmt(f)?;
        }
        if let Some(route) = &self.route {
            route.fmt(f)?;
        }
        self.write_queues(f)?;
        if let Some(congestion) = &self.congestion {
            congestion.fmt(f)?;
        }
        if let Some(link) = &self.link {
            link.fmt(f)?;
        }
        self.write_drops(f)?;
        self.write_config(f)
    }
}

impl DetailedStatus {
    fn write_head(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let info = &self.info;
        writeln!(f, "Connection {}", OneLine(&info.description))?;
        writeln!(f, "  State: {}", state_name(info.state))?;
        if info.end_reason != 0 {
            writeln!(f, "  Ended: {} {}", info.end_reason, OneLine(&info.end_debug))?;
        }
        writeln!(f, "  Peer: {}", OneLine(&info.identity_remote.to_string()))?;
        match info.address_remote {
            Some(address) => writeln!(f, "  Address: {address}")?,
            None => writeln!(f, "  Address: in this process")?,
        }
        if info.flags.bits() != 0 {
            writeln!(f, "  Flags: {}", info.flags)?;
        }
        match self.age_us {
            Some(age) => writeln!(f, "  Age: {:.1} s", age as f64 / 1e6),
            None => Ok(()),
        }
    }

    fn write_queues(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "Queues")?;
        match self.send_rate_bytes_per_s {
            Some(rate) => writeln!(f, "  Send rate: {rate} B/s")?,
            None => writeln!(f, "  Send rate: no limit")?,
        }
        for (number, lane) in self.lanes.iter().enumerate() {
            let LaneStatus {
                pending_unreliable,
                pending_reliable,
                sent_unacked_reliable,
                queue_time_us,
            } = lane;
            writeln!(
                f,
                "  Lane {number}: {pending_reliable} B reliable and {pending_unreliable} B \
                 unreliable to send, {sent_unacked_reliable} B unacknowledged, wait {}",
                Millis(*queue_time_us)
            )?;
        }
        match &self.received {
            Some(queue) => writeln!(
                f,
                "  Received: {} messages unread, {} B held",
                queue.unread_messages, queue.buffered_bytes
            ),
            None => Ok(()),
        }
    }

    fn write_drops(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.drops.is_empty() {
            return Ok(());
        }
        writeln!(f, "Dropped datagrams")?;
        self.drops.iter().try_for_each(|drop| writeln!(f, "  {}: {}", drop.reason, drop.count))
    }

    fn write_config(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut changed = self.config.iter().filter(|value| !value.is_default).peekable();
        if changed.peek().is_none() {
            return writeln!(f, "Configuration: all defaults");
        }
        writeln!(f, "Configuration, as far as it is not the default")?;
        changed.try_for_each(|value| writeln!(f, "  {}: {}", value.name, OneLine(&value.value)))
    }
}

impl fmt::Display for ProtocolStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "Protocol")?;
        writeln!(
            f,
            "  Connection ids: {} here, {} there",
            self.local_connection_id, self.remote_connection_id
        )?;
        writeln!(f, "  Version of the peer: {}", self.version)?;
        writeln!(f, "  Extensions in force: {:#x}", self.features)?;
        writeln!(
            f,
            "  Packet numbers: {} sent, {} received",
            self.last_sent_packet, self.newest_received_packet
        )
    }
}

impl fmt::Display for CongestionStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "Congestion control: {}", self.controller)?;
        writeln!(
            f,
            "  Round trip: {} ± {}, at best {}",
            Millis(self.smoothed_rtt_us),
            Millis(self.rttvar_us),
            Known(self.min_rtt_us.map(Millis), "")
        )?;
        if let Some(path) = &self.path {
            writeln!(
                f,
                "  Path: {}, {}, {} when empty, {:.2} % lost at any rate",
                path.state,
                Known(path.bandwidth_bytes_per_s, " B/s"),
                Known(path.min_rtt_us.map(Millis), ""),
                path.usual_loss_ppm as f64 / 10_000.0
            )?;
        }
        writeln!(f, "  Packets: up to {} B", self.path_mtu)?;
        match self.congestion_window {
            Some(window) => writeln!(f, "  In flight: {} of {window} B", self.bytes_in_flight),
            None => writeln!(f, "  In flight: {} B, no limit", self.bytes_in_flight),
        }
    }
}

impl fmt::Display for LinkStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "Link")?;
        writeln!(
            f,
            "  Ping: {}, at best {}",
            Known(self.ping_us.map(Millis), ""),
            Known(self.min_ping_us.map(Millis), "")
        )?;
        writeln!(
            f,
            "  Quality: {} here, {} there",
            Share(self.quality_local),
            Share(self.quality_remote)
        )?;
        writeln!(f, "  Last heard: {} ago", Millis(self.last_received_us_ago))?;
        if self.reply_timeouts > 0 {
            writeln!(f, "  Replies missing: {}", self.reply_timeouts)?;
        }
        writeln!(f, "Statistics seen from here")?;
        self.local.fmt(f)?;
        writeln!(f, "Statistics seen from there")?;
        self.remote.fmt(f)
    }
}

impl fmt::Display for LinkReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.recent.is_none() && self.whole_time.is_none() {
            return writeln!(f, "  None so far");
        }
        if let Some(recent) = &self.recent {
            write_age(f, "Last seconds", self.recent_age_us)?;
            recent.fmt(f)?;
        }
        if let Some(whole_time) = &self.whole_time {
            write_age(f, "Whole time", self.whole_time_age_us)?;
            whole_time.fmt(f)?;
        }
        Ok(())
    }
}

fn write_age(f: &mut fmt::Formatter<'_>, what: &str, age_us: Option<u64>) -> fmt::Result {
    match age_us {
        Some(age) => writeln!(f, "  {what}, reported {:.1} s ago", age as f64 / 1e6),
        None => writeln!(f, "  {what}"),
    }
}

impl fmt::Display for RecentStats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "    Sent: {:.1} packets/s, {:.0} B/s",
            self.out_packets_per_s, self.out_bytes_per_s
        )?;
        writeln!(
            f,
            "    Received: {:.1} packets/s, {:.0} B/s",
            self.in_packets_per_s, self.in_bytes_per_s
        )?;
        writeln!(
            f,
            "    Ping {}, dropped {}, odd order {}, jitter {}",
            Known(self.ping_ms, " ms"),
            Share(self.dropped_fraction),
            Share(self.weird_sequence_fraction),
            Known(self.peak_jitter_us, " µs")
        )
    }
}

impl fmt::Display for WholeTimeStats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "    Sent: {} packets, {} B", self.packets_sent, self.bytes_sent)?;
        writeln!(f, "    Received: {} packets, {} B", self.packets_received, self.bytes_received)?;
        let sequence = &self.sequence;
        writeln!(
            f,
            "    Sequence: {} dropped, {} late, {} put in order, {} duplicate, {} leaps",
            sequence.dropped,
            sequence.out_of_order,
            sequence.out_of_order_corrected,
            sequence.duplicate,
            sequence.lurch
        )?;
        write_distribution(f, "Quality in %", &self.quality_pct)?;
        write_distribution(f, "Ping in ms", &self.ping_ms)?;
        write_distribution(f, "Jitter in µs", &self.jitter_us)
    }
}

fn write_distribution(
    f: &mut fmt::Formatter<'_>,
    what: &str,
    distribution: &Distribution,
) -> fmt::Result {
    if distribution.total() == 0 && distribution.ntiles.is_empty() {
        return Ok(());
    }
    write!(f, "    {what}:")?;
    for (range, count) in distribution.histogram.iter().filter(|(_, count)| *count > 0) {
        write!(f, " {range}: {count}")?;
    }
    for (index, (percent, value)) in distribution.ntiles.iter().enumerate() {
        let separator = if index == 0 { ";" } else { "," };
        write!(f, "{separator} {percent}th {value}")?;
    }
    writeln!(f)
}
