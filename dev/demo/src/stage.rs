//! How the demo tells its story: one readable line a step, with the time it took, and a moving line while it works.

use std::future::Future;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

/// Prints the story.
pub struct Stage {
    started: Instant,
}

/// Why a step did not succeed.
pub type Failure = Box<dyn std::error::Error + Send + Sync>;

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
        println!("\n\x1b[1m{title}\x1b[0m");
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
        let spinner = ProgressBar::new_spinner().with_message(title.to_owned());
        spinner.set_style(
            ProgressStyle::with_template("  {spinner} {msg} {elapsed:.dim}")
                .unwrap_or(ProgressStyle::default_spinner()),
        );
        spinner.enable_steady_tick(Duration::from_millis(120));
        let began = Instant::now();
        let outcome = work.await;
        spinner.finish_and_clear();
        let took = readable(began.elapsed());
        match outcome {
            Ok((value, note)) => {
                println!("  \x1b[32m✓\x1b[0m {took} {title}");
                for line in note.lines() {
                    println!("             \x1b[2m{line}\x1b[0m");
                }
                Ok(value)
            }
            Err(failure) => {
                println!("  \x1b[31m✗\x1b[0m {took} {title}");
                Err(failure)
            }
        }
    }

    /// Something somebody else said, in their own words.
    pub fn quote(&self, who: &str, words: &str) {
        println!("  \x1b[36m{who}\x1b[0m");
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

/// Seconds with two digits after the point, aligned.
fn readable(duration: Duration) -> String {
    format!("{:6.2} s ", duration.as_secs_f64())
}
