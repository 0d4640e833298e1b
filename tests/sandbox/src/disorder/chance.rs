//! Whether a rule acts on a match: a function of the plan's seed, the rule and how many matches it had, and of nothing else.
//! So the same sequence of matches has the same decisions, however others come in between.

use super::rule::Rule;

/// Whether the `nth` match of `rule`, counted from 1, is one that it acts on, but for its `times`.
pub(crate) fn decides<M, E>(seed: u64, label: &str, rule: &Rule<M, E>, nth: u64) -> bool {
    match (&rule.nth, rule.share) {
        (Some(chosen), _) => chosen.contains(&nth),
        (None, Some(share)) => fraction(seed, label, nth) < share,
        (None, None) => true,
    }
}

/// A number in 0 to 1, 1 excluded.
fn fraction(seed: u64, label: &str, nth: u64) -> f64 {
    // FNV-1a over the label, then splitmix64's finaliser over all three: well spread, and the same on every machine and
    // with every release of Rust, which the standard library does not promise of its own hashes.
    let label = label
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3));
    let mixed = mix(mix(seed ^ label).wrapping_add(nth));
    f64::from(u32::try_from(mixed >> 32).unwrap_or_default()) / 4_294_967_296.0
}

fn mix(value: u64) -> u64 {
    let value = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::plan::{EventEffect, EventMatch, EventRule};
    use super::*;

    fn drops() -> EventRule {
        EventRule::new(EventMatch::default(), EventEffect::Drop)
    }

    #[test]
    fn a_share_is_about_kept_and_its_bounds_are_exact() {
        for share in [0.0, 0.1, 0.5, 0.9, 1.0] {
            let rule = drops().share(share);
            let acted = (1..=10_000).filter(|nth| decides(7, "r", &rule, *nth)).count();
            let acted = f64::from(u32::try_from(acted).unwrap()) / 10_000.0;
            assert!((acted - share).abs() <= 0.02, "{share}: {acted}");
            assert!((0.01..0.99).contains(&share) || (acted - share).abs() < f64::EPSILON);
        }
    }

    #[test]
    fn decisions_are_the_same_on_every_machine() {
        let rule = drops().share(0.5);
        let decisions: String =
            (1..=32).map(|nth| if decides(7, "events 1", &rule, nth) { 'x' } else { '.' }).collect();
        assert_eq!(decisions, "x.x.xxx.....xx..xx.x....x..x.xx.");
    }

    proptest! {
        #[test]
        fn the_seed_the_rule_and_the_count_decide(seed: u64, nth in 1_u64..1_000_000, share in 0.0..=1.0) {
            let rule = drops().share(share);
            prop_assert_eq!(decides(seed, "a", &rule, nth), decides(seed, "a", &rule, nth));
            prop_assert!(decides(seed, "a", &drops(), nth));
            prop_assert_eq!(decides(seed, "a", &drops().nth([3, 5]), nth), nth == 3 || nth == 5);
        }

        #[test]
        fn another_seed_or_rule_decides_otherwise(seed: u64) {
            let rule = drops().share(0.5);
            let decisions = |seed, label| (1..=64).map(|nth| decides(seed, label, &rule, nth)).collect::<Vec<_>>();
            prop_assert_ne!(decisions(seed, "a"), decisions(seed, "b"));
            prop_assert_ne!(decisions(seed, "a"), decisions(seed.wrapping_add(1), "a"));
        }
    }
}
