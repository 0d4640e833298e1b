//! The scripts that a `ScriptRunner` runs: ours, or the user's own.

use watchkeeper_custom_resources::Properties;

use super::template::Placeholder::{self, Done, Host, Id, Overtaken, Owner, Port, Version};
use super::template::{Template, written};

/// What stands in a script.
struct Kind {
    name: &'static str,
    ours: &'static str,
    necessary: &'static [Placeholder],
    known: &'static [Placeholder],
}

const LIST: Kind = Kind { name: "List", ours: include_str!("scripts/list.tcl"), necessary: &[], known: &[Id, Done] };
const PUT: Kind = Kind {
    name: "Put",
    ours: include_str!("scripts/put.tcl"),
    necessary: &[Id, Host, Port],
    known: &[Id, Host, Port, Owner, Version, Done, Overtaken],
};
const REMOVE: Kind = Kind {
    name: "Remove",
    ours: include_str!("scripts/remove.tcl"),
    necessary: &[Id],
    known: &[Id, Version, Done, Overtaken],
};

/// One for each operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Scripts {
    pub(crate) list: Template,
    pub(crate) put: Template,
    pub(crate) remove: Template,
}

impl Scripts {
    /// Ours, for the Console commands that docs/sandbox.md describes.
    pub(crate) fn ours() -> Option<Self> {
        let ours = |kind: &Kind| Template::parse(kind.ours, kind.known).ok();
        Some(Self { list: ours(&LIST)?, put: ours(&PUT)?, remove: ours(&REMOVE)? })
    }

    /// Reads the members of `Scripts`; what is not there is ours. `success` tells whether the user says what is written when all
    /// is done.
    pub(crate) fn read(properties: &mut Properties<'_>, success: bool) -> Option<Self> {
        let mut read = |kind: &Kind| {
            let text = properties.optional_text(kind.name);
            let found = text.map_or_else(|| Template::parse(kind.ours, kind.known), |text| kind.own(text, success));
            found.map_err(|fault| properties.fault(kind.name, fault)).ok()
        };
        let (list, put, remove) = (read(&LIST), read(&PUT), read(&REMOVE));
        Some(Self { list: list?, put: put?, remove: remove? })
    }
}

impl Kind {
    fn own(&self, text: &str, success: bool) -> Result<Template, String> {
        let template = Template::parse(text, self.known)?;
        let missing: Vec<_> = self.necessary.iter().copied().filter(|one| !template.has(*one)).collect();
        if !missing.is_empty() {
            return Err(format!("must have {} in it; known are {}", written(&missing), written(self.known)));
        }
        if !success && !template.has(Done) {
            let done = Done.written();
            return Err(format!(
                "must end with `puts {done}`, which tells that all went well; or Success must be a line that is written then"
            ));
        }
        Ok(template)
    }
}
