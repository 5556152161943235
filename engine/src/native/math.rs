//! The functions of expressions in f32, without branches, so that loops over them become vectors. The polynomials
//! are those of Cephes, and of the shaders for erf and tanh.

use std::f64::consts::{FRAC_2_PI, FRAC_PI_2};

use samora_shaders::{Binary, Unary};

/// Adding it rounds an f32 to an integer, which is then in the low bits.
const ROUND: f32 = 12_582_912.0;
/// The same for f64.
const ROUND_LONG: f64 = 6_755_399_441_055_744.0;
/// What f64 misses of π/2.
const HALF_PI_REST: f64 = 6.123_233_995_736_766e-17;

/// A function of one number.
pub(super) fn unary(f: Unary, x: f32) -> f32 {
    match f {
        Unary::Neg => -x,
        Unary::Exp => exp(x),
        Unary::Log => log(x),
        Unary::Sqrt => x.sqrt(),
        Unary::Abs => x.abs(),
        Unary::Sin => sin(x),
        Unary::Cos => cos(x),
        Unary::Tanh => tanh(x),
        Unary::Erf => erf(x),
        Unary::Floor => x.floor(),
    }
}

/// A function of two numbers.
pub(super) fn binary(f: Binary, a: f32, b: f32) -> f32 {
    match f {
        Binary::Add => a + b,
        Binary::Sub => a - b,
        Binary::Mul => a * b,
        Binary::Div => a / b,
        Binary::Max => a.max(b),
        Binary::Pow => pow(a, b),
        Binary::Eq => truth(a == b),
        Binary::Lt => truth(a < b),
    }
}

/// 1 or 0.
#[inline(always)]
pub(super) fn truth(condition: bool) -> f32 {
    f32::from(u8::from(condition))
}

/// eˣ = 2ⁿ·eʳ with |r| ≤ ln 2 / 2.
#[inline(always)]
pub(super) fn exp(x: f32) -> f32 {
    let x = x.clamp(-104.0, 89.0);
    let shifted = x.mul_add(std::f32::consts::LOG2_E, ROUND);
    let n = shifted - ROUND;
    let r = n.mul_add(-0.693_359_4, x);
    let r = n.mul_add(2.121_944_4e-4, r);
    let p = 1.987_569_1e-4f32;
    let p = p.mul_add(r, 1.398_199_9e-3);
    let p = p.mul_add(r, 8.333_452e-3);
    let p = p.mul_add(r, 4.166_579_6e-2);
    let p = p.mul_add(r, 1.666_666_5e-1);
    let p = p.mul_add(r, 5e-1);
    let y = (p * r).mul_add(r, r) + 1.0;
    // In two factors, so that neither overflows where the result does not.
    let n = (shifted.to_bits() as i32).wrapping_sub(ROUND.to_bits() as i32);
    let power = |n: i32| f32::from_bits((n.wrapping_add(127) as u32) << 23);
    y * power(n >> 1) * power(n.wrapping_sub(n >> 1))
}

/// ln x = e·ln 2 + ln m with m from √½ to √2.
#[inline(always)]
pub(super) fn log(x: f32) -> f32 {
    let small = x < f32::MIN_POSITIVE;
    let scaled = if small { x * 8_388_608.0 } else { x };
    let bits = scaled.to_bits().wrapping_sub(0x3f35_04f3);
    let e = ((bits as i32) >> 23) as f32 - if small { 23.0 } else { 0.0 };
    let f = f32::from_bits((bits & 0x007f_ffff) + 0x3f35_04f3) - 1.0;
    let z = f * f;
    let p = 7.037_683_6e-2f32;
    let p = p.mul_add(f, -1.151_461e-1);
    let p = p.mul_add(f, 1.167_699_87e-1);
    let p = p.mul_add(f, -1.242_014_1e-1);
    let p = p.mul_add(f, 1.424_932_3e-1);
    let p = p.mul_add(f, -1.666_805_7e-1);
    let p = p.mul_add(f, 2.000_071_4e-1);
    let p = p.mul_add(f, -2.499_999_4e-1);
    let p = p.mul_add(f, 3.333_333e-1);
    let y = (f * z).mul_add(p, e * -2.121_944_4e-4);
    let y = z.mul_add(-0.5, y);
    let y = e.mul_add(0.693_359_4, f + y);
    let y = if x == f32::INFINITY { x } else { y };
    let y = if x == 0.0 { f32::NEG_INFINITY } else { y };
    if x >= 0.0 { y } else { f32::NAN }
}

