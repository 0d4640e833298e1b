//! What a container's `valueFrom` names: a document, and which version of it.
//!
//! A secret's ARN may have `:json-key:version-stage:version-id` behind it, each of which may be empty; a parameter is named by its
//! name or its ARN (ECS Developer Guide, "Pass sensitive data to an Amazon ECS container").
//!
//! Secrets Manager takes a secret's ARN also without the hyphen and the six characters at its end, so task definitions have such.
//! They are kept as they are written; who looks for a document looks for both of its spellings ([`spellings`]).

use std::collections::BTreeMap;

use watchkeeper_events::Arn;

use crate::document::{Place, Version};
use crate::service::Asks;

/// The stage that a secret is read in if none is named.
const CURRENT: &str = "AWSCURRENT";
/// Parameters under this path stand for the secret of the name behind it (Systems Manager User Guide, "Referencing AWS Secrets
/// Manager secrets from Parameter Store parameters").
const SECRET_BY_PARAMETER: &str = "aws/reference/secretsmanager/";
/// How many characters Secrets Manager puts behind a secret's name, after a hyphen.
const SUFFIX: usize = 6;

/// The document, and which version is asked for; `home` is the task definition, whose account and region a bare name is in.
/// Nothing is read by what is none of the forms: ECS does not start such a task.
#[must_use]
pub fn read(value_from: &str, home: &Arn) -> Option<(Place, Asks)> {
    let Ok(arn) = Arn::parse(value_from) else { return parameter(value_from, home) };
    match arn.service() {
        "secretsmanager" => secret(&arn),
        "ssm" => parameter(arn.resource().strip_prefix("parameter/")?, &arn),
        _ => None,
    }
}

/// What of a document is asked for, however it is spelled: its current version, if any container asks for that.
#[must_use]
pub fn asks<'a>(reads: &'a BTreeMap<Place, Asks>, place: &Place) -> Option<&'a Asks> {
    let asked: Vec<_> = spellings(place).filter_map(|spelling| reads.get(&spelling)).collect();
    asked.iter().copied().find(|asks| **asks == Asks::Current).or(asked.first().copied())
}

/// The ways in which a task definition may name a document: a secret also without the end of its ARN.
pub fn spellings(place: &Place) -> impl Iterator<Item = Place> {
    let partial = match place {
        Place::Secret(arn) => without_suffix(arn).map(|partial| Place::Secret(partial.to_owned())),
        Place::Parameter(_) => None,
    };
    std::iter::once(place.clone()).chain(partial)
}

/// Adds what is read. A document that is read in its current version by any container is read so: a restart changes something.
pub fn add(reads: &mut BTreeMap<Place, Asks>, place: Place, asks: Asks) {
    match asks {
        Asks::Current => drop(reads.insert(place, Asks::Current)),
        pinned @ Asks::Pinned(_) => drop(reads.entry(place).or_insert(pinned)),
    }
}

fn secret(arn: &Arn) -> Option<(Place, Asks)> {
    let mut parts = arn.resource().split(':');
    let name = parts.by_ref().next().filter(|kind| *kind == "secret").and(parts.by_ref().next())?;
    // The key in the JSON does not matter here.
    let mut given = parts.skip(1).map(|part| Some(part).filter(|part| !part.is_empty()));
    let (stage, id) = (given.next().flatten(), given.next().flatten());
    let asks = match (stage, id) {
        (_, Some(id)) => Asks::Pinned(Version(id.to_owned())),
        (None | Some(CURRENT), None) => Asks::Current,
        (Some(stage), None) => Asks::Pinned(Version(format!("stage {stage}"))),
    };
    Some((secret_of(name, arn)?, asks))
}

fn secret_of(name: &str, home: &Arn) -> Option<Place> {
    let (partition, region, account) = (home.partition(), home.region(), home.account());
    let arn = format!("arn:{partition}:secretsmanager:{region}:{account}:secret:{name}");
    Some(Place::Secret(arn)).filter(|_| !name.is_empty())
}

/// A name, with or without the slash that it begins with, and a number or a label behind a colon.
fn parameter(name: &str, home: &Arn) -> Option<(Place, Asks)> {
    let (name, selector) = name.split_once(':').map_or((name, None), |(name, selector)| (name, Some(selector)));
    let asks = match selector {
        None => Asks::Current,
        Some(number) if number.bytes().all(|byte| byte.is_ascii_digit()) => Asks::Pinned(Version(number.to_owned())),
        Some(label) => Asks::Pinned(Version(format!("label {label}"))),
    };
    let name = name.trim_start_matches('/');
    if let Some(secret) = name.strip_prefix(SECRET_BY_PARAMETER) {
        return Some((secret_of(secret, home)?, asks));
    }
    let (partition, region, account) = (home.partition(), home.region(), home.account());
    let arn = format!("arn:{partition}:ssm:{region}:{account}:parameter/{name}");
    Some((Place::Parameter(arn), asks)).filter(|_| !name.is_empty())
}

