//! Where NRRD's fields place the axes.

use super::Fields;
use crate::data::error::Result;
use crate::data::formats::channels::{Channels, Order};
use crate::data::formats::text_header::LPS;

impl Fields<'_> {
    /// The direction of each axis in space; `None` for one that has none, such as a list of values. Without
    /// directions the axes follow those of the space.
    pub(super) fn directions(&self, sizes: &[u64]) -> Result<Vec<Option<[f64; 3]>>> {
        let dimension = sizes.len();
        if self.get("space directions").is_some() {
            let found = self.vectors("space directions")?;
            if found.len() != dimension {
                let problem = format!("{} directions for {dimension} axes", found.len());
                return Err(self.refuse("space directions", problem));
            }
            return Ok(found);
        }
        let spacings: Vec<f64> = self.numbers("spacings")?;
        let kinds = self.word("kinds");
        let kinds: Vec<&str> = kinds.split_whitespace().collect();
        let (mut along, mut spare) = (0, dimension.saturating_sub(3));
        let directions = (0..dimension).map(|axis| {
            // Of three axes or fewer all are taken to lie in space, whatever their kind.
            let is_beside = match kinds.get(axis) {
                None => sizes[axis] == 1 || spacings.get(axis).is_some_and(|s| s.is_nan()),
                Some(kind) => !matches!(*kind, "domain" | "space" | "???" | "none"),
            };
            if along == 3 || (spare > 0 && is_beside) {
                spare = spare.saturating_sub(1);
                return None;
            }
            let mut direction = [0.0; 3];
            // NaN: the spacing is not known.
            direction[along] = match spacings.get(axis) {
                Some(spacing) if !spacing.is_nan() => *spacing,
                _ => 1.0,
            };
            along += 1;
            Some(direction)
        });
        Ok(directions.collect())
    }

    /// The axes of the slice or volume, which are those that have a direction, and the values in each voxel along one
    /// that has none.
    pub(super) fn axes(
        &self,
        sizes: &[u64],
        directions: &[Option<[f64; 3]>],
    ) -> Result<(Vec<usize>, Channels)> {
        let (inside, beside): (Vec<usize>, Vec<usize>) =
            (0..sizes.len()).partition(|axis| directions[*axis].is_some());
        let beside: Vec<usize> = beside.into_iter().filter(|a| sizes[*a] != 1).collect();
        let (count, order) = match beside[..] {
            [] => (1, Order::Volumes),
            [axis] if inside.iter().all(|other| *other < axis) => (sizes[axis], Order::Volumes),
            [axis] if inside.iter().all(|other| *other > axis) => (sizes[axis], Order::Voxels),
            _ => {
                let problem = format!(
                    "{sizes:?}: values in each voxel along an axis between those of space, or along several; save \
                     the file with one axis of values, the first or the last"
                );
                return Err(self.refuse("sizes", problem));
            }
        };
        Ok((inside, self.channels("sizes", count, order)?))
    }

    /// Stored voxels to RAS+ millimetres, of axes with these directions. Without a space it is taken for left,
    /// posterior, superior.
    pub(super) fn affine(
        &self,
        directions: impl Iterator<Item = Option<[f64; 3]>>,
    ) -> Result<[[f64; 4]; 4]> {
        let flips = match self.word("space").as_str() {
            "" | "left-posterior-superior" | "lps" => LPS,
            "left-anterior-superior" | "las" => [-1.0, 1.0, 1.0],
            "right-anterior-superior" | "ras" => [1.0, 1.0, 1.0],
            other => {
                let problem = format!(
                    "`{other}` says nothing of the patient; use left-posterior-superior or RAS"
                );
                return Err(self.refuse("space", problem));
            }
        };
        let origin = match self.get("space origin") {
            None => [0.0; 3],
            Some(_) => match self.vectors("space origin")?[..] {
                [Some(origin)] => origin,
                _ => return Err(self.refuse("space origin", "is not one vector")),
            },
        };
        let mut affine = [[0.0; 4]; 4];
        affine[3][3] = 1.0;
        for (column, direction) in directions.flatten().take(3).enumerate() {
            for row in 0..3 {
                affine[row][column] = flips[row] * direction[row];
            }
        }
        for row in 0..3 {
            affine[row][3] = flips[row] * origin[row];
        }
        Ok(affine)
    }

    /// Vectors as in `(1,0,0) none (0,1,0)`.
    fn vectors(&self, name: &'static str) -> Result<Vec<Option<[f64; 3]>>> {
        let text = self.get(name).unwrap_or_default();
        let mut rest = text;
        let mut vectors = Vec::new();
        while !rest.is_empty() {
            let found = match rest.strip_prefix("none") {
                Some(behind) => Some((None, behind)),
                None => vector(rest).map(|(vector, behind)| (Some(vector), behind)),
            };
            let (vector, behind) = found.ok_or_else(|| {
                self.refuse(name, format!("`{text}` is not a list of vectors (a,b,c)"))
            })?;
            vectors.push(vector);
            rest = behind.trim_start();
        }
        Ok(vectors)
    }
}

/// The vector at the beginning of a text, and what follows it.
fn vector(text: &str) -> Option<([f64; 3], &str)> {
    let (numbers, behind) = text.strip_prefix('(')?.split_once(')')?;
    let numbers = numbers.split(',').map(|number| number.trim().parse().ok());
    let numbers: Vec<f64> = numbers.collect::<Option<_>>()?;
    Some((numbers.try_into().ok()?, behind))
}
