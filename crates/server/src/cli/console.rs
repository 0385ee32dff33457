//! How the command line looks: a sign and a sentence a line, a bar for what takes long. Plain without a terminal, and
//! without colours when NO_COLOR asks so (no-color.org).
//!
//! A reader that has gone (`kyso … | head`) stops no work and is no failure: what cannot be printed is dropped.

use std::io::{IsTerminal, Write};

/// As `println!`, but a closed output is no panic.
macro_rules! say {
    () => {
        $crate::cli::console::line(format_args!(""))
    };
    ($($argument:tt)*) => {
        $crate::cli::console::line(format_args!($($argument)*))
    };
}

/// One line on standard output.
pub fn line(text: std::fmt::Arguments<'_>) {
    let _ = writeln!(std::io::stdout(), "{text}");
}

/// Text as it is on standard output.
pub fn text(text: &str) {
    let _ = std::io::stdout().write_all(text.as_bytes());
}

/// Something is done.
pub fn done(text: &str) {
    say!("{} {text}", paint("✓", "32"));
}

/// Something to know.
pub fn warn(text: &str) {
    say!("{} {text}", paint("!", "33"));
}

/// Something is wrong.
pub fn fault(text: &str) {
    say!("{} {text}", paint("✗", "31"));
}

/// A bar that is drawn over itself on a terminal, and one line a step elsewhere.
pub fn progress(done: u64, of: u64, text: &str) {
    let mut out = std::io::stdout();
    if !out.is_terminal() {
        say!("[{done}/{of}] {text}");
        return;
    }
    let width = 24;
    let filled = (done * width).checked_div(of).unwrap_or(width).min(width);
    let bar: String = (0..width)
        .map(|cell| if cell < filled { '█' } else { '░' })
        .collect();
    // Not wrapped: on a narrow terminal the end of the line is cut, and the next one can be drawn over it.
    let _ = write!(out, "\r\x1b[2K\x1b[?7l{bar} {done}/{of} {text}\x1b[?7h");
    if done >= of {
        let _ = writeln!(out);
    }
    let _ = out.flush();
}

/// Whether an output shows colours and wants them.
pub fn colours(output: &impl IsTerminal) -> bool {
    let unwanted = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    output.is_terminal() && !unwanted
}

fn paint(sign: &str, colour: &str) -> String {
    if colours(&std::io::stdout()) {
        format!("\x1b[{colour}m{sign}\x1b[0m")
    } else {
        sign.to_owned()
    }
}
