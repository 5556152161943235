//! Means over cases with their spread.

use samora_engine::random::Stream;
use serde::{Deserialize, Serialize};

/// Resamples of the bootstrap.
const RESAMPLES: usize = 2000;

/// Fewer cases have no confidence interval.
const FEWEST_CASES: usize = 3;

/// A mean over cases. Cases where the value is undefined are left out and not counted.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Spread {
    /// Cases in which the value is defined.
    pub cases: usize,
    /// Mean; `None` without cases.
    pub mean: Option<f64>,
    /// Sample standard deviation over the cases; `None` with fewer than two.
    pub sd: Option<f64>,
    /// 95 % confidence interval of the mean, from the percentiles of 2000 bootstrap resamples of the
    /// cases; `None` with fewer than three.
    pub ci95: Option<[f64; 2]>,
}

impl Spread {
    /// `mean ± sd` with this many decimals; `–` without cases.
    pub fn text(&self, decimals: usize) -> String {
        match (self.mean, self.sd) {
            (None, _) => "–".into(),
            (Some(mean), None) => format!("{mean:.decimals$}"),
            (Some(mean), Some(sd)) => format!("{mean:.decimals$} ± {sd:.decimals$}"),
        }
    }

    /// `[low, high]` of the confidence interval with this many decimals; `–` without.
    pub fn interval(&self, decimals: usize) -> String {
        match self.ci95 {
            None => "–".into(),
            Some([low, high]) => format!("[{low:.decimals$}, {high:.decimals$}]"),
        }
    }
}

/// Cases drawn with replacement, the same for every metric and in every run.
#[derive(Clone, Debug)]
pub struct Bootstrap {
    resamples: Vec<Vec<usize>>,
}

impl Bootstrap {
    /// Draws from `cases` cases.
    pub fn of(cases: usize) -> Self {
        let mut stream = Stream::named(1, "bootstrap");
        let mut draw = || (0..cases).map(|_| stream.below(cases)).collect();
        let count = match cases {
            FEWEST_CASES.. => RESAMPLES,
            _ => 0,
        };
        Self {
            resamples: (0..count).map(|_| draw()).collect(),
        }
    }

    /// Spread of the mean over the classes of their means over the cases; `values[class][case]` is `None`
    /// where undefined. The deviation is that of the cases' means over their classes.
    pub fn spread(&self, values: &[Vec<Option<f64>>]) -> Spread {
        let cases = values.first().map_or(0, Vec::len);
        let in_case = |case: usize| mean(values.iter().filter_map(|class| class[case]));
        let defined: Vec<f64> = (0..cases).filter_map(in_case).collect();
        let over = |drawn: &mut dyn Iterator<Item = usize>| -> Option<f64> {
            let drawn: Vec<usize> = drawn.collect();
            let of_class = |class: &Vec<Option<f64>>| mean(drawn.iter().filter_map(|&c| class[c]));
            mean(values.iter().filter_map(of_class))
        };
        Spread {
            cases: defined.len(),
            mean: over(&mut (0..cases)),
            sd: sample_deviation(&defined),
            ci95: (defined.len() >= FEWEST_CASES).then(|| {
                let means = self.resamples.iter();
                let mut means: Vec<f64> = means
                    .filter_map(|drawn| over(&mut drawn.iter().copied()))
                    .collect();
                [2.5, 97.5].map(|q| percentile(&mut means, q))
            }),
        }
    }
}

/// The mean; `None` of nothing.
pub fn mean(values: impl IntoIterator<Item = f64>) -> Option<f64> {
    let (sum, count) = values
        .into_iter()
        .fold((0.0, 0), |(sum, count), value| (sum + value, count + 1));
    (count > 0).then(|| sum / f64::from(count))
}

/// The standard deviation with n − 1; `None` of fewer than two values.
pub fn sample_deviation(values: &[f64]) -> Option<f64> {
    let mean = mean(values.iter().copied())?;
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    (values.len() > 1).then(|| (squares / (values.len() - 1) as f64).sqrt())
}

/// Percentile `q` in 0…100 with linear interpolation between order statistics (numpy's default); NaN of
/// nothing. Reorders `values`.
pub fn percentile(values: &mut [f64], q: f64) -> f64 {
    let Some(last) = values.len().checked_sub(1) else {
        return f64::NAN;
    };
    let position = (q / 100.0).clamp(0.0, 1.0) * last as f64;
    let (_, &mut low, above) =
        values.select_nth_unstable_by(position.floor() as usize, f64::total_cmp);
    let high = above.iter().copied().min_by(f64::total_cmp).unwrap_or(low);
    low + (high - low) * position.fract()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn percentile_interpolates_like_numpy() {
        assert!((percentile(&mut [10.0, 1.0, 3.0, 2.0, 4.0], 95.0) - 8.8).abs() < 1e-12);
        assert_eq!(percentile(&mut [7.0], 95.0), 7.0);
        assert_eq!(percentile(&mut [2.0, 1.0], 100.0), 2.0);
        assert!(percentile(&mut [], 95.0).is_nan());
    }

    #[test]
    fn undefined_cases_are_left_out() {
        let values = [vec![Some(1.0), None, Some(3.0)], vec![None; 3]];
        let found = Bootstrap::of(3).spread(&values);
        let deviation = 2.0_f64.sqrt();
        assert_eq!((found.cases, found.mean), (2, Some(2.0)));
        assert!((found.sd.unwrap() - deviation).abs() < 1e-12);
        assert_eq!(found.ci95, None);
        assert_eq!(
            (found.text(2), found.interval(2)),
            ("2.00 ± 1.41".into(), "–".into())
        );
        assert_eq!(Bootstrap::of(3).spread(&[vec![None; 3]]), Spread::default());
    }

    #[test]
    fn the_interval_of_many_cases_is_the_normal_one() {
        let mut stream = Stream::named(3, "scores");
        let values: Vec<_> = (0..200).map(|_| Some(f64::from(stream.normal()))).collect();
        let found = Bootstrap::of(200).spread(&[values]);
        let half = 1.96 * found.sd.unwrap() / 200_f64.sqrt();
        let [low, high] = found.ci95.unwrap();
        assert!((low - (found.mean.unwrap() - half)).abs() < 0.1 * half);
        assert!((high - (found.mean.unwrap() + half)).abs() < 0.1 * half);
    }
}
