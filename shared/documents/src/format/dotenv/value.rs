//! How a value is written, without quotes or within them.

/// The quotes of a value.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// None.
    Bare,
    /// `'…'`
    Single,
    /// `"…"`
    Double,
}

/// What both python-dotenv and Node's dotenv read, or what there is instead.
pub(super) fn read(raw: &str, form: Form) -> Result<String, &'static str> {
    if filled_in(raw) || form != Form::Single && expanded(raw) {
        return Err("a variable or a command that is filled in");
    }
    // A file is read with its line ends made one.
    let raw = raw.replace("\r\n", "\n");
    let differs = match form {
        Form::Bare => raw.contains('#'),
        Form::Single => decoded(&raw, "\\'"),
        Form::Double => decoded(&raw, "\\'\"abftv"),
    };
    match form {
        _ if differs && form == Form::Bare => Err("a # without a space before it, which programs read differently"),
        _ if differs => Err("an escape that programs read differently"),
        Form::Double => Ok(raw.replace("\\n", "\n").replace("\\r", "\r")),
        Form::Bare | Form::Single => Ok(raw),
    }
}

/// In a form that python-dotenv, Node's dotenv and `sh` read alike, or why there is none.
pub(super) fn write(value: &str, old: Form) -> Result<String, &'static str> {
    let plain = |character: char| character.is_ascii_alphanumeric() || "_./:@%+,-=".contains(character);
    let single = !value.contains('\'') && !decoded(value, "\\") && !value.ends_with('\\');
    let double = !value.contains(['"', '`', '$']) && !decoded(value, "\\'\"abfnrtv\n") && !value.ends_with('\\');
    if value.contains(['\0', '\r']) {
        return Err("it has a carriage return or a NUL, which no environment file carries");
    }
    if filled_in(value) {
        return Err("it has ${…} in it, which python-dotenv fills in whatever the quotes");
    }
    match old {
        Form::Bare if !value.is_empty() && value.chars().all(plain) => Ok(value.to_owned()),
        Form::Double if double => Ok(format!("\"{value}\"")),
        _ if single => Ok(format!("'{value}'")),
        _ if double => Ok(format!("\"{value}\"")),
        _ => Err(
            "it has such quotes, dollar signs or backslashes together that no quoting is read alike by python-dotenv, \
                  Node's dotenv and sh",
        ),
    }
}

/// Whether there is a backslash before one of `which`.
fn decoded(text: &str, which: &str) -> bool {
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        if character == '\\' && characters.next().is_some_and(|next| which.contains(next)) {
            return true;
        }
    }
    false
}

/// Whether python-dotenv sees a variable: `${NAME}` or `${NAME:-default}`.
fn filled_in(text: &str) -> bool {
    text.match_indices("${").any(|(at, _)| {
        let inner = &text[at + 2..];
        let end = inner.find(['}', ':']).unwrap_or(inner.len());
        inner[end..].starts_with('}') || inner[end..].starts_with(":-") && inner[end..].contains('}')
    })
}

/// Whether `sh` expands something.
fn expanded(text: &str) -> bool {
    let name = |character: char| character.is_ascii_alphanumeric() || "_{($!?@*#-'\"".contains(character);
    text.contains('`') || text.match_indices('$').any(|(at, _)| text[at + 1..].starts_with(name))
}
