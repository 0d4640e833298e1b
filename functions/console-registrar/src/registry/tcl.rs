//! Any text as one word of Tcl, and back from what a script of ours wrote. Only what Tcl 8.4 has.

/// Why a text cannot be a word of Tcl.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotAWord {
    /// There is nothing to write where a word stands alone.
    #[error("is empty")]
    Empty,
    /// Programs in C end a text there.
    #[error("has a NUL in it")]
    Nul,
    /// Tcl 8.4 knows 16 bits a character.
    #[error("has a character beyond U+FFFF in it, which Tcl 8.4 does not know")]
    Beyond,
}

/// One word of Tcl that means exactly this text: alone, as a part of a word, and inside double quotes.
///
/// What is not a plain letter is written by its number (Tcl 8.4, Tcl(n), "Backslash substitution": `\uhhhh`), so nothing in
/// it can be substituted or end the word, whatever stands around it; and the script stays ASCII.
pub fn word(text: &str) -> Result<String, NotAWord> {
    if text.is_empty() {
        return Err(NotAWord::Empty);
    }
    let written = |letter: char| match letter {
        '\0' => Err(NotAWord::Nul),
        'a'..='z' | 'A'..='Z' | '0'..='9' | '.' | '_' | '-' => Ok(letter.to_string()),
        '\u{1}'..='\u{ffff}' => Ok(format!("\\u{:04x}", u32::from(letter))),
        _ => Err(NotAWord::Beyond),
    };
    text.chars().map(written).collect()
}

/// The text that a script wrote as `x`, and for each letter its number in hexadecimal and a dot. A Tcl of 16 bits writes
/// the two halves of a letter beyond them; half a one is none, and becomes U+FFFD.
pub(crate) fn unpacked(word: &str) -> Option<String> {
    let mut units = Vec::new();
    let mut numbers = word.strip_prefix('x')?;
    while let Some((number, rest)) = numbers.split_once('.') {
        let number = u32::from_str_radix(number, 16).ok()?;
        match u16::try_from(number) {
            Ok(unit) => units.push(unit),
            Err(_) => units.extend_from_slice(char::from_u32(number)?.encode_utf16(&mut [0; 2])),
        }
        numbers = rest;
    }
    numbers.is_empty().then(|| String::from_utf16_lossy(&units))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn hostile_texts_become_plain_words() {
        for (text, wanted) in [
            ("Agent-1", Ok("Agent-1")),
            ("[exec x]", Ok(r"\u005bexec\u0020x\u005d")),
            ("$x", Ok(r"\u0024x")),
            ("a\nb\\", Ok(r"a\u000ab\u005c")),
            ("漢", Ok(r"\u6f22")),
            ("", Err(NotAWord::Empty)),
            ("a\0", Err(NotAWord::Nul)),
            ("🔥", Err(NotAWord::Beyond)),
        ] {
            assert_eq!(word(text).as_deref(), wanted.as_ref().map(|word| *word), "{text:?}");
        }
    }

    #[test]
    fn what_a_script_wrote_is_read() {
        for (word, wanted) in [
            ("x", Some("")),
            ("x41.a.", Some("A\n")),
            ("xd83d.dd25.", Some("🔥")),
            ("x1f525.", Some("🔥")),
            ("xd83d.", Some("\u{fffd}")),
            ("41.", None),
            ("x41", None),
            ("x41..", None),
            ("x110000.", None),
        ] {
            assert_eq!(unpacked(word).as_deref(), wanted, "{word}");
        }
    }

    proptest! {
        #[test]
        fn any_text_comes_back(text in any::<String>()) {
            let letters = text.chars().map(|letter| format!("{:x}.", u32::from(letter)));
            let packed: Vec<String> = std::iter::once("x".to_owned()).chain(letters).collect();
            prop_assert_eq!(unpacked(&packed.concat()), Some(text));
        }

        #[test]
        fn a_word_is_letters_and_numbers_of_letters(text in "[\\x01-\\u{d7ff}\\u{e000}-\\u{ffff}]{1,20}") {
            let word = word(&text).unwrap();
            prop_assert!(word.is_ascii());
            let mut parts = word.split(r"\u");
            let plain = |part: &str| part.chars().all(|one| one.is_ascii_alphanumeric() || "._-".contains(one));
            prop_assert!(parts.next().is_some_and(plain) && parts.all(|part| part.len() >= 4 && plain(part)));
        }
    }
}
