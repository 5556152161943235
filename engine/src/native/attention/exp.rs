//! Functions of vectors of numbers.

use pulp::Simd;

/// Below, `exp` is less than the least normal number and counts as 0.
const LEAST: f32 = -87.336_54;
/// Above, `exp` is infinity: 2^128 is, though a little more would fit.
const MOST: f32 = 89.0;
/// Added to a number below 2^22 it leaves the nearest integer in the lowest bits.
const ROUND: f32 = 12_582_912.0;
/// `ln 2` as a number of few bits, whose products with integers are exact, and the rest.
const LN_2: [f32; 2] = [0.693_359_4, -2.121_944_4e-4];
/// `(exp(r) − 1 − r) / r²` for `|r| ≤ ln 2 / 2`, from the highest power (Cephes).
const EXP: [f32; 6] = [
    1.987_569_1e-4,
    1.398_199_9e-3,
    8.333_452e-3,
    4.166_579_6e-2,
    1.666_666_5e-1,
    5.0e-1,
];

/// `exp(x)`, to 2 units in the last place.
#[inline(always)]
pub(super) fn exp<S: Simd>(simd: S, x: S::f32s) -> S::f32s {
    let number = |v: f32| simd.splat_f32s(v);
    // Of two operands the second is kept if one is not a number.
    let bounded = simd.max_f32s(number(LEAST - 1.0), simd.min_f32s(number(MOST), x));
    let shifted = simd.mul_add_e_f32s(bounded, number(std::f32::consts::LOG2_E), number(ROUND));
    let power = simd.sub_f32s(shifted, number(ROUND));
    let rest = simd.mul_add_e_f32s(power, number(-LN_2[0]), bounded);
    let rest = simd.mul_add_e_f32s(power, number(-LN_2[1]), rest);
    let mut series = number(EXP[0]);
    for &factor in &EXP[1..] {
        series = simd.mul_add_e_f32s(series, rest, number(factor));
    }
    let square = simd.mul_f32s(rest, rest);
    let series = simd.mul_add_e_f32s(series, square, simd.add_f32s(rest, number(1.0)));
    let exponent = simd.add_u32s(
        simd.transmute_u32s_f32s(shifted),
        simd.splat_u32s(127u32.wrapping_sub(ROUND.to_bits())),
    );
    let exponent = simd.wrapping_dyn_shl_u32s(exponent, simd.splat_u32s(23));
    let value = simd.mul_f32s(series, simd.transmute_f32s_u32s(exponent));
    simd.select_f32s(simd.less_than_f32s(x, number(LEAST)), number(0.0), value)
}

#[cfg(test)]
mod tests {
    use pulp::{Arch, Simd, WithSimd};

    struct Exp<'a>(&'a [f32]);

    impl WithSimd for Exp<'_> {
        type Output = Vec<f32>;

        fn with_simd<S: Simd>(self, simd: S) -> Vec<f32> {
            let one = |&x: &f32| {
                let y = super::exp(simd, simd.splat_f32s(x));
                simd.reduce_max_f32s(y)
            };
            self.0.iter().map(one).collect()
        }
    }

    #[test]
    fn exp_is_within_two_units_of_the_last_place() {
        let xs: Vec<f32> = (-87_300..88_300).map(|i| i as f32 * 1.0007e-3).collect();
        let xs: Vec<f32> = xs
            .into_iter()
            .filter(|x| (-87.3..88.37).contains(x))
            .collect();
        for scalar in [false, true] {
            let got = match scalar {
                true => Exp(&xs).with_simd(pulp::Scalar::new()),
                false => Arch::new().dispatch(Exp(&xs)),
            };
            for (x, got) in xs.iter().zip(got) {
                let want = f64::from(*x).exp();
                let unit = f64::from((want as f32).next_up()) - f64::from(want as f32);
                let off = (f64::from(got) - want).abs() / unit;
                assert!(off <= 2.0, "exp({x}) is {got}, not {want}: {off} units");
            }
        }
    }

    #[test]
    fn exp_at_the_ends() {
        let got = Arch::new().dispatch(Exp(&[0.0, -88.0, f32::MIN, f32::NEG_INFINITY, 89.0]));
        assert_eq!(got, [1.0, 0.0, 0.0, 0.0, f32::INFINITY]);
        let got = Arch::new().dispatch(Exp(&[f32::NAN]));
        assert!(got[0].is_nan());
    }
}
