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
struct Cell {
    value: f64,
    spread: Option<f64>,
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

    /// A row of medians; the measurements of each column.
    pub fn measured(&mut self, label: &str, columns: &[Vec<f64>]) {
        let cells = columns.iter().map(|values| Cell { value: median(values), spread: Some(spread(values)) });
        self.rows.push((label.to_owned(), cells.collect()));
    }

    /// A row of values that are the same in every round.
    pub fn fixed(&mut self, label: &str, values: &[f64]) {
        let cells = values.iter().map(|value| Cell { value: *value, spread: None });
        self.rows.push((label.to_owned(), cells.collect()));
    }

    fn lines(&self) -> Vec<Vec<String>> {
        let ratio_names = self.ratios.iter().map(|(of, by)| format!("{}/{}", self.names[*of], self.names[*by]));
        let mut lines =
            vec![[String::new()].into_iter().chain(self.names.iter().cloned()).chain(ratio_names).collect()];
        for (label, cells) in &self.rows {
            let ratios = self.ratios.iter().map(|(of, by)| ratio(cells[*of].value, cells[*by].value));
            lines.push([label.clone()].into_iter().chain(cells.iter().map(Cell::to_string)).chain(ratios).collect());
        }
        lines
    }
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.spread {
            Some(spread) => write!(f, "{:.2} ±{spread:<6.2}", self.value),
            None => write!(f, "{:.2}        ", self.value),
        }
    }
}

fn ratio(of: f64, by: f64) -> String {
    if by > 0.0 { format!("{:.1}", of / by) } else { "-".to_owned() }
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
