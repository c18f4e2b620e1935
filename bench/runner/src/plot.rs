//! Bar charts as SVG: one bar a peer, its spread as a line, on a logarithmic axis.

use std::fmt::Write as _;

use crate::{cases::Case, results::Spread};

const WIDTH: f64 = 720.0;
const LABELS: f64 = 150.0;
const VALUES: f64 = 90.0;
const BAR: f64 = 18.0;
const STEP: f64 = 26.0;
const TOP: f64 = 40.0;
const BOTTOM: f64 = 30.0;

/// The scale from values to pixels.
struct Axis {
    low: f64,
    decades: f64,
}

impl Axis {
    /// Whole decades around all values.
    fn around(values: impl Iterator<Item = f64>) -> Self {
        let logs: Vec<f64> = values.filter(|value| *value > 0.0).map(f64::log10).collect();
        let low = logs.iter().copied().fold(f64::INFINITY, f64::min);
        let high = logs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        if !low.is_finite() {
            return Self { low: 0.0, decades: 1.0 };
        }
        // A bar of the least value must not vanish.
        let low = (low - 0.1).floor();
        Self { low, decades: (high.ceil() - low).max(1.0) }
    }

    fn x(&self, value: f64) -> f64 {
        let share = (value.max(f64::MIN_POSITIVE).log10() - self.low) / self.decades;
        LABELS + share.clamp(0.0, 1.0) * (WIDTH - LABELS - VALUES)
    }
}

/// The first figure of a case, one bar for each row.
pub(crate) fn bars(case: &Case, rows: &[(&str, Spread)]) -> String {
    let column = case.columns[0];
    let scaled: Vec<(&str, [f64; 3])> = rows
        .iter()
        .map(|(name, spread)| {
            (*name, [spread.least, spread.median, spread.most].map(|value| value / column.unit))
        })
        .collect();
    let axis = Axis::around(scaled.iter().flat_map(|(_, values)| *values));
    let height = TOP + STEP * rows.len() as f64 + BOTTOM;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{height}\" \
         font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n\
         <text x=\"10\" y=\"20\" font-size=\"14\">{}</text>\n",
        escaped(case.title)
    );
    grid(&mut svg, &axis, height);
    for (index, row) in scaled.iter().enumerate() {
        bar(&mut svg, &axis, TOP + STEP * index as f64, row);
    }
    let better = if column.more_is_better { "more is better" } else { "less is better" };
    let _ = write!(
        svg,
        "<text x=\"{LABELS}\" y=\"{:.1}\">{}, logarithmic; {better}</text>\n</svg>\n",
        height - 8.0,
        escaped(column.title),
    );
    svg
}

/// Name, bar, spread and value of one row: least, median, most.
fn bar(svg: &mut String, axis: &Axis, y: f64, (name, [least, median, most]): &(&str, [f64; 3])) {
    let middle = y + BAR / 2.0;
    let fill = if *name == "gamewire" { "#2f6db3" } else { "#b0b8c0" };
    let (end, width) = (axis.x(*most), (axis.x(*median) - LABELS).max(1.0));
    let _ = writeln!(
        svg,
        "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>\
         <rect x=\"{LABELS}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{BAR}\" fill=\"{fill}\"/>\
         <line x1=\"{:.1}\" x2=\"{end:.1}\" y1=\"{middle:.1}\" y2=\"{middle:.1}\" stroke=\"black\"/>\
         <text x=\"{:.1}\" y=\"{:.1}\">{median:.3}</text>",
        LABELS - 8.0,
        middle + 4.0,
        escaped(name),
        axis.x(*least),
        end + 6.0,
        middle + 4.0,
    );
}

fn grid(svg: &mut String, axis: &Axis, height: f64) {
    for decade in 0..=axis.decades as i32 {
        let x = axis.x(10_f64.powf(axis.low + f64::from(decade)));
        let _ = writeln!(
            svg,
            "<line x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{:.1}\" y2=\"{:.1}\" stroke=\"#e0e0e0\"/>",
            TOP - 6.0,
            height - BOTTOM + 6.0,
        );
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cases::CASES;

    #[test]
    fn bars_grow_with_their_values() {
        let spread = |median: f64| Spread { median, least: median * 0.9, most: median * 1.1 };
        let svg = bars(&CASES[0], &[("gamewire", spread(1e9)), ("a<b", spread(1e8))]);
        assert!(svg.starts_with("<svg") && svg.ends_with("</svg>\n"));
        assert!(svg.contains("a&lt;b") && svg.contains("1000.000"));
        let axis = Axis::around([1.0, 1000.0].into_iter());
        assert!(axis.x(1000.0) > axis.x(10.0) && axis.x(10.0) > axis.x(1.0));
    }

    #[test]
    fn nothing_is_no_number() {
        let svg = bars(&CASES[0], &[("gamewire", Spread { median: 0.0, least: 0.0, most: 0.0 })]);
        assert!(!svg.contains("NaN") && !svg.contains("inf"));
    }
}
