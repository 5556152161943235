@group(0) @binding(0) var<storage, read> b0: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read_write> b1: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> b2: array<f32>;

@compute @workgroup_size(16)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let at = group.x;
    let p = at % 2u * 16u + local;
    let b = at / 2u / 2u;
    let h = at / 2u % 2u;
    let spare = false;
    let n_real = p < 30u && !spare;
    let n_t = min(p, 29u);
    let row1 = 0u + (b * 30u + n_t) * 12u + h * 2u;
    let q0 = b0[row1 + 0u];
    let q1 = b0[row1 + 1u];
    var o0 = vec4<f32>();
    var o1 = vec4<f32>();
    var peak = (-3e38f);
    var total = 0.0;
    for (var m_t = 0u; m_t < 30u; m_t += 1u) {
        let row2 = 4u + (b * 30u + m_t) * 12u + h * 2u;
        let k0 = b0[row2 + 0u];
        let k1 = b0[row2 + 1u];
        let row3 = 8u + (b * 30u + m_t) * 12u + h * 2u;
        let v0 = b0[row3 + 0u];
        let v1 = b0[row3 + 1u];
        var score = (dot(q0, k0) + dot(q1, k1)) * 0.35355338f;
        if score > peak {
            let shrink = exp(peak - score);
            peak = score;
            total *= shrink;
            o0 *= shrink;
            o1 *= shrink;
        }
        let weight = exp(score - peak);
        total += weight;
        o0 += weight * v0;
        o1 += weight * v1;
    }
    if n_real {
        let inverse = 1.0 / total;
        let row4 = (b * 30u + n_t) * 4u + h * 2u;
        b1[row4 + 0u] = o0 * inverse;
        b1[row4 + 1u] = o1 * inverse;
        b2[(b * 2u + h) * 30u + n_t] = peak + log(total);
    }
}
