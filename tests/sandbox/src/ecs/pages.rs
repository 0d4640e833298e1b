//! Pages of the List operations.

use std::cmp::Ordering;
use std::ops::RangeInclusive;

use serde_json::{Value, json};

use super::refusal::Refusal;

/// What `maxResults` may be, in all of them.
const AT_ONCE: RangeInclusive<usize> = 1..=100;

/// Answers `action` with a page of `items` as `member`.
///
/// The token says after which item to go on, so that nothing is left out or repeated when things come and go between pages.
pub(crate) fn page(action: &str, request: &Value, member: &str, mut items: Vec<String>) -> Result<Value, Refusal> {
    // "If this parameter isn't used, then ListServices returns up to 10 results"; it is 100 for the others.
    let default = if action == "ListServices" { 10 } else { 100 };
    let at_once = at_most(request)?.unwrap_or(default);
    let after = request["nextToken"].as_str().map(|token| place_in(action, token)).transpose()?;

    let descending = request["sort"] == "DESC";
    let order = |one: &str, other: &str| if descending { compare(other, one) } else { compare(one, other) };
    items.sort_unstable_by(|one, other| order(one, other));
    let from = after.map_or(0, |after| items.partition_point(|item| order(item, &after) != Ordering::Greater));
    let rest = &items[from..];
    let shown = &rest[..at_once.min(rest.len())];
    let mut answer = json!({ member: shown });
    if let Some(last) = shown.last().filter(|_| shown.len() < rest.len()) {
        answer["nextToken"] = json!(token(action, last));
    }
    Ok(answer)
}

/// `maxResults`, if given.
pub(crate) fn at_most(request: &Value) -> Result<Option<usize>, Refusal> {
    let Some(wanted) = request["maxResults"].as_i64() else { return Ok(None) };
    let wanted = usize::try_from(wanted).ok().filter(|wanted| AT_ONCE.contains(wanted));
    wanted.map(Some).ok_or_else(|| Refusal::invalid("maxResults must be from 1 to 100."))
}

/// By name, and revisions by number.
fn compare(one: &str, other: &str) -> Ordering {
    revision(one).cmp(&revision(other))
}

fn revision(item: &str) -> (&str, u64) {
    let numbered = item.rsplit_once(':').and_then(|(name, number)| Some((name, number.parse().ok()?)));
    numbered.unwrap_or((item, 0))
}

/// Opaque to the caller: hexadecimal digits of the operation and the last item shown.
fn token(action: &str, last: &str) -> String {
    format!("{action} {last}").bytes().flat_map(|byte| [byte >> 4, byte & 0x0f]).map(digit).collect()
}

fn place_in(action: &str, token: &str) -> Result<String, Refusal> {
    let pair = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    let bytes: Option<Vec<u8>> = token.as_bytes().chunks(2).map(pair).collect();
    let text = bytes.and_then(|bytes| String::from_utf8(bytes).ok()).unwrap_or_default();
    let place = text.strip_prefix(action).and_then(|rest| rest.strip_prefix(' '));
    place.map(str::to_owned).ok_or_else(|| Refusal::invalid("Invalid token"))
}

fn digit(half: u8) -> char {
    char::from_digit(u32::from(half), 16).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn all(action: &str, request: &Value, items: &[String]) -> Vec<Vec<String>> {
        let mut request = request.clone();
        let mut pages = Vec::new();
        loop {
            let answer = page(action, &request, "items", items.to_vec()).unwrap();
            pages.push(
                answer["items"].as_array().unwrap().iter().map(|item| item.as_str().unwrap().to_owned()).collect(),
            );
            if answer["nextToken"].is_null() {
                return pages;
            }
            request["nextToken"] = answer["nextToken"].clone();
        }
    }

    proptest! {
        #[test]
        fn pages_hold_every_item_once(count in 0_usize..40, at_once in 1_usize..12, descending: bool) {
            let mut items: Vec<String> = (1..=count).map(|n| format!("arn:task-definition/family:{n}")).collect();
            let sort = if descending { "DESC" } else { "ASC" };
            let pages = all("ListTaskDefinitions", &json!({ "maxResults": at_once, "sort": sort }), &items);
            prop_assert_eq!(pages.len(), count.div_ceil(at_once).max(1));
            if descending {
                items.reverse();
            }
            prop_assert_eq!(pages.concat(), items);
        }
    }

    #[test]
    fn what_goes_away_between_pages_takes_nothing_along() {
        let mut items: Vec<String> = ["a", "b", "c", "d"].map(str::to_owned).to_vec();
        let first = page("ListTasks", &json!({ "maxResults": 2 }), "items", items.clone()).unwrap();
        items.remove(1);
        let next = json!({ "maxResults": 2, "nextToken": first["nextToken"] });
        assert_eq!(page("ListTasks", &next, "items", items).unwrap(), json!({ "items": ["c", "d"] }));
    }

    #[test]
    fn services_come_in_tens_and_others_in_hundreds() {
        let items: Vec<String> = (100..230).map(|n| format!("item-{n}")).collect();
        let sizes = |action| all(action, &json!({}), &items).iter().map(Vec::len).collect::<Vec<_>>();
        assert_eq!((sizes("ListServices")[0], sizes("ListTasks")), (10, vec![100, 30]));
    }

    #[test]
    fn a_token_of_nobody_or_of_another_operation_is_refused() {
        let items = vec!["a".to_owned(), "b".to_owned()];
        let other = page("ListServices", &json!({ "maxResults": 1 }), "items", items.clone()).unwrap();
        for token in [json!("2"), json!("nonsense"), json!("äö"), other["nextToken"].clone()] {
            let refused = page("ListTasks", &json!({ "nextToken": token }), "items", items.clone()).unwrap_err();
            assert_eq!(refused, Refusal::invalid("Invalid token"));
        }
        for wanted in [0, 101, -1] {
            assert!(page("ListTasks", &json!({ "maxResults": wanted }), "items", items.clone()).is_err());
        }
    }
}
