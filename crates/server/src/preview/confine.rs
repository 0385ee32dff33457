//! How a process gives up everything but to compute: it keeps three pipes, a bounded memory and some seconds.
//!
//! Limits (setrlimit, POSIX) hold on every Unix. On Linux a filter of system calls (seccomp, kernel 3.17 and newer) comes on top: it
//! names what may still be called, and whoever calls anything else is killed. No file can be opened, no connection made, no
//! process started, no memory made executable.

use std::io;

use rustix::process::{Resource, Rlimit, setrlimit};

/// Address space, bytes: program, document and picture.
const MEMORY_MAX: u64 = 1024 * 1024 * 1024;
/// Processor time, seconds.
const SECONDS_MAX: u64 = 5;

/// From here on, for good. An error leaves the process as free as it was: it must not go on.
pub fn confine() -> io::Result<()> {
    let limits = [
        (Resource::As, MEMORY_MAX),
        (Resource::Cpu, SECONDS_MAX),
        (Resource::Core, 0),
        (Resource::Fsize, 0),
        (Resource::Nofile, 3),
    ];
    for (resource, most) in limits {
        let limit = Rlimit {
            current: Some(most),
            maximum: Some(most),
        };
        setrlimit(resource, limit)?;
    }
    filter()
}

#[cfg(target_os = "linux")]
fn filter() -> io::Result<()> {
    use std::collections::BTreeMap;

    use seccompiler::{
        BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
        SeccompRule,
    };

    /// What reading a pipe, computing, and ending need.
    const ALLOWED: [libc::c_long; 22] = [
        libc::SYS_read,
        libc::SYS_write,
        libc::SYS_close,
        libc::SYS_fstat,
        libc::SYS_lseek,
        libc::SYS_brk,
        libc::SYS_mremap,
        libc::SYS_munmap,
        libc::SYS_madvise,
        libc::SYS_futex,
        libc::SYS_sched_yield,
        libc::SYS_getrandom,
        libc::SYS_clock_gettime,
        libc::SYS_rt_sigaction,
        libc::SYS_rt_sigprocmask,
        libc::SYS_rt_sigreturn,
        libc::SYS_sigaltstack,
        libc::SYS_getpid,
        libc::SYS_gettid,
        libc::SYS_tgkill,
        libc::SYS_exit,
        libc::SYS_exit_group,
    ];
    /// Third argument of both: protection. Memory that is executable is not given out.
    const MEMORY: [libc::c_long; 2] = [libc::SYS_mmap, libc::SYS_mprotect];

    let is_no_code = SeccompCondition::new(
        2,
        SeccompCmpArgLen::Dword,
        SeccompCmpOp::MaskedEq(libc::PROT_EXEC as u64),
        0,
    );
    let data_only = SeccompRule::new(vec![is_no_code.map_err(io::Error::other)?]);
    let data_only = data_only.map_err(io::Error::other)?;
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> =
        ALLOWED.into_iter().map(|call| (call, Vec::new())).collect();
    rules.extend(MEMORY.map(|call| (call, vec![data_only.clone()])));
    let architecture = std::env::consts::ARCH
        .try_into()
        .map_err(io::Error::other)?;
    let filter = SeccompFilter::new(
        rules,
        SeccompAction::KillProcess,
        SeccompAction::Allow,
        architecture,
    );
    let filter = filter.map_err(io::Error::other)?;
    let program = BpfProgram::try_from(filter).map_err(io::Error::other)?;
    seccompiler::apply_filter(&program).map_err(io::Error::other)
}

#[cfg(not(target_os = "linux"))]
fn filter() -> io::Result<()> {
    Ok(())
}
