//! What a plain scalar is, and which strings can be plain.

use crate::format::tree::Sort;

/// What readers of both versions make of it.
pub(super) fn sort(text: &str) -> Sort {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let unsigned = text.strip_prefix('-').unwrap_or(text);
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Sort::Null,
        "true" | "True" | "TRUE" | "false" | "False" | "FALSE" => return Sort::Boolean,
        // The text alone is a value of its own in 1.1, or merges.
        "=" | "<<" => return Sort::Disputed,
        _ => {}
    }
    if digits(unsigned) && (unsigned == "0" || !unsigned.starts_with('0')) {
        return Sort::Integer;
    }
    if let Some((whole, fraction)) = unsigned.split_once('.')
        && digits(whole)
        && digits(fraction)
    {
        return Sort::Float;
    }
    let lower = text.to_ascii_lowercase();
    if matches!(&lower[..], "yes" | "no" | "on" | "off" | "y" | "n" | "true" | "false" | "null") {
        return Sort::Disputed;
    }
    // Whatever else looks like a number (octal, sexagesimal, underscores, exponents, dates, infinity) is read differently somewhere.
    let begins = lower.trim_start_matches(['+', '-']);
    let hexadecimal =
        begins.starts_with("0x") && begins[2..].chars().all(|digit| digit.is_ascii_hexdigit() || digit == '_');
    let numeric = |character: char| character.is_ascii_digit() || "obetz_.:+-, \t".contains(character);
    let number =
        begins.starts_with(|first: char| first.is_ascii_digit() || first == '.') && begins.chars().all(numeric);
    // 10.0.0.1 is nobody's number.
    let dotted = begins.matches('.').count() > 1
        && begins.chars().all(|character| character.is_ascii_digit() || character == '.');
    if hexadecimal || (number && !dotted) || matches!(begins, ".inf" | ".nan") {
        return Sort::Disputed;
    }
    Sort::Text
}

/// Whether a string can be plain in a block, without doubt. Within brackets and braces it never is anew.
pub(super) fn can_carry(text: &str) -> bool {
    let fits = |character: char| character.is_ascii_alphanumeric() || "_/.@+=-:".contains(character);
    sort(text) == Sort::Text
        && text.starts_with(|character: char| character.is_ascii_alphabetic() || character == '/' || character == '_')
        && text.chars().all(fits)
        && !text.ends_with(':')
}
