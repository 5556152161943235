//! WGSL functions that emitted modules call.

/// A WGSL function of the prelude.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Helper {
    /// Error function.
    Erf,
    /// Hyperbolic tangent that saturates.
    Tanh,
    /// Power of a number that is not negative.
    Pow,
    /// Counter-based uniform number.
    Uniform,
}

impl Helper {
    /// Name of the function.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Erf => "erf",
            Self::Tanh => "tanh_saturating",
            Self::Pow => "pow_nonnegative",
            Self::Uniform => "uniform_at",
        }
    }

    /// Text of the function.
    pub(crate) fn text(self) -> &'static str {
        match self {
            Self::Erf => ERF,
            Self::Tanh => TANH,
            Self::Pow => POW,
            Self::Uniform => UNIFORM,
        }
    }

    /// Text of the function of vec4 that applies it to each component.
    pub(crate) fn quad_text(self) -> String {
        let name = self.name();
        let parameters = if self == Self::Pow {
            vec!["a", "b"]
        } else {
            vec!["x"]
        };
        let typed: Vec<String> = parameters
            .iter()
            .map(|p| format!("{p}: vec4<f32>"))
            .collect();
        let parts = ["x", "y", "z", "w"].map(|c| {
            let arguments: Vec<String> = parameters.iter().map(|p| format!("{p}.{c}")).collect();
            format!("{name}({})", arguments.join(", "))
        });
        format!(
            "fn {name}_quad({}) -> vec4<f32> {{\n    return vec4<f32>({});\n}}\n",
            typed.join(", "),
            parts.join(", ")
        )
    }
}

/// Below 0.93 an odd polynomial; above, 1 − exp of a polynomial fit of ln(1 − erf).
/// Coefficients: N. Juffa, minimax fits published with CUDA's `erff`; within 2 ulp.
const ERF: &str = "\
fn erf(x: f32) -> f32 {
    let t = min(abs(x), 4.0f);
    let s = t * t;
    var inner = fma(-5.96761703e-4f, s, 4.99119423e-3f);
    inner = fma(inner, s, -2.67681349e-2f);
    inner = fma(inner, s, 1.12819925e-1f);
    inner = fma(inner, s, -3.76125336e-1f);
    inner = fma(inner, s, 1.28379166e-1f);
    inner = fma(inner, t, t);
    var outer = fma(fma(-1.72853470e-5f, t, 3.83197126e-4f), s, fma(-3.88396438e-3f, t, 2.42546219e-2f));
    outer = fma(outer, t, -1.06777877e-1f);
    outer = fma(outer, t, -6.34846687e-1f);
    outer = fma(outer, t, -1.28717512e-1f);
    outer = 1.0f - exp(fma(outer, t, -t));
    let magnitude = select(inner, outer, t > 0.927734375f);
    return select(magnitude, -magnitude, x < 0.0f);
}
";

/// Below 0.625 the odd polynomial of Cephes' `tanhf`; above, 1 − 2 / (e²ˣ + 1), which cannot overflow
/// because tanh is 1 in f32 from 10 on.
const TANH: &str = "\
fn tanh_saturating(x: f32) -> f32 {
    let t = min(abs(x), 10.0f);
    let s = t * t;
    var inner = fma(-5.70498872745e-3f, s, 2.06390887954e-2f);
    inner = fma(inner, s, -5.37397155531e-2f);
    inner = fma(inner, s, 1.33314422036e-1f);
    inner = fma(inner, s, -3.33332819422e-1f);
    inner = fma(inner * s, t, t);
    let outer = 1.0f - 2.0f / (exp(2.0f * t) + 1.0f);
    let magnitude = select(inner, outer, t > 0.625f);
    return select(magnitude, -magnitude, x < 0.0f);
}
";

const POW: &str = "\
fn pow_nonnegative(a: f32, b: f32) -> f32 {
    if a <= 0.0f {
        return 0.0f;
    }
    return pow(a, b);
}
";

/// The same arithmetic as [`crate::uniform`].
const UNIFORM: &str = "\
fn mix_bits(bits: u32) -> u32 {
    var x = bits;
    x ^= x >> 16u;
    x *= 0x7feb352du;
    x ^= x >> 15u;
    x *= 0x846ca68bu;
    return x ^ (x >> 16u);
}

fn uniform_at(key: vec2<u32>, site: u32, index: u32) -> f32 {
    let first = mix_bits(key.x ^ mix_bits(site ^ 0x9e3779b9u));
    let second = mix_bits(key.y ^ mix_bits(site ^ 0x85ebca6bu));
    return f32(mix_bits(mix_bits(index ^ first) ^ second) >> 8u) * 5.9604645e-8f;
}
";
