//! The write gaps as a picture: bars on a logarithmic scale, one group a harm, in SVG without any
//! script, for light and dark pages.

use std::fmt::Write;

use super::report::{Comparison, Row, seconds};
use super::{Contender, Harm};

/// The width of all of it, in pixels like everything here.
const WIDTH: f64 = 860.0;
/// Where bars begin: names are left of it.
const LEFT: f64 = 190.0;
/// Room for a bar's figure right of the longest one.
const RIGHT: f64 = 90.0;
/// From one bar to the next.
const STEP: f64 = 22.0;
/// A bar.
const BAR: f64 = 14.0;
/// The title, above everything.
const TOP: f64 = 56.0;
/// The heading of a group, and what is above it.
const HEADING: f64 = 34.0;
/// The axis, below everything.
const BOTTOM: f64 = 44.0;
/// The axis from 10 ms,
const FROM_MS: f64 = 10.0;
/// to 100 s: four powers of ten.
const TO_MS: f64 = 100_000.0;

/// Colours for light and dark pages; readers without them see the browser's own.
const STYLE: &str = "\
text{font:13px system-ui,-apple-system,Segoe UI,Helvetica,Arial,sans-serif;fill:#1f2328}
.t{font-size:16px;font-weight:600}.h{font-weight:600}.s{fill:#59636e;font-size:12px}
.g{stroke:#d1d9e0;stroke-width:1}.o{fill:#1a7f37}.b{fill:#8c959f}
@media (prefers-color-scheme:dark){text{fill:#f0f6fc}.s{fill:#9198a1}.g{stroke:#3d444d}\
.o{fill:#3fb950}.b{fill:#656c76}}";

/// The picture.
pub fn render(comparison: &Comparison) -> String {
    let shown: Vec<Harm> = comparison
        .harms()
        .into_iter()
        .filter(|harm| comparison.of(*harm).any(|row| row.gap().is_some()))
        .collect();
    let bars = shown.iter().map(|harm| comparison.of(*harm).count()).sum::<usize>();
    let end = TOP + HEADING * shown.len() as f64 + STEP * bars as f64;
    let height = end + BOTTOM;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{height}\" \
         viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" aria-label=\"Write gaps side by side\">\n\
         <style>\n{STYLE}\n</style>\n\
         <text class=\"t\" x=\"16\" y=\"26\">Time without an acknowledged write</text>\n\
         <text class=\"s\" x=\"16\" y=\"44\">medians, logarithmic scale; {}, {}</text>\n",
        escaped(&comparison.engine),
        escaped(&comparison.machine.words()),
    );
    axis(&mut svg, end);
    let mut y = TOP;
    for harm in shown {
        let _ = writeln!(
            svg,
            "<text class=\"h\" x=\"16\" y=\"{:.0}\">{}</text>",
            y + HEADING - 10.0,
            escaped(harm.title())
        );
        y += HEADING;
        for row in comparison.of(harm) {
            bar(&mut svg, row, y);
            y += STEP;
        }
    }
    svg.push_str("</svg>\n");
    svg
}

fn axis(svg: &mut String, end: f64) {
    let decades = (TO_MS / FROM_MS).log10().round() as i32;
    for step in 0..=decades {
        let ms = FROM_MS * 10_f64.powi(step);
        let x = x_of(ms);
        let label =
            if ms < 1000.0 { format!("{ms:.0} ms") } else { format!("{:.0} s", ms / 1000.0) };
        let _ = writeln!(
            svg,
            "<line class=\"g\" x1=\"{x:.1}\" y1=\"{TOP}\" x2=\"{x:.1}\" y2=\"{end:.0}\"/>\n\
             <text class=\"s\" x=\"{x:.1}\" y=\"{:.0}\" text-anchor=\"middle\">{label}</text>",
            end + 20.0
        );
    }
}

fn bar(svg: &mut String, row: &Row, y: f64) {
    let class = if row.rival == Contender::Interrex { "o" } else { "b" };
    let middle = y + BAR - 3.0;
    let name = escaped(row.rival.title());
    let _ = writeln!(
        svg,
        "<text x=\"{:.0}\" y=\"{middle:.0}\" text-anchor=\"end\">{name}</text>",
        LEFT - 8.0
    );
    let (width, figure) = match row.gap() {
        Some(gap) => {
            let open = if row.is_closed() { "" } else { "&gt; " };
            (x_of(gap.p50_ms) - LEFT, format!("{open}{}", seconds(gap.p50_ms)))
        }
        None => (0.0, "not measured".to_owned()),
    };
    let _ = writeln!(
        svg,
        "<rect class=\"{class}\" x=\"{LEFT}\" y=\"{y:.0}\" width=\"{width:.1}\" height=\"{BAR}\" \
         rx=\"2\"/>\n<text class=\"s\" x=\"{:.1}\" y=\"{middle:.0}\">{figure}</text>",
        LEFT + width + 6.0
    );
}

/// Where a length lies on the axis; what is beyond its ends lies at them.
fn x_of(ms: f64) -> f64 {
    let part = (ms.clamp(FROM_MS, TO_MS) / FROM_MS).log10() / (TO_MS / FROM_MS).log10();
    LEFT + part * (WIDTH - LEFT - RIGHT)
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::super::report::tests::sample;
    use super::*;

    #[test]
    fn the_scale_is_logarithmic_and_bounded() {
        let whole = WIDTH - LEFT - RIGHT;
        assert!((x_of(10.0) - LEFT).abs() < 1e-9);
        assert!((x_of(1000.0) - LEFT - whole / 2.0).abs() < 1e-9);
        assert!((x_of(1e9) - LEFT - whole).abs() < 1e-9);
        assert!((x_of(0.0) - LEFT).abs() < 1e-9);
    }

    #[test]
    fn the_picture_is_as_it_was() {
        let picture = render(&sample());
        let kept = include_str!("picture/sample.svg");
        // After a wanted change: the new one is what this prints.
        assert!(picture == kept, "another picture:\n{picture}");
    }

    #[test]
    fn a_picture_has_no_script_and_a_bar_for_every_row_that_was_tried() {
        let picture = render(&sample());
        assert!(!picture.contains("<script") && !picture.contains("http-equiv"));
        assert_eq!(picture.matches("<rect").count(), 6, "{picture}");
        assert_eq!(picture.matches("class=\"o\"").count(), 2, "ours stands out");
        assert!(picture.contains("prefers-color-scheme:dark"));
        let opened = picture.matches("<text").count();
        assert_eq!(opened, picture.matches("</text>").count());
    }
}
