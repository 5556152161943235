@group(0) @binding(0) var<storage, read> b0: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read> b1: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> b2: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> b3: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read> b4: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read> b5: array<f32>;
@group(0) @binding(6) var<storage, read> b6: array<f32>;
@group(0) @binding(7) var<storage, read> b7: array<f32>;
@group(0) @binding(8) var<storage, read_write> b8: array<vec4<f32>>;
@group(0) @binding(9) var<storage, read_write> b9: array<vec4<f32>>;
@group(0) @binding(10) var<storage, read_write> b10: array<vec4<f32>>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let at = group.x;
    let p = at % 1u * 64u + local;
    let window = at / 1u % 4u;
    let top = window / 2u * 3u;
    let left = window % 2u * 3u;
    let b = at / 4u / 2u;
    let h = at / 4u % 2u;
    let spare = false;
    var dk0 = vec4<f32>();
    var dk1 = vec4<f32>();
    var dv0 = vec4<f32>();
    var dv1 = vec4<f32>();
    let pads = p == 9u && !spare;
    let first = select(p, 0u, pads);
    let end = select(min(p + 1u, 9u), 9u, pads);
    for (var own = first; own < end; own += 1u) {
        let place1 = min(own, 8u);
        let n_y = place1 / 3u;
        let n_x = place1 % 3u;
        let n_real = own < 9u && !spare && (top + n_y) < 5u && (left + n_x) < 6u;
        let n_t = min((top + n_y), 4u) * 6u + min((left + n_x), 5u);
        if n_real != pads {
            let row2 = 4u + (b * 30u + n_t) * 12u + h * 2u;
            let row3 = 4u + h * 2u;
            let k0 = select(b0[row2 + 0u], b3[row3 + 0u], pads);
            let k1 = select(b0[row2 + 1u], b3[row3 + 1u], pads);
            let row4 = 8u + (b * 30u + n_t) * 12u + h * 2u;
            let row5 = 8u + h * 2u;
            let v0 = select(b0[row4 + 0u], b3[row5 + 0u], pads);
            let v1 = select(b0[row4 + 1u], b3[row5 + 1u], pads);
            for (var m_y = 0u; m_y < 3u; m_y += 1u) {
                for (var m_x = 0u; m_x < 3u; m_x += 1u) {
                    let m_real = true && (top + m_y) < 5u && (left + m_x) < 6u;
                    let m_t = min((top + m_y), 4u) * 6u + min((left + m_x), 5u);
                    if m_real {
                        let row6 = 0u + (b * 30u + m_t) * 12u + h * 2u;
                        let q0 = b0[row6 + 0u];
                        let q1 = b0[row6 + 1u];
                        let row7 = (b * 30u + m_t) * 4u + h * 2u;
                        let g0 = b4[row7 + 0u];
                        let g1 = b4[row7 + 1u];
                        let m = (b * 2u + h) * 30u + m_t;
                        var score = (dot(q0, k0) + dot(q1, k1)) * 0.35355338f;
                        let row8 = m * 6u;
                        score += b7[row8 + n_y] + b7[row8 + 3u + n_x];
                        let weight = exp(score - b5[m]);
                        let step = weight * (dot(g0, v0) + dot(g1, v1) - b6[m]) * 0.35355338f;
                        dv0 += weight * g0;
                        dk0 += step * q0;
                        dv1 += weight * g1;
                        dk1 += step * q1;
                    }
                }
            }
        }
    }
    let place9 = min(p, 8u);
    let n_y = place9 / 3u;
    let n_x = place9 % 3u;
    let n_real = p < 9u && !spare && (top + n_y) < 5u && (left + n_x) < 6u;
    let n_t = min((top + n_y), 4u) * 6u + min((left + n_x), 5u);
    if n_real {
        let row10 = (b * 30u + n_t) * 4u + h * 2u;
        b8[row10 + 0u] = dk0;
        b8[row10 + 1u] = dk1;
        let row11 = (b * 30u + n_t) * 4u + h * 2u;
        b9[row11 + 0u] = dv0;
        b9[row11 + 1u] = dv1;
    }
    if pads {
        let row12 = ((b * 4u + window) * 2u + 0u) * 4u + h * 2u;
        b10[row12 + 0u] = dk0;
        b10[row12 + 1u] = dk1;
        let row13 = ((b * 4u + window) * 2u + 1u) * 4u + h * 2u;
        b10[row13 + 0u] = dv0;
        b10[row13 + 1u] = dv1;
    }
}
