//! How a process gives up everything but to compute: it keeps three pipes, a bounded memory and some seconds.
//!
//! Limits (setrlimit, POSIX) hold on every Unix. On Linux a filter of system calls (seccomp, kernel 3.17 and newer) comes on top: it
//! names what may still be called, and whoever calls anything else is killed. No file can be opened, no connection made, no
//! process started, no memory made executable.

use std::io;

use rustix::process::{Resource, Rlimit, setrlimit};

/// Address space, bytes: program, document and picture.
const MEMORY_MAX: u64 = 1024 * 1024 * 1024;
/// Processor time, seconds; a second later the process is killed whatever it does.
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
        // What takes too long ends by a signal that says so, which no administrator sends.
        let after = u64::from(matches!(resource, Resource::Cpu));
        let limit = Rlimit {
            current: Some(most),
            maximum: Some(most + after),
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

    /// What computing and ending need.
    const ALLOWED: [libc::c_long; 17] = [
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
    /// On the three pipes only (first argument): a module may have opened files that a child inherits.
    const PIPES: [libc::c_long; 5] = [
        libc::SYS_read,
        libc::SYS_write,
        libc::SYS_close,
        libc::SYS_fstat,
        libc::SYS_lseek,
    ];

    let dword = |argument, is: SeccompCmpOp, value: libc::c_int| {
        SeccompCondition::new(argument, SeccompCmpArgLen::Dword, is, value as u64)
            .map_err(io::Error::other)
    };
    let rule = |conditions| SeccompRule::new(conditions).map_err(io::Error::other);
    let a_pipe = rule(vec![dword(0, SeccompCmpOp::Le, 2)?])?;
    // Third argument: protection. Memory that is executable is not given out.
    let no_code = || dword(2, SeccompCmpOp::MaskedEq(libc::PROT_EXEC as u64), 0);
    // Fourth: flags. Memory only, no file as memory.
    let anonymous = libc::MAP_ANONYMOUS;
    let no_file = dword(3, SeccompCmpOp::MaskedEq(anonymous as u64), anonymous)?;
    // First: the allocator gives what it maps a name. Nothing else of a process is changed by this call.
    let a_name = dword(0, SeccompCmpOp::Eq, libc::PR_SET_VMA)?;

    let mut rules: BTreeMap<i64, Vec<SeccompRule>> =
        ALLOWED.into_iter().map(|call| (call, Vec::new())).collect();
    rules.extend(PIPES.map(|call| (call, vec![a_pipe.clone()])));
    rules.insert(libc::SYS_mprotect, vec![rule(vec![no_code()?])?]);
    rules.insert(libc::SYS_mmap, vec![rule(vec![no_code()?, no_file])?]);
    rules.insert(libc::SYS_prctl, vec![rule(vec![a_name])?]);
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
