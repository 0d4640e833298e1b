//! What is wanted and what is done about it, by tables and properties.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking, also in its own functions")]

use proptest::prelude::*;
use serde_json::{Value, json};
use stack_resources::Place;
use stack_resources::plan::{Content, Deletion, Found, Wanted, decide, deletion, mark_before};
use watchkeeper_custom_resources::{Decision, Owner, PhysicalId, Properties};

fn owner(logical_id: &str) -> Owner {
    Owner { stack_id: "arn:aws:cloudformation:eu-west-1:1:stack/agent/1".to_owned(), logical_id: logical_id.to_owned() }
}

fn read(properties: &Value) -> Result<Wanted, String> {
    Properties::read(properties, Wanted::read).map_err(|faults| faults.to_string())
}

fn wanted() -> Wanted {
    read(&json!({"Bucket": "scripts", "Key": "a/b.sh", "Content": {"Text": "echo"}})).unwrap()
}

fn found(mark: Option<&Owner>, before: Option<&Owner>, as_wanted: bool) -> Found {
    let mark_before = before.map(ToString::to_string);
    Found { etag: "\"1\"".to_owned(), version: None, mark: mark.map(ToString::to_string), mark_before, as_wanted }
}

#[test]
fn what_is_wanted_is_a_text_or_a_copy() {
    assert!(matches!(wanted().content, Content::Text(text) if text == "echo"));
    let copy = json!({"Bucket": "scripts", "Key": "k", "Content": {"Bucket": "from", "Key": "there"},
        "ContentType": "text/x-sh", "ServerSideEncryption": "aws:kms", "KmsKeyId": "key"});
    let Wanted { content: Content::Copy(source), encryption: Some(encryption), .. } = read(&copy).unwrap() else {
        panic!("a copy, encrypted")
    };
    assert_eq!((source.to_string().as_str(), encryption.key.as_deref()), ("s3://from/there", Some("key")));
    assert!(read(&json!({"Bucket": "scripts", "Key": "k", "Content": {"Text": ""}})).is_ok(), "an empty file is one");
}

#[test]
fn each_fault_is_told_with_its_place() {
    for (properties, said) in [
        (
            json!({}),
            "#/Bucket is missing; it must be the name of a bucket; #/Key is missing; it must be the key of an object; #/Content is missing; it must be an object with Text, or with Bucket and Key",
        ),
        (
            json!({"Bucket": "Scripts_1", "Key": "k", "Content": {"Text": "t"}}),
            "#/Bucket must be a bucket's name: 3 to 63 lower-case letters, digits, hyphens and dots",
        ),
        (
            json!({"Bucket": "scripts", "Key": "k", "Content": {}}),
            "#/Content/Bucket is missing; it must be the name of a bucket; #/Content/Key is missing; it must be the key of an object",
        ),
        (
            json!({"Bucket": "scripts", "Key": "k", "Content": {"Text": "t", "Key": "k"}}),
            "#/Content/Key cannot be beside Text: the content is a text or a copy",
        ),
        (
            json!({"Bucket": "scripts", "Key": "k", "Content": {"Text": "t"}, "KmsKeyId": "k", "ServerSideEncryption": "AES256"}),
            "#/KmsKeyId needs ServerSideEncryption aws:kms or aws:kms:dsse beside it",
        ),
        (
            json!({"Bucket": "scripts", "Key": "k".repeat(1012), "Content": {"Text": "t"}}),
            "#/Key is too long: s3://, bucket and key together may have 1024 bytes",
        ),
        (
            json!({"Bucket": "scripts", "Key": "k", "Content": "t", "Contents": 1}),
            "#/Content must be an object of properties, not text; #/Contents is not known; did you mean ContentType?",
        ),
    ] {
        assert_eq!(read(&properties).err().unwrap(), said);
    }
}

#[test]
fn what_is_there_decides() {
    let (me, renamed) = (owner("Script"), owner("Before"));
    let other = Owner { stack_id: "arn:aws:cloudformation:eu-west-1:1:stack/other/1".to_owned(), ..me.clone() };
    let decision = |found: Option<Found>| match decide(&me, &wanted(), found.as_ref()) {
        Decision::Refuse(why) => format!("refuse: {why}"),
        other => format!("{other:?}"),
    };
    assert_eq!(decision(None), "Create");
    for (mark, as_wanted, expected) in [
        (Some(&me), true, "Keep"),
        (Some(&me), false, "Replace"),
        (Some(&renamed), true, "Replace"),
        (Some(&renamed), false, "Replace"),
        (Some(&other), true, "Keep"),
        (None, true, "Keep"),
        (
            Some(&other),
            false,
            "refuse: s3://scripts/a/b.sh is there already with another content, and belongs to another stack",
        ),
        (
            None,
            false,
            "refuse: s3://scripts/a/b.sh is there already with another content, and was not put there by Watchkeeper",
        ),
    ] {
        let decided = decision(Some(found(mark, None, as_wanted)));
        assert!(decided.starts_with(expected), "{decided}");
    }
}

#[test]
fn a_rename_is_settled_by_the_old_names_deletion_or_given_back_by_the_new_ones() {
    let (old, new, third) = (owner("Old"), owner("New"), owner("Third"));
    let taken_over = found(Some(&new), Some(&old), true);
    assert_eq!(mark_before(&new, Some(&found(Some(&old), None, true))), Some(old.to_string()));
    assert_eq!(mark_before(&new, Some(&taken_over)), Some(old.to_string()), "a second try knows it, too");
    assert_eq!(mark_before(&new, None), None);
    assert_eq!(deletion(&old, &taken_over), Deletion::Settle);
    assert_eq!(deletion(&new, &taken_over), Deletion::GiveBack(old.to_string()));
    assert_eq!(deletion(&third, &taken_over), Deletion::Leave);
    let settled = found(Some(&new), None, true);
    assert_eq!(deletion(&new, &settled), Deletion::Delete);
    assert_eq!(deletion(&old, &settled), Deletion::Leave);
    assert_eq!(deletion(&new, &found(None, None, true)), Deletion::Leave, "whatever it holds");
}

proptest! {
    #[test]
    fn a_place_is_found_again_by_its_name(bucket in "[a-z0-9.-]{3,63}", key in ".{1,100}") {
        let place = Place { bucket, key };
        prop_assert_eq!(Place::of(&place.physical_id()), Some(place));
    }

    #[test]
    fn a_name_that_cloudformation_made_up_is_none_of_a_place(name in "[A-Za-z0-9-]{1,100}") {
        prop_assert_eq!(Place::of(&PhysicalId::new(name)), None);
    }

    #[test]
    fn only_what_bears_ones_own_mark_is_deleted(mark in proptest::option::of("[a-z:/]{0,9} ?[A-Z][a-z]{0,3}"), before in any::<bool>()) {
        let me = owner("Mine");
        let there = Found { mark, ..found(None, before.then_some(&me), true) };
        prop_assert!(!matches!(deletion(&me, &there), Deletion::Delete | Deletion::GiveBack(_)));
    }
}
