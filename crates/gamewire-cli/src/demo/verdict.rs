//! What came out of the demonstration.

use super::{content::MAP_PIECE_BYTES, players::Seat, traffic::Faults};

/// What was to be expected.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) struct Expectation {
    /// Share of the datagrams that the network loses, 0 to 1.
    pub(super) loss: f64,
    /// Pieces of the map for each client.
    pub(super) pieces: u32,
}

/// What came out.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Verdict {
    events: (u64, u64),
    pieces: (u64, u64),
    states: (u64, u64),
    faults: Faults,
    /// What is wrong, for people.
    pub(super) problems: Vec<String>,
}

impl Verdict {
    pub(super) fn of(seats: &[Seat], expectation: Expectation, failures: Vec<String>) -> Self {
        let total = |count: fn(&Seat) -> u32| seats.iter().map(|seat| u64::from(count(seat))).sum();
        let ends = || seats.iter().flat_map(|seat| [seat.server.faults, seat.client.faults]);
        let mut verdict = Self {
            events: (
                total(|seat| seat.server.events_sent + seat.client.events_sent),
                total(|seat| seat.server.events_received + seat.client.events_received),
            ),
            pieces: (
                u64::from(expectation.pieces) * seats.len() as u64,
                total(|seat| seat.client.pieces_received),
            ),
            states: (
                total(|seat| seat.server.states_sent + seat.client.states_sent),
                total(|seat| seat.server.states_received + seat.client.states_received),
            ),
            faults: ends().fold(Faults::default(), |sum, faults| Faults {
                harmed: sum.harmed + faults.harmed,
                out_of_order: sum.out_of_order + faults.out_of_order,
                repeated: sum.repeated + faults.repeated,
                misplaced: sum.misplaced + faults.misplaced,
            }),
            problems: failures,
        };
        verdict.judge(seats, expectation);
        verdict
    }

    fn judge(&mut self, seats: &[Seat], expectation: Expectation) {
        for (index, seat) in seats.iter().enumerate() {
            if !seat.is_complete(expectation.pieces) {
                self.problems.push(format!("client {}: not all that is reliable came", index + 1));
            }
        }
        let Faults { harmed, out_of_order, repeated, misplaced } = self.faults;
        for (count, what) in [
            (harmed, "messages came harmed"),
            (out_of_order, "reliable messages came twice or out of order"),
            (repeated, "unreliable messages came twice"),
            (misplaced, "messages came on another lane or with another reliability"),
        ] {
            if count > 0 {
                self.problems.push(format!("{count} {what}"));
            }
        }
        let (sent, received) = self.states;
        let lost = sent.saturating_sub(received);
        if sent == 0 || self.events.0 == 0 {
            self.problems.push("nothing was sent".to_owned());
        } else if !is_plausible(lost, sent, expectation.loss) {
            self.problems.push(format!(
                "{lost} of {sent} state updates were lost, which is not what {:.1} % do",
                expectation.loss * 100.0
            ));
        }
    }

    /// The summary, line by line.
    pub(super) fn lines(&self, expectation: Expectation) -> Vec<String> {
        let mark = |good: bool| if good { "ok" } else { "WRONG" };
        let ordered = self.faults.harmed + self.faults.out_of_order + self.faults.misplaced == 0;
        let (sent, received) = self.states;
        let lost = sent.saturating_sub(received);
        let share = if sent == 0 { 0.0 } else { lost as f64 / sent as f64 };
        let mut lines = vec![
            format!(
                "events  {} sent, {} arrived once and in order: {}",
                self.events.0,
                self.events.1,
                mark(ordered && self.events.0 == self.events.1)
            ),
            format!(
                "map     {} of {} KiB arrived once and in order: {}",
                kib(self.pieces.1),
                kib(self.pieces.0),
                mark(ordered && self.pieces.0 == self.pieces.1)
            ),
            format!(
                "state   {sent} sent, {received} arrived, {:.1} % lost where {:.1} % of the datagrams are: {}",
                share * 100.0,
                expectation.loss * 100.0,
                mark(self.faults.repeated == 0 && is_plausible(lost, sent, expectation.loss))
            ),
        ];
        if self.problems.is_empty() {
            lines.push("Success.".to_owned());
        }
        lines.extend(self.problems.iter().map(|problem| format!("FAILED: {problem}")));
        lines
    }
}

