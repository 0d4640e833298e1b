//! What one revision changed against another, in lines.

use std::collections::{BTreeMap, BTreeSet};

use watchkeeper_redact::readable;

use crate::evidence::revision::{ContainerSpec, Revision};

/// A line is not longer, in characters.
const LINE: usize = 120;
/// Nor is each side of `old -> new`.
const SIDE: usize = 42;
/// Nor is a name.
const NAME: usize = 30;
/// More lines are counted, not shown.
const LINES: usize = 20;
/// What is compared of a setting; of a longer one the rest is not looked at here.
const SETTING: usize = 4_000;

/// What `new` changed against `old`: the task's own settings first, then its containers, each in a fixed order.
pub(crate) fn difference(old: &Revision, new: &Revision) -> Vec<String> {
    let mut lines = settings("task ", &old.settings, &new.settings);
    lines.extend(names("volumes added", new.volumes.difference(&old.volumes)));
    lines.extend(names("volumes removed", old.volumes.difference(&new.volumes)));
    let several = old.containers.len() > 1 || new.containers.len() > 1;
    for container in &new.containers {
        if let Some(before) = old.container(&container.name) {
            let prefix = if several { format!("{}: ", name(&container.name)) } else { String::new() };
            lines.extend(of_container(before, container).into_iter().map(|line| prefix.clone() + &line));
        } else {
            let image = container.settings.get("image").map(|image| side(&text(image))).unwrap_or_default();
            lines.push(format!("container {} added, image {image}", name(&container.name)));
        }
    }
    let removed = old.containers.iter().filter(|container| new.container(&container.name).is_none());
    lines.extend(removed.map(|container| format!("container {} removed", name(&container.name))));
    let more = lines.len().saturating_sub(LINES);
    lines.truncate(LINES);
    let mut lines: Vec<String> = lines.into_iter().map(|line| shortened(&line, LINE)).collect();
    if more > 0 {
        lines.push(format!("and {more} more"));
    }
    lines
}

fn of_container(old: &ContainerSpec, new: &ContainerSpec) -> Vec<String> {
    let mut lines = settings("", &old.settings, &new.settings);
    if old.essential != new.essential {
        lines.push(format!("essential {} -> {}", old.essential, new.essential));
    }
    let (before, after) = (keys(&old.variables), keys(&new.variables));
    lines.extend(names("variables added", after.difference(&before)));
    lines.extend(names("variables removed", before.difference(&after)));
    let changed = new.variables.iter().filter(|(name, value)| old.variables.get(*name).is_some_and(|v| v != *value));
    lines.extend(names("variables with another value", changed.map(|(name, _)| name)));
    let (before, after) = (keys(&old.secrets), keys(&new.secrets));
    for added in after.difference(&before) {
        let from = new.secrets.get(added).map(|from| side(&text(from))).unwrap_or_default();
        lines.push(format!("secret {} added, from {from}", name(added)));
    }
    lines.extend(names("secrets removed", before.difference(&after)));
    for (secret, from) in &new.secrets {
        if let Some(before) = old.secrets.get(secret).filter(|before| *before != from) {
            lines.push(format!("secret {} from {}", name(secret), change(before, from)));
        }
    }
    lines
}

/// The settings that differ. Images come first: they are what changes most.
fn settings(prefix: &str, old: &BTreeMap<&'static str, String>, new: &BTreeMap<&'static str, String>) -> Vec<String> {
    let all: BTreeSet<&str> = old.keys().chain(new.keys()).copied().collect();
    let (image, others): (Vec<&str>, Vec<&str>) = all.into_iter().partition(|name| *name == "image");
    let all = image.into_iter().chain(others);
    all.filter_map(|setting| {
        let line = match (old.get(setting), new.get(setting)) {
            (Some(before), Some(after)) if before == after => return None,
            (Some(before), Some(after)) => change(before, after),
            (Some(before), None) => format!("removed, was {}", side(&text(before))),
            (None, Some(after)) => format!("added, {}", side(&text(after))),
            (None, None) => return None,
        };
        Some(format!("{prefix}{setting} {line}"))
    })
    .collect()
}

/// `old -> new`. Of long ones, what they begin with alike is left out.
fn change(old: &str, new: &str) -> String {
    let (before, after) = (text(old), text(new));
    // Of ARNs in one place, or of one only, the name says it all, and it stands at the end.
    let (before, after) = match (arn(&before), arn(&after)) {
        (Some((one, before)), Some((other, after))) if one == other => (before.to_owned(), after.to_owned()),
        (Some((_, resource)), None) => (resource.to_owned(), after),
        (None, Some((_, resource))) => (before, resource.to_owned()),
        _ => (before, after),
    };
    if before == after {
        return "changed, in what is redacted or cut here".to_owned();
    }
    if before.chars().count() <= SIDE && after.chars().count() <= SIDE {
        return format!("{before} -> {after}");
    }
    let alike = before.chars().zip(after.chars()).take_while(|(a, b)| a == b).count();
    // Some of it stays, so that the place is known.
    let skip = alike.saturating_sub(12);
    format!("{} -> {}", side(&without(&before, skip)), side(&without(&after, skip)))
}

/// An ARN's place and its resource.
fn arn(text: &str) -> Option<(&str, &str)> {
    let (end, _) = text.match_indices(':').nth(4).filter(|_| text.starts_with("arn:"))?;
    let (place, resource) = text.split_at(end + 1);
    Some((place, resource.strip_prefix("secret:").unwrap_or(resource)))
}

fn without(text: &str, skip: usize) -> String {
    if skip == 0 { text.to_owned() } else { format!("…{}", text.chars().skip(skip).collect::<String>()) }
}

