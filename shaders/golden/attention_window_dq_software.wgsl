@group(0) @binding(0) var<storage, read> b0: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read> b1: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> b2: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> b3: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read> b4: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read> b5: array<f32>;
@group(0) @binding(6) var<storage, read> b6: array<f32>;
@group(0) @binding(7) var<storage, read> b7: array<f32>;
@group(0) @binding(8) var<storage, read_write> b8: array<vec4<f32>>;
@group(0) @binding(9) var<storage, read_write> b9: array<f32>;

@compute @workgroup_size(8)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let at = group.x;
    let p = (at % 2u * 8u + local) * 1u;
    let window = at / 2u % 4u;
    let top = window / 2u * 3u;
    let left = window % 2u * 3u;
    let b = at / 8u / 2u;
    let h = at / 8u % 2u;
    let spare = false;
    let place1 = min((p + 0u), 8u);
    let n0_y = place1 / 3u;
    let n0_x = place1 % 3u;
    let n0_real = (p + 0u) < 9u && !spare && (top + n0_y) < 5u && (left + n0_x) < 6u;
    let n0_t = min((top + n0_y), 4u) * 6u + min((left + n0_x), 5u);
    let row2 = 0u + (b * 30u + n0_t) * 12u + h * 2u;
    let q0_0 = b0[row2 + 0u];
    let q0_1 = b0[row2 + 1u];
    let row3 = (b * 30u + n0_t) * 4u + h * 2u;
    let g0_0 = b4[row3 + 0u];
    let g0_1 = b4[row3 + 1u];
    let n0 = (b * 2u + h) * 30u + n0_t;
    let lse0 = b5[n0];
    let delta0 = b6[n0];
    var dq0_0 = vec4<f32>();
    var dq0_1 = vec4<f32>();
    var rel0: array<f32, 6>;
    var drel0: array<f32, 6>;
    for (var k = 0u; k < 6u; k += 1u) {
        rel0[k] = b7[n0 * 6u + k];
        drel0[k] = 0.0;
    }
    for (var m_y = 0u; m_y < 3u; m_y += 1u) {
        let rel0_y = rel0[m_y];
        var row0 = 0.0;
        for (var m_x = 0u; m_x < 3u; m_x += 1u) {
            let m_real = true && (top + m_y) < 5u && (left + m_x) < 6u;
            let m_t = min((top + m_y), 4u) * 6u + min((left + m_x), 5u);
            let row4 = 4u + (b * 30u + m_t) * 12u + h * 2u;
            let row5 = 4u + h * 2u;
            let k0 = select(b3[row5 + 0u], b0[row4 + 0u], m_real);
            let k1 = select(b3[row5 + 1u], b0[row4 + 1u], m_real);
            let row6 = 8u + (b * 30u + m_t) * 12u + h * 2u;
            let row7 = 8u + h * 2u;
            let v0 = select(b3[row7 + 0u], b0[row6 + 0u], m_real);
            let v1 = select(b3[row7 + 1u], b0[row6 + 1u], m_real);
            let score0 = (dot(q0_0, k0) + dot(q0_1, k1)) * 0.35355338f + rel0_y + rel0[3u + m_x];
            let ds0 = exp(score0 - lse0) * (dot(g0_0, v0) + dot(g0_1, v1) - delta0);
            row0 += ds0;
            drel0[3u + m_x] += ds0;
            let step0 = ds0 * 0.35355338f;
            dq0_0 += step0 * k0;
            dq0_1 += step0 * k1;
        }
        drel0[m_y] += row0;
    }
    for (var k = 0u; k < 3u; k += 1u) {
        dq0_0 += drel0[0u + k] * b1[(n0_y + 2u - k) * 2u + 0u];
        dq0_1 += drel0[0u + k] * b1[(n0_y + 2u - k) * 2u + 1u];
    }
    for (var k = 0u; k < 3u; k += 1u) {
        dq0_0 += drel0[3u + k] * b2[(n0_x + 2u - k) * 2u + 0u];
        dq0_1 += drel0[3u + k] * b2[(n0_x + 2u - k) * 2u + 1u];
    }
    if n0_real {
        let row8 = (b * 30u + n0_t) * 4u + h * 2u;
        b8[row8 + 0u] = dq0_0;
        b8[row8 + 1u] = dq0_1;
        for (var k = 0u; k < 6u; k += 1u) {
            b9[n0 * 6u + k] = drel0[k];
        }
    }
}
