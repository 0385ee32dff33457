//! What other processes cost, as the kernel counts it (`/proc`, Linux): processor time and memory.

use std::fs;

/// Processor seconds that a process has used, its threads together. Kernel ticks are hundredths on every Linux.
pub fn cpu_seconds(process: u32) -> f64 {
    ticks(process).map_or(0.0, |ticks| ticks as f64 / 100.0)
}

/// Processor seconds of a process and everything it has started that still runs.
pub fn family_cpu_seconds(process: u32) -> f64 {
    let children = fs::read_to_string(format!("/proc/{process}/task/{process}/children"));
    let children = children.unwrap_or_default();
    let of_children: f64 = children
        .split_whitespace()
        .filter_map(|child| child.parse().ok())
        .map(cpu_seconds)
        .sum();
    cpu_seconds(process) + of_children
}

/// The most memory a process has held, MiB.
pub fn peak_memory_mib(process: u32) -> f64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let kib = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .and_then(|rest| rest.split_whitespace().next()?.parse::<f64>().ok());
    kib.unwrap_or(0.0) / 1024.0
}

/// utime and stime: fields 14 and 15 of `stat`, counted after the name, which may hold anything.
fn ticks(process: u32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let field = |number: usize| fields.get(number - 3)?.parse::<u64>().ok();
    Some(field(14)? + field(15)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_that_works_uses_time_and_memory() {
        let own = std::process::id();
        let before = cpu_seconds(own);
        let mut sum = 0u64;
        while cpu_seconds(own) < before + 0.02 {
            sum = std::hint::black_box(sum.wrapping_add(1));
        }
        assert!(peak_memory_mib(own) > 0.1);
        assert_eq!(cpu_seconds(u32::MAX), 0.0);
    }
}
