//! The middle of many measurements, and how far they lie apart.

/// The value that so many percent of the values do not exceed (nearest rank); 0 of none.
#[must_use]
pub fn percentile(values: &[f64], percent: usize) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let rank = (sorted.len() * percent).div_ceil(100);
    sorted.get(rank.saturating_sub(1)).copied().unwrap_or_default()
}

/// The middle one.
#[must_use]
pub fn median(values: &[f64]) -> f64 {
    percentile(values, 50)
}

/// Half the width of the middle half of the values.
#[must_use]
pub fn spread(values: &[f64]) -> f64 {
    (percentile(values, 75) - percentile(values, 25)) / 2.0
}

#[cfg(test)]
#[allow(clippy::float_cmp, reason = "values are picked, not computed")]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_values_that_were_measured() {
        let values = [5.0, 1.0, 4.0, 2.0, 3.0];
        assert_eq!(median(&values), 3.0);
        assert_eq!([0, 1, 20, 21, 80, 100].map(|percent| percentile(&values, percent)), [1.0, 1.0, 1.0, 2.0, 4.0, 5.0]);
        assert_eq!(median(&[2.0, 1.0]), 1.0);
        assert_eq!(median(&[]), 0.0);
    }

    #[test]
    fn an_outlier_does_not_widen_the_spread() {
        assert_eq!(spread(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 900.0]), 2.0);
        assert_eq!(spread(&[7.0]), 0.0);
    }
}