#[inline(always)]
pub(super) fn sin(x: f32) -> f32 {
    let (r, quadrant) = quarter(x);
    let y = if quadrant & 1 == 0 {
        sine(r)
    } else {
        cosine(r)
    };
    if quadrant & 2 == 0 { y } else { -y }
}

#[inline(always)]
pub(super) fn cos(x: f32) -> f32 {
    let (r, quadrant) = quarter(x);
    let y = if quadrant & 1 == 0 {
        cosine(r)
    } else {
        sine(r)
    };
    if quadrant.wrapping_add(1) & 2 == 0 {
        y
    } else {
        -y
    }
}

/// x = r + quadrant·π/2 with |r| ≤ π/4.
#[inline(always)]
fn quarter(x: f32) -> (f32, u32) {
    let x = f64::from(x);
    let shifted = x.mul_add(FRAC_2_PI, ROUND_LONG);
    let n = shifted - ROUND_LONG;
    let r = n.mul_add(-FRAC_PI_2, x);
    let r = n.mul_add(-HALF_PI_REST, r);
    (r as f32, shifted.to_bits() as u32)
}

#[inline(always)]
fn sine(r: f32) -> f32 {
    let z = r * r;
    let p = (-1.951_529_6e-4f32).mul_add(z, 8.332_161e-3);
    let p = p.mul_add(z, -1.666_665_5e-1);
    (p * z).mul_add(r, r)
}

#[inline(always)]
fn cosine(r: f32) -> f32 {
    let z = r * r;
    let p = 2.443_315_7e-5f32.mul_add(z, -1.388_731_6e-3);
    let p = p.mul_add(z, 4.166_664_6e-2);
    (p * z).mul_add(z, z.mul_add(-0.5, 1.0))
}

#[inline(always)]
pub(super) fn tanh(x: f32) -> f32 {
    let t = x.abs().min(10.0);
    let s = t * t;
    let p = (-5.704_988_7e-3f32).mul_add(s, 2.063_908_8e-2);
    let p = p.mul_add(s, -5.373_971_6e-2);
    let p = p.mul_add(s, 1.333_144_2e-1);
    let p = p.mul_add(s, -3.333_328e-1);
    let inner = (p * s).mul_add(t, t);
    let outer = 1.0 - 2.0 / (exp(2.0 * t) + 1.0);
    signed(x, if t > 0.625 { outer } else { inner })
}

#[inline(always)]
pub(super) fn erf(x: f32) -> f32 {
    let t = x.abs().min(4.0);
    let s = t * t;
    let p = (-5.967_617e-4f32).mul_add(s, 4.991_194_2e-3);
    let p = p.mul_add(s, -2.676_813_5e-2);
    let p = p.mul_add(s, 1.128_199_25e-1);
    let p = p.mul_add(s, -3.761_253_4e-1);
    let p = p.mul_add(s, 1.283_791_7e-1);
    let inner = p.mul_add(t, t);
    let p = (-1.728_534_7e-5f32).mul_add(t, 3.831_972e-4);
    let p = p.mul_add(s, (-3.883_964e-3f32).mul_add(t, 2.425_462_2e-2));
    let p = p.mul_add(t, -1.067_778_8e-1);
    let p = p.mul_add(t, -6.348_467e-1);
    let p = p.mul_add(t, -1.287_175_1e-1);
    let outer = 1.0 - exp(p.mul_add(t, -t));
    signed(x, if t > 0.927_734_4 { outer } else { inner })
}