fn without_suffix(arn: &str) -> Option<&str> {
    let (name, suffix) = arn.rsplit_once('-')?;
    (suffix.len() == SUFFIX && suffix.bytes().all(|byte| byte.is_ascii_alphanumeric())).then_some(name)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SECRET: &str = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:team/db-AbCdEf";
    const PARAMETER: &str = "arn:aws:ssm:eu-west-1:123456789012:parameter/team/token";

    fn home() -> Arn {
        Arn::parse("arn:aws:ecs:eu-west-1:123456789012:task-definition/agent:7").unwrap()
    }

    fn pinned(version: &str) -> Asks {
        Asks::Pinned(Version(version.to_owned()))
    }

    #[test]
    fn a_secret_is_read_whatever_is_read_of_it() {
        for (behind, asks) in [
            ("", Asks::Current),
            (":::", Asks::Current),
            (":password::", Asks::Current),
            (":password:AWSCURRENT:", Asks::Current),
            ("::AWSPREVIOUS:", pinned("stage AWSPREVIOUS")),
            (":password::0f1e", pinned("0f1e")),
            (":password:AWSCURRENT:0f1e", pinned("0f1e")),
        ] {
            let read = read(&format!("{SECRET}{behind}"), &home());
            assert_eq!(read, Some((Place::Secret(SECRET.to_owned()), asks)), "{behind}");
        }
    }

    #[test]
    fn a_parameter_is_named_by_name_or_arn() {
        for (value_from, arn, asks) in [
            (PARAMETER, PARAMETER, Asks::Current),
            ("/team/token", PARAMETER, Asks::Current),
            ("team/token", PARAMETER, Asks::Current),
            ("token", "arn:aws:ssm:eu-west-1:123456789012:parameter/token", Asks::Current),
            ("/token", "arn:aws:ssm:eu-west-1:123456789012:parameter/token", Asks::Current),
            ("/team/token:3", PARAMETER, pinned("3")),
            ("/team/token:live", PARAMETER, pinned("label live")),
            (
                "arn:aws-cn:ssm:cn-north-1:210987654321:parameter/token:4",
                "arn:aws-cn:ssm:cn-north-1:210987654321:parameter/token",
                pinned("4"),
            ),
        ] {
            let read = read(value_from, &home());
            assert_eq!(read, Some((Place::Parameter(arn.to_owned()), asks)), "{value_from}");
        }
    }

    #[test]
    fn a_parameter_may_stand_for_a_secret() {
        let (place, asks) = read("/aws/reference/secretsmanager/team/db", &home()).unwrap();
        let reads = BTreeMap::from([(place, asks)]);
        assert_eq!(super::asks(&reads, &Place::Secret(SECRET.to_owned())), Some(&Asks::Current));
    }

    #[test]
    fn what_names_nothing_reads_nothing() {
        for value_from in [
            "",
            "/",
            ":3",
            "arn:aws:s3:::bucket/key",
            "arn:aws:ssm:eu-west-1:123456789012:document/x",
            "arn:aws:secretsmanager:eu-west-1:123456789012:secret:",
            "arn:aws:secretsmanager:eu-west-1:123456789012:secret::key::",
            "arn:aws:secretsmanager:eu-west-1:123456789012:thing:x",
        ] {
            assert_eq!(read(value_from, &home()), None, "{value_from}");
        }
    }

    #[test]
    fn a_secret_is_found_without_the_end_of_its_arn() {
        let declared = Place::Secret(SECRET.to_owned());
        for (written, is_it) in [
            (SECRET, true),
            ("arn:aws:secretsmanager:eu-west-1:123456789012:secret:team/db", true),
            ("arn:aws:secretsmanager:eu-west-1:123456789012:secret:team/db-GhIjKl", false),
            ("arn:aws:secretsmanager:eu-west-1:123456789012:secret:team", false),
            ("arn:aws:secretsmanager:eu-west-1:210987654321:secret:team/db", false),
            ("arn:aws:secretsmanager:eu-west-1:123456789012:secret:team/db-", false),
        ] {
            let reads = BTreeMap::from([read(&format!("{written}:key::"), &home()).unwrap()]);
            assert_eq!(asks(&reads, &declared).is_some(), is_it, "{written}");
        }
    }

    #[test]
    fn one_container_that_reads_the_current_version_suffices() {
        let place = || Place::Secret(SECRET.to_owned());
        for order in [[pinned("a"), Asks::Current, pinned("b")], [Asks::Current, pinned("a"), pinned("b")]] {
            let mut reads = BTreeMap::new();
            for asks in order {
                add(&mut reads, place(), asks);
            }
            assert_eq!(asks(&reads, &place()), Some(&Asks::Current));
        }
        let partial = Place::Secret(without_suffix(SECRET).unwrap().to_owned());
        for reads in [
            [(place(), pinned("a")), (partial.clone(), Asks::Current)],
            [(place(), Asks::Current), (partial, pinned("a"))],
        ] {
            assert_eq!(asks(&reads.into(), &place()), Some(&Asks::Current));
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_without_a_panic(
            text in prop_oneof![
                any::<String>(),
                "(arn:(aws)?:(ssm|secretsmanager|)?:)?[a-z/:-]{0,40}",
                "arn:aws:secretsmanager:r:1:secret:[a-zA-Z0-9/_+=.@-]{0,20}(:[a-z]{0,4}){0,5}",
            ],
        ) {
            if let Some((place, asks)) = read(&text, &home()) {
                // What it names is found by that name.
                prop_assert_eq!(read(&place.to_string(), &home()), Some((place.clone(), Asks::Current)));
                let reads = BTreeMap::from([(place.clone(), asks.clone())]);
                prop_assert_eq!(super::asks(&reads, &place), Some(&asks));
            }
        }

        #[test]
        fn a_slash_before_a_parameters_name_changes_nothing(name in "[a-zA-Z0-9_.-]{1,10}(/[a-zA-Z0-9_.-]{1,10}){0,3}") {
            prop_assert_eq!(read(&format!("/{name}"), &home()), read(&name, &home()));
            let arn = format!("arn:aws:ssm:eu-west-1:123456789012:parameter/{name}");
            prop_assert_eq!(read(&arn, &home()), read(&name, &home()));
        }
    }
}
