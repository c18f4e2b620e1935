//! Numbers for people.

use std::time::Duration;

/// Bytes with a decimal prefix: `312.4 MB`.
pub(crate) fn bytes(count: f64) -> String {
    let prefixes = ["B", "kB", "MB", "GB", "TB"];
    let mut value = count;
    let mut prefix = 0;
    while value >= 999.95 && prefix + 1 < prefixes.len() {
        value /= 1000.0;
        prefix += 1;
    }
    if prefix == 0 { format!("{value:.0} B") } else { format!("{value:.1} {}", prefixes[prefix]) }
}

/// A duration in the unit that suits it: `180 µs`, `3.2 ms`, `1.50 s`.
pub(crate) fn duration(duration: Duration) -> String {
    let micros = duration.as_secs_f64() * 1e6;
    if micros < 999.5 {
        format!("{micros:.0} µs")
    } else if micros < 99_950.0 {
        format!("{:.1} ms", micros / 1e3)
    } else if micros < 999_500.0 {
        format!("{:.0} ms", micros / 1e3)
    } else {
        format!("{:.2} s", micros / 1e6)
    }
}

/// A share of 1 in percent: `98.3 %`; a dash while unknown.
pub(crate) fn percent(share: Option<f32>) -> String {
    share.map_or_else(|| "–".to_owned(), |share| format!("{:.1} %", share * 100.0))
}

/// Seconds since 1970 as a date in UTC: `2026-03-01 12:00:00 UTC`.
pub(crate) fn date(unix: u64) -> String {
    let (days, seconds) = (unix / 86_400, unix % 86_400);
    let (year, month, day) = civil(days);
    let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02} UTC")
}

/// Year, month and day of a day counted from 1970-01-01, by the Gregorian calendar.
fn civil(mut days: u64) -> (u64, u64, u64) {
    let is_leap = |year: u64| {
        year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
    };
    // 400 years have a whole number of days; what is left is counted out.
    let mut year = 1970 + days / 146_097 * 400;
    days %= 146_097;
    loop {
        let length = if is_leap(year) { 366 } else { 365 };
        if days < length {
            break;
        }
        days -= length;
        year += 1;
    }
    let february = if is_leap(year) { 29 } else { 28 };
    let mut month = 1;
    for length in [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] {
        if days < length {
            break;
        }
        days -= length;
        month += 1;
    }
    (year, month, days + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_get_the_prefix_that_fits() {
        for (count, text) in [
            (0.0, "0 B"),
            (999.0, "999 B"),
            (1000.0, "1.0 kB"),
            (312_400_000.0, "312.4 MB"),
            (999_960.0, "1.0 MB"),
            (5e15, "5000.0 TB"),
        ] {
            assert_eq!(bytes(count), text);
        }
    }

    #[test]
    fn durations_get_the_unit_that_fits() {
        for (micros, text) in [
            (0, "0 µs"),
            (180, "180 µs"),
            (3200, "3.2 ms"),
            (250_000, "250 ms"),
            (999_499, "999 ms"),
            (1_500_000, "1.50 s"),
        ] {
            assert_eq!(duration(Duration::from_micros(micros)), text);
        }
    }

    #[test]
    fn unknown_shares_are_a_dash() {
        assert_eq!(percent(None), "–");
        assert_eq!(percent(Some(0.983)), "98.3 %");
    }

    #[test]
    fn dates() {
        for (unix, text) in [
            (0, "1970-01-01 00:00:00 UTC"),
            (951_782_400, "2000-02-29 00:00:00 UTC"),
            (1_700_000_000, "2023-11-14 22:13:20 UTC"),
            (4_102_444_799, "2099-12-31 23:59:59 UTC"),
            (4_107_542_400, "2100-03-01 00:00:00 UTC"),
        ] {
            assert_eq!(date(unix), text);
        }
    }
}
