//! Convolution layers over `[batch, h, w, channels]`.

use crate::{Graph, Init, Value};

/// Square convolution, `weight [out, in, kernel, kernel]`, with symmetric zero padding of
/// (kernel − 1)/2 when `same`, and `bias [out]` when asked for. Starts uniform in ±1/√(in·kernel²)
/// as in PyTorch.
pub fn conv(
    g: &mut Graph,
    name: &str,
    x: Value,
    out: usize,
    (kernel, stride): (usize, usize),
    same: bool,
    bias: bool,
) -> Value {
    let [_, _, _, inputs] = g.dims(x);
    let init = Init::Uniform(1.0 / ((inputs * kernel * kernel).max(1) as f32).sqrt());
    let pad = if same {
        kernel.saturating_sub(1) / 2
    } else {
        0
    };
    g.within(name, |g| {
        let weight = g.param("weight", &[out, inputs, kernel, kernel], init);
        let bias = bias.then(|| g.param("bias", &[out], init));
        g.conv2d(x, weight, bias, stride, [pad; 4])
    })
}

/// Transposed 2×2 convolution with stride 2, `weight [in, out, 2, 2]`. PyTorch counts `out·4` as the
/// fan-in.
pub fn conv_transpose2x2(g: &mut Graph, name: &str, x: Value, out: usize, bias: bool) -> Value {
    let [_, _, _, inputs] = g.dims(x);
    let init = Init::Uniform(1.0 / ((out * 4).max(1) as f32).sqrt());
    g.within(name, |g| {
        let weight = g.param("weight", &[inputs, out, 2, 2], init);
        let bias = bias.then(|| g.param("bias", &[out], init));
        g.conv_transpose2x2(x, weight, bias)
    })
}
