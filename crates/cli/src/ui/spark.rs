//! A row of figures as a row of little bars.

use super::style::Style;

const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
const ASCII: [char; 8] = ['_', '.', '-', '=', '+', '*', '#', '@'];

/// One bar a figure, the highest of them full height.
pub(crate) fn spark(figures: impl IntoIterator<Item = u64> + Clone, style: Style) -> String {
    let bars = if style.plain { ASCII } else { BARS };
    let most = figures.clone().into_iter().max().unwrap_or(0).max(1);
    figures
        .into_iter()
        .map(|figure| {
            // 0 is the lowest bar, the most the highest; anything else is never the lowest.
            let height = (figure * 7).div_ceil(most).min(7);
            bars[height as usize]
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_follow_the_figures() {
        assert_eq!(spark([0, 1, 50, 100], Style { plain: false }), "▁▂▅█");
        assert_eq!(spark([0, 0], Style { plain: false }), "▁▁");
        assert_eq!(spark([0, 100], Style { plain: true }), "_@");
    }
}
