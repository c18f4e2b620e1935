//! Clocks of the system, and the core that a process runs on.

use std::time::Duration;

use rustix::{
    thread::{CpuSet, sched_setaffinity},
    time::{ClockId, Timespec, clock_gettime},
};

fn duration(time: Timespec) -> Duration {
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    Duration::new(seconds, u32::try_from(time.tv_nsec).unwrap_or(0))
}

/// Nanoseconds of a clock that all processes of this machine share.
pub fn now_ns() -> u64 {
    u64::try_from(duration(clock_gettime(ClockId::Monotonic)).as_nanos()).unwrap_or(u64::MAX)
}

/// Processor time that this process has used, all threads, user and kernel mode, in seconds.
pub fn process_cpu_s() -> f64 {
    duration(clock_gettime(ClockId::ProcessCPUTime)).as_secs_f64()
}

/// Memory of this process that is resident, in bytes.
pub fn resident_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.split_ascii_whitespace().next()?.parse().ok()?;
    Some(kib * 1024)
}

/// Keeps this thread, and the threads that it starts from now on, on one core.
///
/// # Errors
/// There is no such core, or we may not use it.
pub fn pin(core: usize) -> std::io::Result<()> {
    let mut cores = CpuSet::new();
    cores.set(core);
    Ok(sched_setaffinity(None, &cores)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks_only_go_forward() {
        let (now, cpu) = (now_ns(), process_cpu_s());
        assert!(now > 0 && now_ns() >= now);
        assert!(process_cpu_s() >= cpu);
        assert!(resident_bytes().unwrap() > 0);
    }
}
