//! How the demo tells its story: one readable line a step, with the time it took, and a moving line while it works.
//!
//! Colours only on a terminal, and not when NO_COLOR asks for none (no-color.org); the moving line only on a terminal.

use std::fmt::Display;
use std::future::Future;
use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

/// Prints the story.
pub struct Stage {
    started: Instant,
}

/// Why a step did not succeed.
pub type Failure = Box<dyn std::error::Error + Send + Sync>;

impl Default for Stage {
    fn default() -> Self {
        Self::new()
    }
}

impl Stage {
    /// The curtain rises.
    #[expect(
        clippy::disallowed_methods,
        reason = "how long a step took is for whoever watches"
    )]
    pub fn new() -> Self {
        Self {
            started: Instant::now(),
        }
    }

    /// A new act.
    pub fn act(&self, title: &str) {
        println!("\n{}", bold(title));
    }

    /// One step: a spinner while it runs, then a line with its time and what it says of itself.
    #[expect(
        clippy::disallowed_methods,
        reason = "how long a step took is for whoever watches"
    )]
    pub async fn step<T>(
        &self,
        title: &str,
        work: impl Future<Output = Result<(T, String), Failure>>,
    ) -> Result<T, Failure> {
        let began = Instant::now();
        let outcome = self.meanwhile(title, work).await;
        let took = readable(began.elapsed());
        match outcome {
            Ok((value, note)) => {
                println!("  {} {took} {title}", green("✓"));
                for line in note.lines() {
                    println!("             {}", paint("2", line));
                }
                Ok(value)
            }
            Err(failure) => {
                println!("  {} {took} {title}", red("✗"));
                Err(failure)
            }
        }
    }

    /// A moving line while something works, which leaves nothing behind.
    pub async fn meanwhile<T>(&self, title: &str, work: impl Future<Output = T>) -> T {
        let spinner = ProgressBar::new_spinner().with_message(title.to_owned());
        spinner.set_style(
            ProgressStyle::with_template("  {spinner} {elapsed} {wide_msg}")
                .unwrap_or(ProgressStyle::default_spinner()),
        );
        spinner.enable_steady_tick(Duration::from_millis(120));
        let outcome = work.await;
        spinner.finish_and_clear();
        outcome
    }

    /// Something somebody else said, in their own words.
    pub fn quote(&self, who: &str, words: &str) {
        println!("  {}", paint("36", who));
        for line in words.lines().filter(|line| !line.trim().is_empty()) {
            println!("    │ {}", line.trim_end());
        }
    }

    /// A plain line.
    pub fn say(&self, text: &str) {
        println!("  {text}");
    }

    /// How long the whole story took.
    pub fn elapsed(&self) -> String {
        readable(self.started.elapsed()).trim().to_owned()
    }
}

/// What stands out.
pub fn bold(text: impl Display) -> String {
    paint("1", text)
}

/// What is well.
pub fn green(text: impl Display) -> String {
    paint("32", text)
}

/// What is not.
pub fn red(text: impl Display) -> String {
    paint("31", text)
}

/// Whether colours are wanted.
pub fn has_colours() -> bool {
    let unwanted = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    std::io::stdout().is_terminal() && !unwanted
}

fn paint(colour: &str, text: impl Display) -> String {
    if has_colours() {
        format!("\x1b[{colour}m{text}\x1b[0m")
    } else {
        text.to_string()
    }
}

/// Seconds with two digits after the point, aligned.
fn readable(duration: Duration) -> String {
    format!("{:6.2} s ", duration.as_secs_f64())
}