/// The magnitude with the sign of `x`; what is not a number stays so.
#[inline(always)]
fn signed(x: f32, magnitude: f32) -> f32 {
    let y = magnitude.copysign(x);
    if x.is_nan() { x } else { y }
}

/// aᵇ for a > 0, else 0.
#[inline(always)]
pub(super) fn pow(a: f32, b: f32) -> f32 {
    if a <= 0.0 { 0.0 } else { a.powf(b) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Largest error in units of the last place of `exact`, over numbers from `low` to `high`.
    fn ulps(f: fn(f32) -> f32, exact: fn(f64) -> f64, low: f32, high: f32) -> f64 {
        let count = 200_000;
        let numbers = (0..=count).map(|k| low + (high - low) * (k as f32 / count as f32));
        numbers.fold(0.0, |worst: f64, x| {
            let want = exact(f64::from(x));
            let last = f64::from((want as f32).abs().max(f32::MIN_POSITIVE).next_up())
                - f64::from((want as f32).abs().max(f32::MIN_POSITIVE));
            let off = (f64::from(f(x)) - want).abs() / last;
            if off > worst || off.is_nan() {
                off
            } else {
                worst
            }
        })
    }

    #[test]
    fn functions_are_accurate_to_a_few_units_of_the_last_place() {
        let check = |name, worst: f64, most: f64| {
            println!("{name}: {worst:.2} ulp");
            assert!(worst <= most, "{name} is off by {worst} ulp");
        };
        check("exp", ulps(exp, f64::exp, -87.0, 88.7), 1.5);
        check(
            "exp of the smallest",
            ulps(exp, f64::exp, -103.0, -87.0),
            1.5,
        );
        check("log", ulps(log, f64::ln, 1e-6, 0.9), 1.5);
        check("log about 1", ulps(log, f64::ln, 0.9, 1.1), 1.5);
        check("log of large numbers", ulps(log, f64::ln, 1.1, 3e38), 1.5);
        check("log of the smallest", ulps(log, f64::ln, 1e-45, 1e-38), 1.5);
        check("tanh", ulps(tanh, f64::tanh, -12.0, 12.0), 3.0);
        check("erf", ulps(erf, libm::erf, -5.0, 5.0), 3.0);
        check("sin", ulps(sin, f64::sin, -3.0, 3.0), 2.0);
        check("cos", ulps(cos, f64::cos, -1.5, 1.5), 2.0);
        let off = |f: fn(f32) -> f32, exact: fn(f64) -> f64| {
            let numbers = (0..100_000).map(|k| k as f32 * 1.618_034 - 80_000.0);
            numbers.fold(0.0f64, |m, x| {
                m.max((f64::from(f(x)) - exact(f64::from(x))).abs())
            })
        };
        check("sin of large numbers", off(sin, f64::sin) * 1e7, 2.0);
        check("cos of large numbers", off(cos, f64::cos) * 1e7, 2.0);
    }

    #[test]
    fn limits_are_kept() {
        assert_eq!(exp(-1e30), 0.0);
        assert_eq!(exp(100.0), f32::INFINITY);
        assert_eq!(exp(0.0), 1.0);
        assert_eq!(log(0.0), f32::NEG_INFINITY);
        assert_eq!(log(f32::INFINITY), f32::INFINITY);
        assert_eq!(log(1.0), 0.0);
        assert_eq!((tanh(50.0), erf(-50.0)), (1.0, -1.0));
        assert_eq!((pow(0.0, 2.0), pow(2.0, 3.0)), (0.0, 8.0));
        assert!(log(-1.0).is_nan());
        for f in [exp, log, sin, cos, tanh, erf] {
            assert!(f(f32::NAN).is_nan());
        }
    }
}
