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

@compute @workgroup_size(16)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let at = group.x;
    let p = at % 1u * 16u + local;
    let window = at / 1u % 4u;
    let top = window / 2u * 3u;
    let left = window % 2u * 3u;
    let b = at / 4u / 2u;
    let h = at / 4u % 2u;
    let spare = false;
    let place1 = min(p, 8u);
    let n_y = place1 / 3u;
    let n_x = place1 % 3u;
    let n_real = p < 9u && !spare && (top + n_y) < 5u && (left + n_x) < 6u;
    let n_t = min((top + n_y), 4u) * 6u + min((left + n_x), 5u);
    let row2 = 0u + (b * 30u + n_t) * 12u + h * 2u;
    let q0 = b0[row2 + 0u];
    let q1 = b0[row2 + 1u];
    let row3 = (b * 30u + n_t) * 4u + h * 2u;
    let g0 = b4[row3 + 0u];
    let g1 = b4[row3 + 1u];
    let n = (b * 2u + h) * 30u + n_t;
    let lse = b5[n];
    let delta = b6[n];
    var dq0 = vec4<f32>();
    var dq1 = vec4<f32>();
    var rel: array<f32, 6>;
    var drel: array<f32, 6>;
    for (var k = 0u; k < 6u; k += 1u) {
        rel[k] = b7[n * 6u + k];
        drel[k] = 0.0;
    }
    for (var m_y = 0u; m_y < 3u; m_y += 1u) {
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
            var score = (dot(q0, k0) + dot(q1, k1)) * 0.35355338f;
            score += rel[m_y] + rel[3u + m_x];
            let ds = exp(score - lse) * (dot(g0, v0) + dot(g1, v1) - delta);
            drel[m_y] += ds;
            drel[3u + m_x] += ds;
            let step = ds * 0.35355338f;
            dq0 += step * k0;
            dq1 += step * k1;
        }
    }
    for (var k = 0u; k < 3u; k += 1u) {
        dq0 += drel[0u + k] * b1[(n_y + 2u - k) * 2u + 0u];
        dq1 += drel[0u + k] * b1[(n_y + 2u - k) * 2u + 1u];
    }
    for (var k = 0u; k < 3u; k += 1u) {
        dq0 += drel[3u + k] * b2[(n_x + 2u - k) * 2u + 0u];
        dq1 += drel[3u + k] * b2[(n_x + 2u - k) * 2u + 1u];
    }
    if n_real {
        let row8 = (b * 30u + n_t) * 4u + h * 2u;
        b8[row8 + 0u] = dq0;
        b8[row8 + 1u] = dq1;
        for (var k = 0u; k < 6u; k += 1u) {
            b9[n * 6u + k] = drel[k];
        }
    }
}
