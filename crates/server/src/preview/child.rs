//! Both ends of the pipe to the process that draws: the same program, started anew with `render PAGE WIDTH`.
//!
//! It gets the file on standard input and answers on standard output with a line `media-type pages`, then the picture; or with an
//! exit code. It has no configuration, no environment but a word to its allocator ([`RESERVE`]) and nothing open, and whatever ends
//! it means that there is no picture.

use std::io::{self, Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::process::{ExitCode, Stdio};
use std::time::Duration;

use kyso_preview::picture;
use rustix::process::Signal;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::Command;

use super::{Error, Page, Refusal, confine};

/// The first word after the program's name.
const WORD: &str = "render";
/// Longer than its own seconds of processor time take on a busy machine.
const TIME_MAX: Duration = Duration::from_secs(30);
/// The child's only variable: how much of the address space the allocator takes at a time, in KiB. Left alone it reserves a gibibyte
/// before the process is confined to one, and whether a page can be drawn depends on where in memory that came to lie.
pub const RESERVE: (&str, &str) = ("MIMALLOC_ARENA_RESERVE", "65536");
/// A picture of the most pixels that is not compressed at all.
const ANSWER_BYTES_MAX: u64 = 32 * 1024 * 1024;

/// Exit code for a page that is not there.
const NO_SUCH_PAGE: u8 = 3;
/// Exit code of a child that could not give up its rights: nothing was looked at.
const NOT_CONFINED: u8 = 4;

/// The child, if that is what this process was started as.
pub fn run() -> Option<ExitCode> {
    let mut arguments = std::env::args().skip(1);
    if arguments.next().as_deref() != Some(WORD) {
        return None;
    }
    let number = |argument: Option<String>| argument.and_then(|text| text.parse().ok());
    let (page, width) = (number(arguments.next()), number(arguments.next()));
    let (Some(page), Some(width)) = (page, width) else {
        return Some(ExitCode::from(2));
    };
    // A fault of the renderer ends the process; what it would say may quote the document.
    std::panic::set_hook(Box::new(|_| {}));
    Some(match confine::confine() {
        Ok(()) => answer(page, width),
        Err(_) => ExitCode::from(NOT_CONFINED),
    })
}

fn answer(page: u32, width: u32) -> ExitCode {
    let mut pdf = Vec::new();
    if io::stdin().read_to_end(&mut pdf).is_err() {
        return ExitCode::FAILURE;
    }
    let drawn = match picture(pdf, page as usize, width) {
        Ok(drawn) => drawn,
        Err(kyso_preview::Error::NoSuchPage) => return ExitCode::from(NO_SUCH_PAGE),
        Err(_) => return ExitCode::FAILURE,
    };
    let mut out = io::stdout().lock();
    let told = writeln!(out, "{} {}", drawn.media_type, drawn.pages)
        .and_then(|()| out.write_all(&drawn.bytes))
        .and_then(|()| out.flush());
    match told {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

/// Has a page drawn. The inner refusal is the document's own.
pub async fn draw(pdf: &[u8], page: usize, width: u32) -> Result<Result<Page, Refusal>, Error> {
    let mut child = Command::new(program()?)
        .args([WORD, &page.to_string(), &width.to_string()])
        .env_clear()
        .env(RESERVE.0, RESERVE.1)
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()?;
    let (Some(mut input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
        return Err(Error::Busy);
    };
    let mut said = Vec::new();
    let talk = async {
        let give = async {
            // Whoever has ended does not read on; its exit code says why.
            let _ = input.write_all(pdf).await;
            drop(input);
        };
        let mut bounded = output.take(ANSWER_BYTES_MAX);
        let (_, heard) = tokio::join!(give, bounded.read_to_end(&mut said));
        heard?;
        child.wait().await
    };
    let Ok(ended) = tokio::time::timeout(TIME_MAX, talk).await else {
        return Err(Error::Busy);
    };
    let ended = ended?;
    Ok(match ended.code() {
        Some(0) => read(said).ok_or(Refusal::NotRenderable),
        Some(code) if code == i32::from(NO_SUCH_PAGE) => Err(Refusal::NoSuchPage),
        Some(code) if code == i32::from(NOT_CONFINED) => {
            return Err(
                io::Error::other("this system does not let a process confine itself").into(),
            );
        }
        // Killed from outside, for want of memory or because the server ends: that says nothing about the document.
        None if !ended.signal().is_some_and(is_fault) => {
            return Err(io::Error::other("the drawing process was killed").into());
        }
        _ => Err(Refusal::NotRenderable),
    })
}

/// Whether a process brings this signal on itself, by what it does or by how long it takes.
fn is_fault(signal: i32) -> bool {
    const FAULTS: [Signal; 7] = [
        Signal::ABORT,
        Signal::BUS,
        Signal::FPE,
        Signal::ILL,
        Signal::SEGV,
        Signal::SYS,
        Signal::XCPU,
    ];
    FAULTS.iter().any(|fault| fault.as_raw() == signal)
}

/// This very program, even when its file was replaced meanwhile.
fn program() -> io::Result<std::path::PathBuf> {
    match cfg!(target_os = "linux") {
        true => Ok("/proc/self/exe".into()),
        false => std::env::current_exe(),
    }
}

/// Takes the answer apart; what is of no known form is no picture.
fn read(mut said: Vec<u8>) -> Option<Page> {
    let end = said.iter().position(|&byte| byte == b'\n')?;
    let (kind, pages) = std::str::from_utf8(&said[..end]).ok()?.split_once(' ')?;
    let media_type = ["image/png", "image/jpeg"]
        .into_iter()
        .find(|known| *known == kind)?;
    let pages = pages.parse().ok()?;
    let bytes = said.split_off(end + 1);
    (!bytes.is_empty()).then_some(Page {
        media_type,
        bytes,
        pages,
    })
}
