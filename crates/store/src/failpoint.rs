//! Named places where a test may make the process die, fail or wait.
//!
//! Compiled in always, inert unless the environment says `KYSO_FAILPOINTS_ALLOWED=yes` at start; then
//! `KYSO_FAILPOINT` is a comma-separated list of
//!
//! - `name:abort`: the process dies on the spot, as by `kill -9`: no destructor, no flush;
//! - `name:error`: the caller gets [`Error::Failpoint`];
//! - `name:pause-file=/path`: creates `/path.reached`, then waits as long as `/path` exists.
//!
//! `#n` after the name (`sign.after#3:abort`) acts only on the n-th visit.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::{Error, Result};

/// Marks a place: `failpoint!("signing.sign.before-commit");` in an async function whose error is `From<kyso_store::Error>`.
#[macro_export]
macro_rules! failpoint {
    ($name:expr) => {
        if $crate::failpoint::armed() {
            $crate::failpoint::reach($name).await?;
        }
    };
}

#[derive(Debug, PartialEq, Eq)]
enum Act {
    Abort,
    Error,
    Pause(PathBuf),
}

#[derive(Debug)]
struct Point {
    act: Act,
    only_visit: Option<u64>,
    visits: AtomicU64,
}

/// Whether any failpoint is set in this process.
#[inline]
pub fn armed() -> bool {
    !points().is_empty()
}

/// Does what the environment asks for at `name`, usually nothing.
///
/// # Errors
/// [`Error::Failpoint`] if the environment says `name:error`.
pub async fn reach(name: &str) -> Result<()> {
    let Some(point) = points().get(name) else {
        return Ok(());
    };
    let visit = point.visits.fetch_add(1, Ordering::SeqCst) + 1;
    if point.only_visit.is_some_and(|only| only != visit) {
        return Ok(());
    }
    match &point.act {
        Act::Abort => std::process::abort(),
        Act::Error => Err(Error::Failpoint(name.to_owned())),
        Act::Pause(path) => {
            pause(path).await;
            Ok(())
        }
    }
}

async fn pause(path: &Path) {
    let mut reached = path.as_os_str().to_owned();
    reached.push(".reached");
    // A failpoint that cannot announce itself still waits: the test will time out and say so.
    let _ = std::fs::write(PathBuf::from(reached), b"");
    while path.exists() {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

fn points() -> &'static HashMap<String, Point> {
    static POINTS: OnceLock<HashMap<String, Point>> = OnceLock::new();
    POINTS.get_or_init(|| {
        if std::env::var("KYSO_FAILPOINTS_ALLOWED").as_deref() != Ok("yes") {
            return HashMap::new();
        }
        parse(&std::env::var("KYSO_FAILPOINT").unwrap_or_default())
    })
}

/// A failpoint that is misspelt would let a crash test pass without a crash, so it stops the process.
fn parse(list: &str) -> HashMap<String, Point> {
    let mut points = HashMap::new();
    for one in list.split(',').map(str::trim).filter(|one| !one.is_empty()) {
        let (place, act) = one.split_once(':').unwrap_or((one, ""));
        let act = match (act, act.strip_prefix("pause-file=")) {
            ("abort", _) => Act::Abort,
            ("error", _) => Act::Error,
            (_, Some(path)) => Act::Pause(path.into()),
            _ => panic!("KYSO_FAILPOINT: cannot read {one:?}"),
        };
        let (name, only_visit) = match place.split_once('#') {
            Some((name, visit)) => {
                let visit = visit
                    .parse()
                    .unwrap_or_else(|_| panic!("KYSO_FAILPOINT: cannot read {one:?}"));
                (name, Some(visit))
            }
            None => (place, None),
        };
        points.insert(
            name.to_owned(),
            Point {
                act,
                only_visit,
                visits: AtomicU64::new(0),
            },
        );
    }
    points
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_names_places_acts_and_visits() {
        let points = parse("a.b:abort, c:error,d#3:pause-file=/tmp/x");
        assert_eq!(points["a.b"].act, Act::Abort);
        assert_eq!(points["c"].act, Act::Error);
        assert_eq!(points["d"].act, Act::Pause("/tmp/x".into()));
        assert_eq!(points["d"].only_visit, Some(3));
        assert!(parse("").is_empty());
    }

    #[test]
    #[should_panic(expected = "cannot read")]
    fn a_misspelt_act_stops_the_process() {
        parse("a:abrot");
    }

    #[tokio::test]
    async fn without_permission_every_failpoint_is_inert() {
        assert!(!armed());
        reach("anything").await.unwrap();
    }
}
