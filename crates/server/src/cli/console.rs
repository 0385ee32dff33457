//! How the command line looks: a sign and a sentence a line, a bar for what takes long. Plain without a terminal.

use std::io::{IsTerminal, Write};

/// Something is done.
pub fn done(text: &str) {
    println!("{} {text}", paint("✓", "32"));
}

/// Something to know.
pub fn warn(text: &str) {
    println!("{} {text}", paint("!", "33"));
}

/// Something is wrong.
pub fn fault(text: &str) {
    println!("{} {text}", paint("✗", "31"));
}

/// A bar that is drawn over itself on a terminal, and one line a step elsewhere.
pub fn progress(done: u64, of: u64, text: &str) {
    let mut out = std::io::stdout();
    if !out.is_terminal() {
        println!("[{done}/{of}] {text}");
        return;
    }
    let width = 24;
    let filled = (done * width).checked_div(of).unwrap_or(width).min(width);
    let bar: String = (0..width)
        .map(|cell| if cell < filled { '█' } else { '░' })
        .collect();
    let _ = write!(out, "\r\x1b[2K{bar} {done}/{of} {text}");
    if done >= of {
        let _ = writeln!(out);
    }
    let _ = out.flush();
}

fn paint(sign: &str, colour: &str) -> String {
    if std::io::stdout().is_terminal() {
        format!("\x1b[{colour}m{sign}\x1b[0m")
    } else {
        sign.to_owned()
    }
}
