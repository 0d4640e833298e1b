//! The harness with the functions that need nothing but the workspace's own build.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking, also in its own functions")]

use std::path::Path;
use std::process::Command;

use bench::functions;
use bench::measure::{Contestant, round};
use bench::subject::Subject;
use serde_json::json;

fn binaries() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_bare-function")).parent().unwrap()
}

async fn contestants(subjects: Vec<Subject>) -> Vec<Contestant> {
    let mut contestants = Vec::new();
    for subject in subjects {
        contestants.push(Contestant::new(subject, binaries()).await.unwrap());
    }
    contestants
}

#[tokio::test]
async fn each_does_its_job_and_is_measured_in_its_place() {
    // With the whole workspace, so that no other choice of features compiles everything anew.
    let build = Command::new(env!("CARGO")).args(["build", "--workspace", "--quiet"]).status().unwrap();
    assert!(build.success());
    let subjects = vec![functions::bare(binaries()).unwrap(), functions::crash_alerts(binaries()).unwrap()];
    let contestants = contestants(subjects).await;
    for turn in 0..2 {
        let measured = round(&contestants, turn, 2).await.unwrap();
        let [bare, crash_alerts] = measured[..] else { panic!("{measured:?}") };
        for measured in [bare, crash_alerts] {
            assert!(measured.ready_ms > 0.0 && measured.answered_ms > measured.ready_ms, "{measured:?}");
            assert!(
                measured.first_cpu_ms > 0.0 && measured.warm_ms > 0.0 && measured.warm_cpu_ms > 0.0,
                "{measured:?}"
            );
        }
        assert!(bare.alerted_ms.is_none());
        let alerted = crash_alerts.alerted_ms.unwrap();
        assert!(crash_alerts.ready_ms < alerted && alerted < crash_alerts.answered_ms, "{measured:?}");
        // Whichever goes first, the one with the AWS SDK is the heavy one.
        assert!(crash_alerts.peak_mib > bare.peak_mib, "{measured:?}");
    }
}

#[tokio::test]
async fn who_does_another_job_is_not_measured() {
    let bare = functions::bare(binaries()).unwrap();
    let lazy = Subject { first_calls: functions::plain_alert(), ..bare.clone() };
    let wrong = Subject { answer: json!({"batchItemFailures": []}), ..bare.clone() };
    let missing = Subject { program: binaries().join("no-such-function"), ..bare };
    for (subject, why) in [(lazy, "made other calls"), (wrong, "did not do its job"), (missing, "no-such-function")] {
        let error = round(&contestants(vec![subject]).await, 0, 1).await.unwrap_err();
        let error = format!("{error:#}");
        assert!(error.contains("measuring bare") && error.contains(why), "{error}");
    }
}
