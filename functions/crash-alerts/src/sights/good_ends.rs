//! Standalone tasks that ended well: their revisions are what later ones of their families are compared with.

use std::collections::BTreeMap;

use lambda_runtime::tracing::warn;
use time::OffsetDateTime;
use watchkeeper_events::{TaskDefinitionArn, TaskStateChange};

use crate::plan::{ended_well, subject_of};
use crate::store::Store;

/// Remembers them. What fails is made good by the family's next good end.
pub(super) async fn remember(store: &impl Store, stopped: &[TaskStateChange]) {
    for (family, (at, revision)) in newest(stopped) {
        if let Err(trouble) = store.remember_steady(&family, revision, at).await {
            warn!(family, %trouble, "the revision that ended well is not remembered this time");
        }
    }
}

/// The newest good end of each family.
fn newest(stopped: &[TaskStateChange]) -> BTreeMap<String, (OffsetDateTime, &TaskDefinitionArn)> {
    let mut newest = BTreeMap::new();
    for task in stopped.iter().filter(|task| ended_well(task)) {
        if let (Some(at), Some(revision)) = (task.stopped_at, &task.task_definition) {
            let known = newest.entry(subject_of(task)).or_insert((at, revision));
            if at > known.0 {
                *known = (at, revision);
            }
        }
    }
    newest
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use watchkeeper_events::{Event, TaskStateChange};

    use super::*;

    fn task(revision: u32, stopped: &str, change: impl FnOnce(&mut Value)) -> TaskStateChange {
        let path = format!("{}/../../shared/events/tests/samples/task-stopped-exit-0.json", env!("CARGO_MANIFEST_DIR"));
        let mut event: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        let detail = &mut event["detail"];
        detail["group"] = json!("family:report");
        detail["startedBy"] = Value::Null;
        detail["taskDefinitionArn"] =
            json!(format!("arn:aws:ecs:eu-west-1:123456789012:task-definition/report:{revision}"));
        detail["stoppedAt"] = json!(stopped);
        change(detail);
        let Event::Task(task) = Event::parse(&event).unwrap() else { panic!("not an event of a task") };
        *task
    }

    #[test]
    fn the_newest_good_end_of_a_family_counts() {
        let stopped = [
            task(7, "2026-11-20T10:00:00Z", |_| {}),
            task(8, "2026-11-20T10:02:00Z", |_| {}),
            task(6, "2026-11-20T10:01:00Z", |_| {}),
            task(9, "2026-11-20T10:03:00Z", |detail| detail["containers"][0]["exitCode"] = json!(1)),
            task(9, "2026-11-20T10:03:00Z", |detail| detail["group"] = json!("service:report")),
        ];
        let newest = newest(&stopped);
        let [(family, (_, revision))] = &newest.into_iter().collect::<Vec<_>>()[..] else { panic!("one family") };
        assert!(family.starts_with("family#arn:aws:ecs:") && family.ends_with(" report"), "{family}");
        assert_eq!(revision.revision(), "report:8");
    }
}
