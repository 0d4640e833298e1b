//! Whose things a stack may use. Who may invoke a function borrows its power, so the thing's owner must have said so.

use std::fmt;

/// The tag by which a thing's owner lets a stack use it: the stack's name, or [`ANY`] for every stack.
pub const ALLOW: &str = "watchkeeper:allow";
/// The tag's value for every stack. ECS, RDS and Systems Manager take no `*` in a tag (ECS API Reference, "Tag": letters, digits,
/// spaces and `_.:/=+-@`), and no stack's name has an `@`. Where a `*` can stand, it counts as well.
pub const ANY: &str = "@any";

/// What a stack would use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Thing<'a> {
    /// What it is, for people: a secret, a parameter, a cluster, a service.
    pub kind: &'a str,
    /// Which: its ARN or name.
    pub name: &'a str,
}

impl fmt::Display for Thing<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {}", self.kind, self.name)
    }
}

/// Whether the stack of this name may use the thing, given the value of its tag [`ALLOW`]. The error is for whoever is refused.
pub fn may_use(stack: &str, thing: Thing<'_>, tag: Option<&str>) -> Result<(), String> {
    let is = match tag {
        Some(value) if value == stack || value == ANY || value == "*" => return Ok(()),
        Some(value) => format!("its tag {ALLOW} is {value:?}"),
        None => format!("it has no tag {ALLOW}"),
    };
    Err(format!(
        "the stack {stack} may not use the {thing}: {is}; the {}'s owner allows it with the tag {ALLOW} = {stack}, or {ANY} for \
         every stack",
        thing.kind
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PARAMETER: Thing<'_> = Thing { kind: "parameter", name: "/formae/config" };

    #[test]
    fn only_whom_the_owner_named_may() {
        for tag in ["agents", ANY, "*"] {
            assert_eq!(may_use("agents", PARAMETER, Some(tag)), Ok(()));
        }
        for tag in [None, Some(""), Some("agent"), Some("agents2"), Some("Agents"), Some("agents *")] {
            assert!(may_use("agents", PARAMETER, tag).is_err(), "{tag:?}");
        }
    }

    #[test]
    fn who_is_refused_reads_what_to_do() {
        assert_eq!(
            may_use("agents", PARAMETER, None).unwrap_err(),
            "the stack agents may not use the parameter /formae/config: it has no tag watchkeeper:allow; the parameter's owner \
             allows it with the tag watchkeeper:allow = agents, or @any for every stack"
        );
        let other = may_use("agents", PARAMETER, Some("agent")).unwrap_err();
        assert!(other.contains(r#": its tag watchkeeper:allow is "agent"; the parameter's owner"#), "{other}");
    }
}
