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
    let p = (at % 1u * 64u + local) * 1u;
    let window = at / 1u % 4u;
    let top = window / 2u * 3u;
    let left = window % 2u * 3u;
    let b = at / 4u / 2u;
    let h = at / 4u % 2u;
    let spare = false;
    var dk0_0 = vec4<f32>();
    var dk0_1 = vec4<f32>();
    var dv0_0 = vec4<f32>();
    var dv0_1 = vec4<f32>();
    let pads = p == 9u && !spare;
    let first = select(p, 0u, pads);
    let end = select(min(p + 1u, 9u), 9u, pads);
    for (var own = first; own < end; own += 1u) {
        let place1 = min(own, 8u);
        let n0_y = place1 / 3u;
        let n0_x = place1 % 3u;
        let n0_real = own < 9u && !spare && (top + n0_y) < 5u && (left + n0_x) < 6u;
        let n0_t = min((top + n0_y), 4u) * 6u + min((left + n0_x), 5u);
        if n0_real != pads {
            let row2 = 4u + (b * 30u + n0_t) * 12u + h * 2u;
            let row3 = 4u + h * 2u;
            let k0_0 = select(b3[row3 + 0u], b0[row2 + 0u], !pads);
            let k0_1 = select(b3[row3 + 1u], b0[row2 + 1u], !pads);
            let row4 = 8u + (b * 30u + n0_t) * 12u + h * 2u;
            let row5 = 8u + h * 2u;
            let v0_0 = select(b3[row5 + 0u], b0[row4 + 0u], !pads);
            let v0_1 = select(b3[row5 + 1u], b0[row4 + 1u], !pads);
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
                        let lse = b5[m];
                        let delta = b6[m];
                        let weight0 = exp((dot(q0, k0_0) + dot(q1, k0_1)) * 0.35355338f + b7[m * 6u + n0_y] + b7[m * 6u + 3u + n0_x] - lse);
                        let step0 = weight0 * (dot(g0, v0_0) + dot(g1, v0_1) - delta) * 0.35355338f;
                        dv0_0 += weight0 * g0;
                        dk0_0 += step0 * q0;
                        dv0_1 += weight0 * g1;
                        dk0_1 += step0 * q1;
                    }
                }
            }
        }
    }
    let place8 = min(p, 8u);
    let n0_y = place8 / 3u;
    let n0_x = place8 % 3u;
    let n0_real = p < 9u && !spare && (top + n0_y) < 5u && (left + n0_x) < 6u;
    let n0_t = min((top + n0_y), 4u) * 6u + min((left + n0_x), 5u);
    if n0_real {
        let row9 = (b * 30u + n0_t) * 4u + h * 2u;
        b8[row9 + 0u] = dk0_0;
        b8[row9 + 1u] = dk0_1;
        let row10 = (b * 30u + n0_t) * 4u + h * 2u;
        b9[row10 + 0u] = dv0_0;
        b9[row10 + 1u] = dv0_1;
    }
    if pads {
        let row11 = ((b * 4u + window) * 2u + 0u) * 4u + h * 2u;
        b10[row11 + 0u] = dk0_0;
        b10[row11 + 1u] = dk0_1;
        let row12 = ((b * 4u + window) * 2u + 1u) * 4u + h * 2u;
        b10[row12 + 0u] = dv0_0;
        b10[row12 + 1u] = dv0_1;
    }
}