fn kib(pieces: u64) -> u64 {
    pieces * MAP_PIECE_BYTES as u64 / 1024
}

/// Whether chance explains so many losses. A message may be spread over two datagrams, and a lost
/// datagram may hold several, so twice the share is taken as the upper end and a third as the lower
/// one, each with three standard deviations and more.
fn is_plausible(lost: u64, sent: u64, loss: f64) -> bool {
    let expected = sent as f64 * loss;
    let high = 2.0 * expected + 6.0 * (2.0 * expected).sqrt() + 3.0;
    let low = expected / 3.0 - 3.0 * expected.sqrt();
    (low..=high).contains(&(lost as f64))
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXPECTATION: Expectation = Expectation { loss: 0.02, pieces: 2 };

    /// A client with which all went well.
    fn seat() -> Seat {
        let mut seat = Seat::default();
        for end in [&mut seat.server, &mut seat.client] {
            (end.events_sent, end.events_received) = (100, 100);
            (end.states_sent, end.states_received) = (500, 490);
        }
        (seat.server.pieces_sent, seat.client.pieces_received) = (2, 2);
        seat
    }

    fn problems(change: impl FnOnce(&mut Seat)) -> Vec<String> {
        let mut bad = seat();
        change(&mut bad);
        Verdict::of(&[seat(), bad], EXPECTATION, Vec::new()).problems
    }

    #[test]
    fn success_has_no_problems() {
        let verdict = Verdict::of(&[seat(), seat()], EXPECTATION, Vec::new());
        assert_eq!(verdict.problems, Vec::<String>::new());
        let text = verdict.lines(EXPECTATION).join("\n");
        for expected in ["400 sent, 400 arrived", "64 of 64 KiB", "2.0 % lost", "Success."] {
            assert!(text.contains(expected), "{expected} in {text}");
        }
        assert!(!text.contains("WRONG"), "{text}");
    }

    #[test]
    fn whatever_is_wrong_is_told() {
        let found = problems(|seat| seat.client.events_received -= 1);
        assert_eq!(found, ["client 2: not all that is reliable came"]);
        let found = problems(|seat| seat.client.pieces_received -= 1);
        assert_eq!(found, ["client 2: not all that is reliable came"]);
        let found = problems(|seat| seat.server.faults.harmed = 3);
        assert_eq!(found, ["3 messages came harmed"]);
        let found = problems(|seat| seat.client.faults.out_of_order = 1);
        assert_eq!(found, ["1 reliable messages came twice or out of order"]);
        let found = problems(|seat| seat.client.faults.repeated = 1);
        assert_eq!(found, ["1 unreliable messages came twice"]);
        let found = problems(|seat| seat.client.faults.misplaced = 1);
        assert_eq!(found.len(), 1);
        let found = problems(|seat| seat.client.states_received = 200);
        assert!(found[0].contains("state updates were lost"), "{found:?}");
        let failed = Verdict::of(&[seat()], EXPECTATION, vec!["server: broke".to_owned()]);
        assert_eq!(failed.problems, ["server: broke"]);
        assert!(failed.lines(EXPECTATION).contains(&"FAILED: server: broke".to_owned()));
        let nothing = Verdict::of(&[], EXPECTATION, Vec::new());
        assert_eq!(nothing.problems, ["nothing was sent"]);
    }

    #[test]
    fn plausible_losses() {
        for (lost, sent, loss, plausible) in [
            (0, 1000, 0.0, true),
            (3, 1000, 0.0, true),
            (4, 1000, 0.0, false),
            (20, 1000, 0.02, true),
            (0, 1000, 0.02, true),
            (90, 1000, 0.02, false),
            (0, 10_000, 0.02, false),
            (200, 10_000, 0.02, true),
        ] {
            assert_eq!(is_plausible(lost, sent, loss), plausible, "{lost} of {sent}");
        }
    }
}
