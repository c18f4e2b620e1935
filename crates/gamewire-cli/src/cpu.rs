//! Processor time of this process.

/// Clock ticks per second in `/proc`: Linux shows 100 to programs whatever the kernel counts in.
const TICKS_PER_SECOND: f64 = 100.0;

/// Seconds of processor time used so far, in user and kernel mode, by all threads; `None` where
/// there is no `/proc`.
pub(crate) fn process_seconds() -> Option<f64> {
    parse_stat(&std::fs::read_to_string("/proc/self/stat").ok()?)
}

/// `utime` and `stime`, fields 14 and 15 of `proc_pid_stat(5)`.
fn parse_stat(stat: &str) -> Option<f64> {
    // The program's name, field 2, may hold blanks and parentheses.
    let (_, after_name) = stat.rsplit_once(')')?;
    let mut fields = after_name.split_ascii_whitespace().skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some((user + system) as f64 / TICKS_PER_SECOND)
}

/// What was used between two readings.
pub(crate) fn since(start: Option<f64>) -> Option<f64> {
    Some((process_seconds()? - start?).max(0.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_found_behind_any_name() {
        let stat = "17 (a b) c) R 1 17 17 0 -1 4194304 90 0 0 0 250 50 0 0 20 0 1 0 5 6 7";
        assert_eq!(parse_stat(stat), Some(3.0));
        assert_eq!(parse_stat("17 (name) R 1"), None);
        assert_eq!(parse_stat(""), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn this_process_is_known() {
        assert!(process_seconds().unwrap() >= 0.0);
        assert!(since(process_seconds()).unwrap() >= 0.0);
        assert_eq!(since(None), None);
    }
}
