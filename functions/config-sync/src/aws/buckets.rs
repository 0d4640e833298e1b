//! S3: the newest object under a prefix.

use std::collections::BTreeMap;

use aws_sdk_s3::Client;
use aws_sdk_s3::primitives::DateTime;
use aws_sdk_s3::types::Object;
use watchkeeper_secrets::Hidden;

use super::failure::About;
use crate::document::{Allow, Content, Reading, Version};
use crate::trouble::Trouble;

/// How many pages of 1,000 objects are looked through.
const PAGES: usize = 50;
const GRANT: &str = "Watchkeeper's role may list the buckets that its stack's parameters name";

/// S3.
#[derive(Debug, Clone)]
pub(super) struct Buckets {
    client: Client,
}

impl Buckets {
    pub(super) fn new(client: Client) -> Self {
        Self { client }
    }

    /// Which object is the newest. There is no order that would give it first, so all are listed.
    pub(super) async fn reading(&self, bucket: &str, prefix: &str) -> Result<Reading, Trouble> {
        let place = format!("s3://{bucket}/{prefix}");
        let mut pages = self.client.list_objects_v2().bucket(bucket).prefix(prefix).into_paginator().send();
        let (mut newest, mut read): (Option<Object>, usize) = (None, 0);
        while let Some(page) = pages.next().await {
            if read == PAGES {
                return Err(Trouble::Refused(format!(
                    "there are more than {PAGES},000 objects under {place}, too many to look through each time: name a longer \
                     prefix, or let a lifecycle rule take out old ones"
                )));
            }
            read += 1;
            let about = About { name: &place, grant: GRANT };
            let page = page.map_err(|error| about.failed("looking for the newest object", &error))?;
            newest = newest_of(newest.into_iter().chain(page.contents.unwrap_or_default()));
        }
        let newest = newest.ok_or_else(|| Trouble::Refused(format!("there is no object under {place}")))?;
        Ok(reading(bucket, &newest))
    }
}

fn newest_of(objects: impl Iterator<Item = Object>) -> Option<Object> {
    objects.filter(is_object).max_by(|one, other| age(one).cmp(&age(other)))
}

/// Not what consoles make to show an empty folder.
fn is_object(object: &Object) -> bool {
    object.key().is_some_and(|key| !(key.ends_with('/') && object.size() == Some(0)))
}

/// What makes one object newer than another; of two that are as old, the one with the later name.
fn age(object: &Object) -> (Option<DateTime>, Option<&str>) {
    (object.last_modified().copied(), object.key())
}

fn reading(bucket: &str, object: &Object) -> Reading {
    let key = object.key().unwrap_or_default();
    let etag = object.e_tag().unwrap_or_default().trim_matches('"');
    let values = [
        ("bucket", bucket.to_owned()),
        ("key", key.to_owned()),
        ("etag", etag.to_owned()),
        ("uri", format!("s3://{bucket}/{key}")),
        ("size", object.size().unwrap_or_default().to_string()),
    ];
    let values: BTreeMap<_, _> =
        values.into_iter().map(|(name, value)| (name.to_owned(), Hidden::from(value))).collect();
    Reading {
        version: Version(format!("{key}@{etag}")),
        content: Content::Values(values),
        kept_in: None,
        trouble: None,
        allow: Allow::Unseen,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(key: &str, seconds: i64, size: i64) -> Object {
        let at = DateTime::from_secs(seconds);
        Object::builder().key(key).last_modified(at).size(size).e_tag("\"0f\"").build()
    }

    #[test]
    fn the_newest_is_no_folder_and_of_two_as_old_the_later_named() {
        for (objects, expected) in [
            (vec![], None),
            (vec![object("a/", 9, 0)], None),
            (vec![object("a/", 9, 0), object("a/1", 1, 0)], Some("a/1")),
            (vec![object("a/", 9, 5), object("a/1", 1, 0)], Some("a/")),
            (vec![object("a/1", 2, 5), object("a/2", 1, 5)], Some("a/1")),
            (vec![object("a/2", 2, 5), object("a/1", 2, 5)], Some("a/2")),
        ] {
            let newest = newest_of(objects.into_iter());
            assert_eq!(newest.as_ref().and_then(Object::key), expected);
        }
    }

    #[test]
    fn a_reading_names_the_object_and_its_content() {
        let read = reading("snapshots", &object("gold/1.zip", 1, 5));
        let Content::Values(values) = read.content else { panic!("no values") };
        let values: Vec<_> = values.iter().map(|(name, value)| (name.as_str(), value.reveal())).collect();
        let expected = [
            ("bucket", "snapshots"),
            ("etag", "0f"),
            ("key", "gold/1.zip"),
            ("size", "5"),
            ("uri", "s3://snapshots/gold/1.zip"),
        ];
        assert_eq!((values.as_slice(), read.version.0.as_str()), (&expected[..], "gold/1.zip@0f"));
    }
}
