//! How far a name is from another, to suggest the one that was meant.

/// The name nearest to `written`, if it is near: at most a third of its letters (rounded up) differ.
#[must_use]
pub fn nearest<'a>(written: &str, known: &[&'a str]) -> Option<&'a str> {
    let near = known.iter().map(|name| (distance(written, name), *name));
    near.filter(|(distance, name)| *distance <= name.len().div_ceil(3)).min().map(|(_, name)| name)
}

/// Letters to put in, take out or change (Levenshtein's), whatever their case.
fn distance(one: &str, other: &str) -> usize {
    let lower = |text: &str| text.chars().map(|letter| letter.to_ascii_lowercase()).collect::<Vec<_>>();
    let (one, other) = (lower(one), lower(other));
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (above, letter) in one.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = above + 1;
        for column in 0..other.len() {
            let changed = diagonal + usize::from(*letter != other[column]);
            diagonal = row[column + 1];
            row[column + 1] = changed.min(row[column] + 1).min(diagonal + 1);
        }
    }
    row[other.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_meant_is_found_and_what_is_far_is_not_guessed() {
        let known = ["Bucket", "Key", "ContentType", "Content"];
        for (written, meant) in [
            ("bucket", Some("Bucket")),
            ("Bukcet", Some("Bucket")),
            ("Keys", Some("Key")),
            ("ContentTyp", Some("ContentType")),
            ("Contents", Some("Content")),
            ("Zone", None),
            ("", None),
        ] {
            assert_eq!(nearest(written, &known), meant, "{written}");
        }
    }

    #[test]
    fn distances() {
        for (one, other, letters) in [("", "", 0), ("", "abc", 3), ("kitten", "sitting", 3), ("ab", "BA", 2)] {
            assert_eq!((distance(one, other), distance(other, one)), (letters, letters), "{one} {other}");
        }
    }
}
