//! A small storm, against the sandbox.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking, also in its own functions")]

use std::path::Path;
use std::process::Command;

use bench::storm::events::Storm;
use bench::storm::rage;
use time::OffsetDateTime;

#[tokio::test]
async fn a_storm_is_counted_whole_and_a_count_that_is_wrong_is_found() {
    // With the whole workspace, so that no other choice of features compiles everything anew.
    let build = Command::new(env!("CARGO")).args(["build", "--workspace", "--quiet"]).status().unwrap();
    assert!(build.success());
    let binary = Path::new(env!("CARGO_BIN_EXE_bench")).with_file_name("crash-alerts");
    let storm = Storm::new(120, 1, OffsetDateTime::now_utc());
    let raged = rage(&binary, &storm, 10, |_| ()).await.unwrap();
    assert_eq!(raged.wrong(&storm).await.unwrap(), Vec::<String>::new());
    let other = Storm::new(120, 2, OffsetDateTime::now_utc());
    assert!(!raged.wrong(&other).await.unwrap().is_empty());
    let outcome = raged.so_far();
    assert_eq!((outcome.stops, outcome.duplicates, outcome.handed_out.batches >= 14), (120, 12, true));
    assert!(outcome.all_calls() >= 2 * outcome.handed_out.pairs, "{outcome:?}");
}
