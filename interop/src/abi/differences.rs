//! Where the two libraries are meant to differ, each with the row of `docs/parity.md` that explains
//! it.

use super::observations::Difference;

/// One declared difference.
#[derive(Clone, Copy, Debug)]
pub struct Declared {
    /// The program that shows it.
    pub program: &'static str,
    /// The key of the line; with `*` at its end, of every line that begins so.
    pub key: &'static str,
    /// The first cell of the row in `docs/parity.md`.
    pub row: &'static str,
}

const fn declared(program: &'static str, key: &'static str, row: &'static str) -> Declared {
    Declared { program, key, row }
}

/// All of them.
pub const DECLARED: &[Declared] = &[
    declared("connect", "connect.port_zero", CONNECT_ZERO),
    declared("connect", "connect.address_zero", CONNECT_ZERO),
    declared("closing", "listen.client*", CLOSE_LISTEN),
    declared("closing", "listen.server.1", CLOSE_LISTEN),
    declared("config", "value.10.default", SEND_RATE_DEFAULT),
    declared("config", "value.11.default", SEND_RATE_DEFAULT),
    declared("config", "limit.10.reset", SEND_RATE_DEFAULT),
    declared("config", "limit.10.2147483647.value", SEND_RATE_MAX),
    declared("config", "int.string_trailing*", PARSE_NUMBER),
    declared("config", "int64.string_trailing*", PARSE_NUMBER),
    declared("config", "float.string_trailing*", PARSE_NUMBER),
    declared("config", "value.33*", KNOWN_VALUES),
    declared("config", "value.203*", KNOWN_VALUES),
    declared("config", "value.207*", KNOWN_VALUES),
    declared("lanes", "ended.status*", LANES_AFTER_END),
    declared("lifecycle", "identity.reset_null", RESET_IDENTITY),
    declared("pairs", "pipe.size.524289*", PIPE_SIZE),
    declared("text", "address[1.2.3.4:]*", PARSE_ADDRESS),
    declared("text", "address[1.2.3.4:garbage]*", PARSE_ADDRESS),
    declared("text", "address[1.2.3.4:5x]*", PARSE_ADDRESS),
    declared("text", "address[1.2.3.4.5]*", PARSE_ADDRESS),
    declared("text", "address[01.2.3.4]*", PARSE_ADDRESS),
    declared("text", "address[1:2:3:4:5:6:7:8:9]*", PARSE_ADDRESS),
    declared("text", "address[fe80::1%1]*", PARSE_ADDRESS),
    declared("text", "identity[steamid:76561198000000001x]*", PARSE_NUMBER),
    declared("text", "identity[psn:18446744073709551616]*", PARSE_NUMBER),
    declared("unavailable", "auth.status*", AUTHENTICATION),
    declared("unavailable", "auth.details", AUTHENTICATION),
    declared("unavailable", "messages.close", CLOSE_SESSION),
    declared("unavailable", "relay.estimate", PING_LOCATIONS),
    declared("unavailable", "relay.parse", PING_LOCATIONS),
];

const AUTHENTICATION: &str = "`InitAuthentication`";
const CLOSE_LISTEN: &str = "`CloseListenSocket`";
const CLOSE_SESSION: &str = "`CloseSessionWithUser` after a message that could not be sent";
const CONNECT_ZERO: &str = "`ConnectByIPAddress` with a zero address or port";
const KNOWN_VALUES: &str =
    "`GetConfigValueInfo` of `MTU_DataSize` and of callbacks that are never made";
const LANES_AFTER_END: &str = "status of lanes after the end";
const PARSE_ADDRESS: &str = "parsing `1.2.3.4:garbage` as an address";
const PARSE_NUMBER: &str = "parsing a number with something behind it, or too large for its type";
const PING_LOCATIONS: &str = "ping locations";
const PIPE_SIZE: &str = "message of more than 512 KiB through a socket pair";
const RESET_IDENTITY: &str = "`ResetIdentity` without an identity";
const SEND_RATE_DEFAULT: &str = "default of `SendRateMin` and `SendRateMax`";
const SEND_RATE_MAX: &str = "upper end of `SendRateMin` and `SendRateMax`";

impl Declared {
    fn covers(&self, program: &str, difference: &Difference) -> bool {
        let same_key = match self.key.strip_suffix('*') {
            Some(beginning) => difference.key.starts_with(beginning),
            None => difference.key == self.key,
        };
        self.program == program && same_key
    }
}

/// What remains after the declared differences are taken away: the undeclared ones, and the declared
/// ones that did not show.
#[must_use]
pub fn unexpected(
    declared: &[Declared],
    program: &str,
    differences: &[Difference],
) -> (Vec<Difference>, Vec<Declared>) {
    let undeclared = differences
        .iter()
        .filter(|difference| !declared.iter().any(|known| known.covers(program, difference)));
    let missing = declared.iter().filter(|known| {
        known.program == program && !differences.iter().any(|seen| known.covers(program, seen))
    });
    (undeclared.cloned().collect(), missing.copied().collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::abi::programs::PROGRAMS;

    fn difference(key: &str) -> Difference {
        Difference { key: key.to_owned(), expected: None, found: None }
    }

    #[test]
    fn a_declared_difference_is_taken_away() {
        let known = [declared("a", "x", "row"), declared("a", "y.*", "row")];
        let differences = [difference("x"), difference("y.1"), difference("y.2")];
        let (undeclared, missing) = unexpected(&known, "a", &differences);
        assert!(undeclared.is_empty() && missing.is_empty());
    }

    #[test]
    fn an_undeclared_one_remains() {
        let known = [declared("other", "x", "row"), declared("a", "xy", "row")];
        let (undeclared, missing) = unexpected(&known, "a", &[difference("x")]);
        assert_eq!(undeclared, [difference("x")]);
        assert_eq!(missing.len(), 1);
        assert_eq!(missing[0].key, "xy");
    }

    #[test]
    fn every_declaration_names_a_program_and_a_row_of_the_parity_table() {
        let parity = include_str!("../../../docs/parity.md");
        for known in DECLARED {
            assert!(PROGRAMS.iter().any(|program| program.name == known.program), "{known:?}");
            assert!(parity.contains(&format!("\n| {} |", known.row)), "{known:?}");
        }
    }
}
