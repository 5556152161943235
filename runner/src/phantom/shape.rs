//! Solids in millimetres, right–anterior–superior from the centre of the body.

/// A point or vector in millimetres.
pub(super) type Point = [f32; 3];

/// A solid given by a level that is below 1 inside and grows outwards.
#[derive(Clone, Debug)]
pub(super) enum Shape {
    /// Ellipsoid with half axes, turned by `yaw` about the superior axis, then by `roll` about the
    /// anterior axis (radians).
    Ellipsoid {
        centre: Point,
        half: Point,
        yaw: f32,
        roll: f32,
    },
    /// Chain of segments with a radius at each point: (right, anterior, superior, radius).
    Tube(Vec<[f32; 4]>),
}

impl Shape {
    /// Below 1 inside, about 1 on the surface.
    pub(super) fn level(&self, p: Point) -> f32 {
        match self {
            Self::Ellipsoid {
                centre,
                half,
                yaw,
                roll,
            } => {
                let d = [p[0] - centre[0], p[1] - centre[1], p[2] - centre[2]];
                let (sin, cos) = yaw.sin_cos();
                let d = [cos * d[0] + sin * d[1], cos * d[1] - sin * d[0], d[2]];
                let (sin, cos) = roll.sin_cos();
                let d = [cos * d[0] + sin * d[2], d[1], cos * d[2] - sin * d[0]];
                let ratio = |axis: usize| d[axis] / half[axis];
                (ratio(0).powi(2) + ratio(1).powi(2) + ratio(2).powi(2)).sqrt()
            }
            Self::Tube(points) => points
                .windows(2)
                .map(|pair| segment_level(pair[0], pair[1], p))
                .fold(f32::INFINITY, f32::min),
        }
    }

    /// Lowest and highest corner of a box that holds the solid.
    pub(super) fn bounds(&self) -> (Point, Point) {
        match self {
            Self::Ellipsoid { centre, half, .. } => {
                let reach = half[0].max(half[1]).max(half[2]);
                (centre.map(|c| c - reach), centre.map(|c| c + reach))
            }
            Self::Tube(points) => {
                let mut low = [f32::INFINITY; 3];
                let mut high = [f32::NEG_INFINITY; 3];
                for point in points {
                    for axis in 0..3 {
                        low[axis] = low[axis].min(point[axis] - point[3]);
                        high[axis] = high[axis].max(point[axis] + point[3]);
                    }
                }
                (low, high)
            }
        }
    }
}

fn segment_level(a: [f32; 4], b: [f32; 4], p: Point) -> f32 {
    let along = [b[0] - a[0], b[1] - a[1], b[2] - a[2]];
    let from = [p[0] - a[0], p[1] - a[1], p[2] - a[2]];
    let dot = |u: [f32; 3], v: [f32; 3]| u[0] * v[0] + u[1] * v[1] + u[2] * v[2];
    let t = (dot(from, along) / dot(along, along).max(1e-6)).clamp(0.0, 1.0);
    let off = [0, 1, 2].map(|axis| from[axis] - t * along[axis]);
    dot(off, off).sqrt() / (a[3] + t * (b[3] - a[3])).max(1e-3)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_one_on_the_surface() {
        let ellipsoid = Shape::Ellipsoid {
            centre: [10.0, 0.0, 0.0],
            half: [4.0, 2.0, 3.0],
            yaw: std::f32::consts::FRAC_PI_2,
            roll: 0.0,
        };
        // A quarter turn puts the long half axis along anterior.
        assert!((ellipsoid.level([10.0, 4.0, 0.0]) - 1.0).abs() < 1e-5);
        assert!((ellipsoid.level([12.0, 0.0, 0.0]) - 1.0).abs() < 1e-5);
        let tube = Shape::Tube(vec![[0.0, 0.0, 0.0, 1.0], [0.0, 0.0, 10.0, 3.0]]);
        assert!((tube.level([2.0, 0.0, 5.0]) - 1.0).abs() < 1e-5);
        assert!(tube.level([0.0, 0.0, 14.0]) > 1.0);
        assert_eq!(tube.bounds(), ([-3.0, -3.0, -1.0], [3.0, 3.0, 13.0]));
    }
}
