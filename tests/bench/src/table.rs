//! The one table that the bench prints.

use std::fmt;

use crate::statistics::{median, spread};

/// A column for each subject, then one for each ratio.
#[derive(Debug)]
pub struct Table {
    names: Vec<String>,
    /// Columns, (of, by).
    ratios: Vec<(usize, usize)>,
    rows: Vec<(String, Vec<Cell>)>,
}

#[derive(Debug)]
enum Cell {
    /// A median and its spread.
    Measured(f64, f64),
    /// The same each time.
    Fixed(f64),
    /// A whole number of something.
    Counted(f64),
    /// There is none.
    None,
}

impl Table {
    /// Without rows yet; a ratio of a name that is no column is left out.
    #[must_use]
    pub fn new(names: &[&str], ratios: &[(&str, &str)]) -> Self {
        let column = |name: &str| names.iter().position(|other| *other == name);
        Self {
            names: names.iter().map(|name| (*name).to_owned()).collect(),
            ratios: ratios.iter().filter_map(|(of, by)| Some((column(of)?, column(by)?))).collect(),
            rows: Vec::new(),
        }
    }

    /// A row of medians; the measurements of each column, none where there is nothing to measure.
    pub fn measured(&mut self, label: &str, columns: &[Vec<f64>]) {
        self.row(label, columns, |values| match &values[..] {
            [] => Cell::None,
            values => Cell::Measured(median(values), spread(values)),
        });
    }

    /// A row of values that are the same in every round.
    pub fn fixed(&mut self, label: &str, values: &[f64]) {
        self.row(label, values, |value| Cell::Fixed(*value));
    }

    /// A row of counts, or of other values for which a whole number is exact enough.
    pub fn counted(&mut self, label: &str, values: &[Option<f64>]) {
        self.row(label, values, |value| value.map_or(Cell::None, Cell::Counted));
    }

    /// What a row says in a column.
    pub fn value(&self, label: &str, name: &str) -> Option<f64> {
        let column = self.names.iter().position(|other| other == name)?;
        self.rows.iter().find(|(other, _)| other == label)?.1[column].value()
    }

    fn row<T>(&mut self, label: &str, values: &[T], cell: impl Fn(&T) -> Cell) {
        self.rows.push((label.to_owned(), values.iter().map(cell).collect()));
    }

    fn lines(&self) -> Vec<Vec<String>> {
        let ratio_names = self.ratios.iter().map(|(of, by)| format!("{}/{}", self.names[*of], self.names[*by]));
        let mut lines =
            vec![[String::new()].into_iter().chain(self.names.iter().cloned()).chain(ratio_names).collect()];
        for (label, cells) in &self.rows {
            let ratios = self.ratios.iter().map(|(of, by)| ratio(cells[*of].value(), cells[*by].value()));
            lines.push([label.clone()].into_iter().chain(cells.iter().map(Cell::to_string)).chain(ratios).collect());
        }
        lines
    }
}

impl Cell {
    fn value(&self) -> Option<f64> {
        match self {
            Self::Measured(value, _) | Self::Fixed(value) | Self::Counted(value) => Some(*value),
            Self::None => None,
        }
    }
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Measured(value, spread) => write!(f, "{value:.2} ±{spread:<6.2}"),
            Self::Fixed(value) => write!(f, "{value:.2}        "),
            Self::Counted(value) => write!(f, "{value:.0}"),
            Self::None => write!(f, "-"),
        }
    }
}

fn ratio(of: Option<f64>, by: Option<f64>) -> String {
    match (of, by) {
        (Some(of), Some(by)) if by > 0.0 => format!("{:.1}", of / by),
        _ => "-".to_owned(),
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines = self.lines();
        let columns = lines.first().map_or(0, Vec::len);
        let width = |column: usize| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or_default();
        let widths: Vec<usize> = (0..columns).map(width).collect();
        for line in &lines {
            write!(f, "{:<width$}", line[0], width = widths[0])?;
            for (cell, width) in line.iter().zip(&widths).skip(1) {
                write!(f, "  {cell:>width$}")?;
            }
            writeln!(f)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_have_no_fractions_and_what_is_not_there_is_no_zero() {
        let mut table = Table::new(&["ours", "peer"], &[("peer", "ours")]);
        table.counted("calls", &[Some(12.0), Some(30.0)]);
        table.counted("MiB", &[Some(17.4), None]);
        table.measured("ms", &[vec![1.5], vec![]]);
        let text = table.to_string();
        let words: Vec<Vec<_>> = text.lines().map(|line| line.split_whitespace().collect()).collect();
        assert_eq!(
            words[1..],
            [vec!["calls", "12", "30", "2.5"], vec!["MiB", "17", "-", "-"], vec!["ms", "1.50", "±0.00", "-", "-"]]
        );
    }

    #[test]
    fn columns_line_up_and_ratios_are_of_medians() {
        let mut table =
            Table::new(&["floor", "ours", "peer"], &[("ours", "floor"), ("peer", "ours"), ("peer", "none")]);
        table.measured("start, ms", &[vec![2.0, 4.0, 3.0], vec![9.0, 9.5, 100.0], vec![190.0, 380.0, 90.0]]);
        table.fixed("zip, MiB", &[0.0, 4.25, 0.5]);
        let wanted = [
            "                  floor          ours            peer  ours/floor  peer/ours",
            "start, ms  3.00 ±1.00    9.50 ±45.50   190.00 ±145.00         3.2       20.0",
            "zip, MiB   0.00          4.25            0.50                   -        0.1",
        ];
        assert_eq!(table.to_string().lines().collect::<Vec<_>>(), wanted, "\n{table}");
    }
}