fn text(text: &str) -> String {
    readable(text, SETTING)
}

fn side(text: &str) -> String {
    shortened(arn(text).map_or(text, |(_, resource)| resource), SIDE)
}

fn name(name: &str) -> String {
    shortened(&text(name), NAME)
}

fn shortened(text: &str, length: usize) -> String {
    if text.chars().count() <= length {
        return text.to_owned();
    }
    text.chars().take(length - 1).chain(['…']).collect()
}

fn keys<V>(map: &BTreeMap<String, V>) -> BTreeSet<String> {
    map.keys().cloned().collect()
}

/// `variables added A, B, and 7 more`; nothing where there are none.
fn names<'a>(what: &str, list: impl Iterator<Item = &'a String>) -> Option<String> {
    let list: Vec<String> = list.map(|each| name(each)).collect();
    let (first, others) = list.split_first()?;
    let mut line = format!("{what} {first}");
    for (at, name) in others.iter().enumerate() {
        if line.chars().count() + name.chars().count() > LINE - 50 {
            return Some(format!("{line}, and {} more", others.len() - at));
        }
        line.push_str(", ");
        line.push_str(name);
    }
    Some(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn container(name: &str, settings: &[(&'static str, &str)], variables: &[(&str, u64)]) -> ContainerSpec {
        ContainerSpec {
            name: name.to_owned(),
            essential: true,
            settings: settings.iter().map(|(name, value)| (*name, (*value).to_owned())).collect(),
            variables: variables.iter().map(|(name, value)| ((*name).to_owned(), *value)).collect(),
            ..ContainerSpec::default()
        }
    }

    fn revision(containers: Vec<ContainerSpec>, settings: &[(&'static str, &str)]) -> Revision {
        Revision {
            name: "agent:7".to_owned(),
            containers,
            settings: settings.iter().map(|(name, value)| (*name, (*value).to_owned())).collect(),
            ..Revision::default()
        }
    }

    #[test]
    fn the_same_differs_in_nothing() {
        let one = revision(vec![container("agent", &[("image", "a:1")], &[("X", 1)])], &[("cpu", "256")]);
        assert_eq!(difference(&one, &one), Vec::<String>::new());
    }

    #[test]
    fn what_changed_is_said_in_lines() {
        let image = "ghcr.io/dbward-dev/dbward-agent";
        let role = "arn:aws:iam::123456789012:role/dbward-agent-";
        let mut old = container(
            "agent",
            &[("image", &format!("{image}:v0.2.0")), ("command", "agent --token abcd1234 --all"), ("ports", "3000")],
            &[("GONE", 1), ("KEPT", 2), ("MOVED", 3)],
        );
        old.secrets.insert("DATABASE_URL".into(), "/prod/url".into());
        old.secrets.insert("OLD_TOKEN".into(), "/prod/token".into());
        let mut new = container(
            "agent",
            &[("image", &format!("{image}:v0.3.0")), ("command", "agent --token efgh5678 --all"), ("user", "10001")],
            &[("KEPT", 2), ("MOVED", 4), ("NEW", 5), ("NEWER", 6)],
        );
        new.essential = false;
        let secret = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:dbward/url-AbCdEf:url::";
        new.secrets.insert("DATABASE_URL".into(), secret.into());
        new.secrets.insert("AGENT_TOKEN".into(), "/prod/agent".into());
        let mut before =
            revision(vec![old, container("proxy", &[], &[])], &[("cpu", "256"), ("role", &format!("{role}one"))]);
        before.volumes.insert("data".into());
        let after = revision(
            vec![new, container("logs", &[("image", "fluent-bit:3")], &[])],
            &[("cpu", "512"), ("role", &format!("{role}two")), ("architecture", "ARM64")],
        );
        let lines = difference(&before, &after);
        insta::assert_snapshot!(lines.join("\n"), @"
        task architecture added, ARM64
        task cpu 256 -> 512
        task role role/dbward-agent-one -> role/dbward-agent-two
        volumes removed data
        agent: image ghcr.io/dbward-dev/dbward-agent:v0.2.0 -> ghcr.io/dbward-dev/dbward-agent:v0.3.0
        agent: command changed, in what is redacted or cut here
        agent: ports removed, was 3000
        agent: user added, 10001
        agent: essential true -> false
        agent: variables added NEW, NEWER
        agent: variables removed GONE
        agent: variables with another value MOVED
        agent: secret AGENT_TOKEN added, from /prod/agent
        agent: secrets removed OLD_TOKEN
        agent: secret DATABASE_URL from /prod/url -> dbward/url-AbCdEf:url::
        container logs added, image fluent-bit:3
        container proxy removed
        ");
        assert!(lines.iter().all(|line| line.chars().count() <= LINE));
    }

    #[test]
    fn many_changes_are_counted() {
        let many = |value| {
            let containers = (0..30).map(|n| container(&format!("c{n:02}"), &[("image", value)], &[]));
            revision(containers.collect(), &[])
        };
        let lines = difference(&many("a:1"), &many("a:2"));
        assert_eq!(lines.len(), LINES + 1);
        assert_eq!(lines.last().unwrap(), "and 10 more");
        let long: Vec<String> = (0..40).map(|n| format!("A_LONG_NAME_OF_A_VARIABLE_{n:02}")).collect();
        let variables: Vec<(&str, u64)> = long.iter().map(|name| (name.as_str(), 1)).collect();
        let lines = difference(
            &revision(vec![container("a", &[], &[])], &[]),
            &revision(vec![container("a", &[], &variables)], &[]),
        );
        assert_eq!(lines, ["variables added A_LONG_NAME_OF_A_VARIABLE_00, and 39 more"]);
    }
}
