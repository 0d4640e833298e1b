//! How far the sweep is on its way round all services.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

/// How far it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Cursor {
    /// Where it is; nowhere between two rounds.
    pub(super) position: Option<Position>,
    /// When the round began, or the last one.
    #[serde(with = "time::serde::timestamp::milliseconds")]
    pub(super) began_at: OffsetDateTime,
    /// When the last round began that was gone to its end: all that was there then was seen.
    #[serde(with = "time::serde::timestamp::milliseconds::option")]
    pub(super) whole_since: Option<OffsetDateTime>,
}

/// What is to be listed and looked at still.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Position {
    /// Clusters whose services are to be listed, by ARN.
    pub(super) clusters: Vec<String>,
    /// Where there are more of them.
    pub(super) more_clusters: More,
    /// Services that are to be looked at.
    pub(super) page: Option<Page>,
}

/// A page of a cluster's services.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Page {
    /// The cluster's ARN.
    pub(super) cluster: String,
    /// The services' names.
    pub(super) names: Vec<String>,
    /// ECS's token for the next page.
    pub(super) more: Option<String>,
}

/// What of a list is to be asked for next.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum More {
    /// Its beginning.
    #[default]
    First,
    /// What comes after; ECS's token.
    After(String),
    /// Nothing.
    Nothing,
}

impl Default for Cursor {
    fn default() -> Self {
        Self { position: None, began_at: OffsetDateTime::UNIX_EPOCH, whole_since: None }
    }
}

impl Cursor {
    /// The next round begins at the beginning.
    pub(super) fn begin_anew(&mut self) {
        self.position = None;
    }

    /// Where it is; a new round begins now if there is none.
    pub(super) fn position(&mut self, now: OffsetDateTime) -> &mut Position {
        if self.position.is_none() {
            self.began_at = to_the_millisecond(now);
        }
        self.position.get_or_insert_default()
    }

    /// All was seen.
    pub(super) fn end(&mut self) {
        self.position = None;
        self.whole_since = Some(self.began_at);
    }
}

/// As it is kept.
pub(super) fn to_the_millisecond(at: OffsetDateTime) -> OffsetDateTime {
    at.replace_millisecond(at.millisecond()).unwrap_or(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_read_as_it_was_written() {
        let now = to_the_millisecond(OffsetDateTime::now_utc());
        let page = Page { cluster: "c".to_owned(), names: vec!["a".to_owned()], more: Some("t".to_owned()) };
        for more_clusters in [More::First, More::After("t".to_owned()), More::Nothing] {
            let position = Position { clusters: vec!["d".to_owned()], more_clusters, page: Some(page.clone()) };
            let cursor = Cursor { position: Some(position), began_at: now, whole_since: Some(now) };
            let written = serde_json::to_string(&cursor).unwrap();
            assert_eq!(serde_json::from_str::<Cursor>(&written).unwrap(), cursor, "{written}");
        }
    }

    #[test]
    fn a_round_is_as_old_as_its_beginning() {
        let second = |second| OffsetDateTime::from_unix_timestamp(second).unwrap();
        let mut cursor = Cursor::default();
        cursor.position(second(10)).clusters.push("c".to_owned());
        assert_eq!(cursor.position(second(20)).clusters, ["c"]);
        cursor.end();
        assert_eq!((cursor.position, cursor.whole_since), (None, Some(second(10))));
    }
}
