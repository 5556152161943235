//! `runner inspect`: what is in a weight file.

use samora_engine::Tensor;
use samora_engine::weights::{Entry, WeightFile};

use crate::cli::InspectArgs;
use crate::error::Result;
use crate::journal::{Table, print_result};

/// Prints every tensor with its shape, type and range, one at a time, so that a file of any size fits
/// into memory.
///
/// # Errors
/// A file that cannot be read, is damaged, or is no weight file.
pub fn inspect(args: &InspectArgs) -> Result<()> {
    let file = WeightFile::open(&args.file)?;
    let mut table = Table::new(&["name", "shape", "dtype", "min", "mean", "max", "NaN"]);
    let mut damaged = 0;
    for (name, entry) in file.entries() {
        let range = Range::of(&file.read(entry)?);
        damaged += usize::from(range.nan > 0);
        table.row(row(name, entry, &range));
    }
    let parameters: usize = file.entries().values().map(Entry::len).sum();
    print_result(format_args!(
        "{}: {}, {} parameters in {} tensors, {}\n",
        args.file.display(),
        file.format().name(),
        grouped(parameters),
        file.entries().len(),
        file.architecture()
    ));
    for (key, text) in file.metadata() {
        print_result(format_args!("  {key}: {text}\n"));
    }
    print_result(format_args!("\n{table}"));
    if damaged > 0 {
        print_result(format_args!(
            "\n{damaged} tensors hold NaN; no stage takes them\n"
        ));
    }
    Ok(())
}

/// What the elements of a tensor are like.
#[derive(Debug, PartialEq)]
struct Range {
    /// Of the elements that are numbers.
    min: f64,
    mean: f64,
    max: f64,
    /// How many are not.
    nan: usize,
}

impl Range {
    fn of(tensor: &Tensor) -> Self {
        let (mut min, mut max, mut sum, mut nan) = (f64::INFINITY, f64::NEG_INFINITY, 0.0, 0);
        let mut look = |x: f64| {
            if x.is_nan() {
                nan += 1;
                return;
            }
            min = min.min(x);
            max = max.max(x);
            sum += x;
        };
        tensor.as_f32().iter().for_each(|&x| look(f64::from(x)));
        tensor.as_u32().iter().for_each(|&x| look(f64::from(x)));
        let count = tensor.len() - nan;
        Self {
            min,
            mean: sum / count as f64,
            max,
            nan,
        }
    }
}

fn row(name: &str, entry: &Entry, range: &Range) -> [String; 7] {
    let extents: Vec<String> = entry.shape.iter().map(usize::to_string).collect();
    let is_empty = entry.len() == range.nan;
    let number = |x: f64| match is_empty {
        true => "–".to_string(),
        false => short(x),
    };
    [
        name.to_string(),
        match extents.is_empty() {
            true => "scalar".into(),
            false => extents.join("×"),
        },
        entry.element.name().to_string(),
        number(range.min),
        number(range.mean),
        number(range.max),
        range.nan.to_string(),
    ]
}

/// Four digits after the point, or a power of ten where they say too little.
fn short(x: f64) -> String {
    match x.abs() {
        0.0 => "0".into(),
        0.001..1e6 => format!("{x:.4}"),
        _ => format!("{x:.3e}"),
    }
}

/// A number with a space between thousands.
fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let groups: Vec<&str> = digits
        .as_bytes()
        .rchunks(3)
        .rev()
        .map(|group| std::str::from_utf8(group).unwrap_or_default())
        .collect();
    groups.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_leave_nan_out() {
        let range = Range::of(&Tensor::f32(&[4], vec![1.0, f32::NAN, -2.0, 4.0]));
        let expected = Range {
            min: -2.0,
            mean: 1.0,
            max: 4.0,
            nan: 1,
        };
        assert_eq!(range, expected);
    }

    #[test]
    fn numbers_are_short() {
        assert_eq!(
            [short(0.0), short(-1.5), short(2e-5)],
            ["0", "-1.5000", "2.000e-5"]
        );
        assert_eq!([grouped(7), grouped(93_735_728)], ["7", "93 735 728"]);
    }
}
