@group(0) @binding(0) var<storage, read> b0: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read_write> b1: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> b2: array<f32>;

@compute @workgroup_size(8)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let at = group.x;
    let p = (at % 1u * 8u + local) * 4u;
    let b = at / 1u / 2u;
    let h = at / 1u % 2u;
    let spare = false;
    let place1 = min((p + 0u), 29u);
    let n0_real = (p + 0u) < 30u && !spare;
    let n0_t = place1;
    let row2 = 0u + (b * 30u + n0_t) * 12u + h * 2u;
    let q0_0 = b0[row2 + 0u];
    let q0_1 = b0[row2 + 1u];
    var o0_0 = vec4<f32>();
    var o0_1 = vec4<f32>();
    var peak0 = (-3e38f);
    var total0 = 0.0;
    let place3 = min((p + 1u), 29u);
    let n1_real = (p + 1u) < 30u && !spare;
    let n1_t = place3;
    let row4 = 0u + (b * 30u + n1_t) * 12u + h * 2u;
    let q1_0 = b0[row4 + 0u];
    let q1_1 = b0[row4 + 1u];
    var o1_0 = vec4<f32>();
    var o1_1 = vec4<f32>();
    var peak1 = (-3e38f);
    var total1 = 0.0;
    let place5 = min((p + 2u), 29u);
    let n2_real = (p + 2u) < 30u && !spare;
    let n2_t = place5;
    let row6 = 0u + (b * 30u + n2_t) * 12u + h * 2u;
    let q2_0 = b0[row6 + 0u];
    let q2_1 = b0[row6 + 1u];
    var o2_0 = vec4<f32>();
    var o2_1 = vec4<f32>();
    var peak2 = (-3e38f);
    var total2 = 0.0;
    let place7 = min((p + 3u), 29u);
    let n3_real = (p + 3u) < 30u && !spare;
    let n3_t = place7;
    let row8 = 0u + (b * 30u + n3_t) * 12u + h * 2u;
    let q3_0 = b0[row8 + 0u];
    let q3_1 = b0[row8 + 1u];
    var o3_0 = vec4<f32>();
    var o3_1 = vec4<f32>();
    var peak3 = (-3e38f);
    var total3 = 0.0;
    for (var m_t = 0u; m_t < 30u; m_t += 1u) {
        let row9 = 4u + (b * 30u + m_t) * 12u + h * 2u;
        let k0 = b0[row9 + 0u];
        let k1 = b0[row9 + 1u];
        let row10 = 8u + (b * 30u + m_t) * 12u + h * 2u;
        let v0 = b0[row10 + 0u];
        let v1 = b0[row10 + 1u];
        let score0 = (dot(q0_0, k0) + dot(q0_1, k1)) * 0.35355338f;
        if score0 > peak0 {
            let shrink = exp(peak0 - score0);
            peak0 = score0;
            total0 *= shrink;
            o0_0 *= shrink;
            o0_1 *= shrink;
        }
        let weight0 = exp(score0 - peak0);
        total0 += weight0;
        o0_0 += weight0 * v0;
        o0_1 += weight0 * v1;
        let score1 = (dot(q1_0, k0) + dot(q1_1, k1)) * 0.35355338f;
        if score1 > peak1 {
            let shrink = exp(peak1 - score1);
            peak1 = score1;
            total1 *= shrink;
            o1_0 *= shrink;
            o1_1 *= shrink;
        }
        let weight1 = exp(score1 - peak1);
        total1 += weight1;
        o1_0 += weight1 * v0;
        o1_1 += weight1 * v1;
        let score2 = (dot(q2_0, k0) + dot(q2_1, k1)) * 0.35355338f;
        if score2 > peak2 {
            let shrink = exp(peak2 - score2);
            peak2 = score2;
            total2 *= shrink;
            o2_0 *= shrink;
            o2_1 *= shrink;
        }
        let weight2 = exp(score2 - peak2);
        total2 += weight2;
        o2_0 += weight2 * v0;
        o2_1 += weight2 * v1;
        let score3 = (dot(q3_0, k0) + dot(q3_1, k1)) * 0.35355338f;
        if score3 > peak3 {
            let shrink = exp(peak3 - score3);
            peak3 = score3;
            total3 *= shrink;
            o3_0 *= shrink;
            o3_1 *= shrink;
        }
        let weight3 = exp(score3 - peak3);
        total3 += weight3;
        o3_0 += weight3 * v0;
        o3_1 += weight3 * v1;
    }
    if n0_real {
        let inverse = 1.0 / total0;
        let row11 = (b * 30u + n0_t) * 4u + h * 2u;
        b1[row11 + 0u] = o0_0 * inverse;
        b1[row11 + 1u] = o0_1 * inverse;
        b2[(b * 2u + h) * 30u + n0_t] = peak0 + log(total0);
    }
    if n1_real {
        let inverse = 1.0 / total1;
        let row12 = (b * 30u + n1_t) * 4u + h * 2u;
        b1[row12 + 0u] = o1_0 * inverse;
        b1[row12 + 1u] = o1_1 * inverse;
        b2[(b * 2u + h) * 30u + n1_t] = peak1 + log(total1);
    }
    if n2_real {
        let inverse = 1.0 / total2;
        let row13 = (b * 30u + n2_t) * 4u + h * 2u;
        b1[row13 + 0u] = o2_0 * inverse;
        b1[row13 + 1u] = o2_1 * inverse;
        b2[(b * 2u + h) * 30u + n2_t] = peak2 + log(total2);
    }
    if n3_real {
        let inverse = 1.0 / total3;
        let row14 = (b * 30u + n3_t) * 4u + h * 2u;
        b1[row14 + 0u] = o3_0 * inverse;
        b1[row14 + 1u] = o3_1 * inverse;
        b2[(b * 2u + h) * 30u + n3_t] = peak3 + log(total3);
    }
}
