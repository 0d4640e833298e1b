//! A line that has room for so many characters, and in which names give way to what happened: who generates a stack's names
//! makes them longer than a subject is.

use crate::clean::{ascii, shortened};

/// Names that are longer than this give way before anything else does, from their middle.
const ABOUT: usize = 40;
const PLACE: usize = 20;

/// What is left to the thing's name and to the cluster's, step by step, until there is room for what happened.
const STEPS: [(usize, usize); 4] = [(ABOUT, PLACE), (24, 12), (24, 0), (12, 0)];

/// So many characters of what happened are worth more than the rest of a name. The summaries of all causes are shorter.
const SUMMARY: usize = 60;

/// `CRASH agent x12: container "agent" exited with code 1, 12 times [dbward]`, in its parts.
#[derive(Debug, Clone)]
pub(crate) struct Line {
    /// `CRASH `.
    pub(crate) before: String,
    /// The thing's name.
    pub(crate) about: String,
    /// ` x12: `.
    pub(crate) between: String,
    /// What happened.
    pub(crate) summary: String,
    /// `, 12 times`.
    pub(crate) after: String,
    /// The cluster's name, with what stands around it.
    pub(crate) place: Option<(&'static str, String, &'static str)>,
}

impl Line {
    pub(crate) fn whole(&self) -> String {
        let place = self.place.as_ref().map(|(open, place, close)| format!("{open}{place}{close}")).unwrap_or_default();
        format!("{}{}{}{}{}{place}", self.before, self.about, self.between, self.summary, self.after)
    }

    /// The same in ASCII.
    pub(crate) fn in_ascii(mut self) -> Self {
        (self.about, self.summary) = (ascii(&self.about), ascii(&self.summary));
        self.place = self.place.map(|(open, place, close)| (open, ascii(&place), close));
        self
    }

    /// At most so many characters. The container's name goes first, since the thing's name is there, too; then the middle of
    /// names; what happened is cut only where it is long by itself.
    pub(crate) fn within(mut self, characters: usize) -> String {
        if self.excess(characters) > 0 {
            self.summary = without_container(&self.summary).to_owned();
        }
        let length = count(&self.summary);
        let room = characters + length.saturating_sub(SUMMARY);
        for (about, place) in STEPS {
            self.shorten_place(place, self.excess(room));
            self.about = middle(&self.about, about.max(count(&self.about).saturating_sub(self.excess(room))));
        }
        let excess = self.excess(characters);
        if excess > 0 {
            self.summary = shortened(&self.summary, length.saturating_sub(excess));
        }
        shortened(self.whole().trim_end(), characters)
    }

    fn excess(&self, characters: usize) -> usize {
        count(&self.whole()).saturating_sub(characters)
    }

    fn shorten_place(&mut self, least: usize, excess: usize) {
        if let Some((_, place, _)) = &mut self.place {
            *place = middle(place, least.max(count(place).saturating_sub(excess)));
            if least == 0 && excess > 0 {
                self.place = None;
            }
        }
    }
}

fn count(text: &str) -> usize {
    text.chars().count()
}

/// `container "agent" exited with code 1` without the container.
fn without_container(summary: &str) -> &str {
    let rest = summary.strip_prefix("container \"").and_then(|rest| rest.split_once("\" "));
    rest.map(|(_, rest)| rest).filter(|rest| !rest.is_empty()).unwrap_or(summary)
}

/// At most so many characters: the beginning and the end, by which generated names are told from each other.
fn middle(text: &str, characters: usize) -> String {
    let length = count(text);
    if length <= characters {
        return text.to_owned();
    }
    let kept = characters.saturating_sub(2);
    let begin: String = text.chars().take(kept.div_ceil(2)).collect();
    let end: String = text.chars().skip(length - kept / 2).collect();
    format!("{begin}..{end}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(about: &str, summary: &str, place: &str) -> Line {
        Line {
            before: "CRASH ".to_owned(),
            about: about.to_owned(),
            between: ": ".to_owned(),
            summary: summary.to_owned(),
            after: String::new(),
            place: Some((" [", place.to_owned(), "]")),
        }
    }

    #[test]
    fn what_gives_way_first() {
        let cause = r#"container "PaymentsApi" exited with code 137, out of memory"#;
        let (long, cluster) =
            ("PaymentsStack-PaymentsApiServiceFargateService4E3A1B2C-9XyZ12AbC3dE", "PaymentsStack-Cluster9EE23891");
        for (about, place, room, expected) in [
            ("api", "prod", 99, r#"CRASH api: container "PaymentsApi" exited with code 137, out of memory [prod]"#),
            ("api", "prod", 60, "CRASH api: exited with code 137, out of memory [prod]"),
            (
                long,
                cluster,
                99,
                "CRASH PaymentsStack-Payme..3A1B2C-9XyZ12AbC3dE: exited with code 137, out of memory [Paymen..23891]",
            ),
            ("", "", 99, r#"CRASH : container "PaymentsApi" exited with code 137, out of memory []"#),
        ] {
            let within = line(about, cause, place).within(room);
            assert!(count(&within) <= room, "{within}");
            assert_eq!(within, expected);
        }
    }

    #[test]
    fn what_is_long_by_itself_is_cut_and_the_names_stay() {
        let within = line("orders", &"it went on and ".repeat(20), "prod").within(99);
        assert!(within.starts_with("CRASH orders: it went on") && within.ends_with("... [prod]"), "{within}");
    }

    #[test]
    fn middles() {
        assert_eq!(
            (middle("abcdef", 6), middle("abcdefgh", 6), middle("añbñcñ", 5)),
            ("abcdef".into(), "ab..gh".into(), "añ..ñ".into())
        );
        assert_eq!((middle("abc", 0), without_container(r#"container "a" "#)), ("..".into(), r#"container "a" "#));
    }
}
