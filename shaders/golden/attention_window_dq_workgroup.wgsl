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
var<workgroup> tile_a: array<vec4<f32>, 64>;
var<workgroup> tile_b: array<vec4<f32>, 64>;

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
    for (var start = 0u; start < 9u; start += 32u) {
        workgroupBarrier();
        for (var s = local; s < 64u; s += 64u) {
            let slot = min(start + s / 2u, 8u);
            let r = s % 2u;
            let m_y = slot / 3u;
            let m_x = slot % 3u;
            let m_real = true && (top + m_y) < 5u && (left + m_x) < 6u;
            let m_t = min((top + m_y), 4u) * 6u + min((left + m_x), 5u);
            tile_a[s] = select(b3[4u + h * 2u + r], b0[4u + (b * 30u + m_t) * 12u + h * 2u + r], m_real);
            tile_b[s] = select(b3[8u + h * 2u + r], b0[8u + (b * 30u + m_t) * 12u + h * 2u + r], m_real);
        }
        workgroupBarrier();
        let count = min(32u, 9u - start);
        for (var j = 0u; j < count; j += 1u) {
            let slot = start + j;
            let m_y = slot / 3u;
            let m_x = slot % 3u;
            let m_real = true && (top + m_y) < 5u && (left + m_x) < 6u;
            let m_t = min((top + m_y), 4u) * 6u + min((left + m_x), 5u);
            let k0 = tile_a[j * 2u + 0u];
            let v0 = tile_b[j * 2u + 0u];
            let k1 = tile_a[j * 2u + 1u];
            let v1 = tile_b[j * 2u + 1u];
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
        let row4 = (b * 30u + n_t) * 4u + h * 2u;
        b8[row4 + 0u] = dq0;
        b8[row4 + 1u] = dq1;
        for (var k = 0u; k < 6u; k += 1u) {
            b9[n * 6u + k] = drel[k];
        }
    }
}
