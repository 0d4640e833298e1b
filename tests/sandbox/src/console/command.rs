//! The Console command `agent` of scripts: its words, and what they mean.

use super::registry::{Condition, Definition};

const USAGE: &str = "wrong # args: should be \"agent list\", \"agent get id\", \"agent put id host h port p ?owner o? \
                     ?description d? ?etag e?\" or \"agent delete id ?etag e?\"";

/// What a script asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Command {
    List,
    Get(String),
    Put(Definition, Condition),
    Delete(String, Condition),
}

impl Command {
    /// Reads the words that Tcl made of the script, without `agent` itself. An error is what the script is told.
    pub(super) fn read(words: &[String]) -> Result<Self, String> {
        let texts: Vec<&str> = words.iter().map(String::as_str).collect();
        match texts[..] {
            ["list"] => Ok(Self::List),
            ["get", id] => Ok(Self::Get(id.to_owned())),
            ["put", id, ref options @ ..] => put(id, options),
            ["delete", id] => Ok(Self::Delete(id.to_owned(), Condition::Always)),
            ["delete", id, "etag", etag] => Ok(Self::Delete(id.to_owned(), condition(etag))),
            ["list" | "get" | "delete", ..] | [] => Err(USAGE.to_owned()),
            [other, ..] => Err(format!("bad option \"{other}\": must be delete, get, list, or put")),
        }
    }

    /// Its name in the Console's count of calls.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::List => "agent list",
            Self::Get(_) => "agent get",
            Self::Put(..) => "agent put",
            Self::Delete(..) => "agent delete",
        }
    }
}

fn put(id: &str, options: &[&str]) -> Result<Command, String> {
    let (mut host, mut port, mut owner, mut description, mut etag) = (None, None, None, None, None);
    let mut rest = options;
    while let [name, value, more @ ..] = rest {
        let place = match *name {
            "host" => &mut host,
            "port" => &mut port,
            "owner" => &mut owner,
            "description" => &mut description,
            "etag" => &mut etag,
            other => return Err(format!("bad option \"{other}\": must be description, etag, host, owner, or port")),
        };
        if place.replace((*value).to_owned()).is_some() {
            return Err(format!("the option \"{name}\" is there twice"));
        }
        rest = more;
    }
    let (true, Some(host), Some(port)) = (rest.is_empty(), host, port) else { return Err(USAGE.to_owned()) };
    let port = port.parse().map_err(|_| format!("expected port but got \"{port}\""))?;
    let definition = Definition { id: id.to_owned(), host, port, owner, description };
    Ok(Command::Put(definition, etag.as_deref().map_or(Condition::Always, condition)))
}

/// `absent` and `present` are no versions, so the words are free.
fn condition(etag: &str) -> Condition {
    match etag {
        "absent" => Condition::Absent,
        "present" => Condition::Present,
        etag => Condition::Version(etag.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(words: &[&str]) -> Result<Command, String> {
        Command::read(&words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn options_come_in_any_order_and_values_are_taken_as_they_are() {
        let Ok(Command::Put(agent, condition)) =
            read(&["put", "owner", "port", "80", "etag", "absent", "host", "port", "description", ""])
        else {
            panic!("it is a put")
        };
        assert_eq!((agent.id.as_str(), agent.host.as_str(), agent.port), ("owner", "port", 80));
        assert_eq!((agent.owner, agent.description.as_deref()), (None, Some("")));
        assert_eq!(condition, Condition::Absent);
        assert_eq!(
            read(&["delete", "a", "etag", "v3"]),
            Ok(Command::Delete("a".into(), Condition::Version("v3".into())))
        );
    }

    #[test]
    fn what_is_no_command_is_told_so() {
        for words in [
            &[][..],
            &["get"],
            &["list", "all"],
            &["put", "a", "host", "h"],
            &["put", "a", "host", "h", "port"],
            &["put", "a", "host", "h", "port", "99999"],
            &["put", "a", "host", "h", "host", "i", "port", "1"],
            &["put", "a", "host", "h", "port", "1", "color", "red"],
            &["delete", "a", "etag"],
            &["drop", "a"],
        ] {
            assert!(read(words).is_err(), "{words:?}");
        }
    }
}
