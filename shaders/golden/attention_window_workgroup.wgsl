@group(0) @binding(0) var<storage, read> b0: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read> b1: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> b2: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> b3: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read_write> b4: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read_write> b5: array<f32>;
@group(0) @binding(6) var<storage, read_write> b6: array<f32>;
var<workgroup> tile_a: array<vec4<f32>, 64>;
var<workgroup> tile_b: array<vec4<f32>, 64>;

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
    let place1 = min((p + 0u), 8u);
    let n0_y = place1 / 3u;
    let n0_x = place1 % 3u;
    let n0_real = (p + 0u) < 9u && !spare && (top + n0_y) < 5u && (left + n0_x) < 6u;
    let n0_t = min((top + n0_y), 4u) * 6u + min((left + n0_x), 5u);
    let row2 = 0u + (b * 30u + n0_t) * 12u + h * 2u;
    let q0_0 = b0[row2 + 0u];
    let q0_1 = b0[row2 + 1u];
    var rel0: array<f32, 6>;
    for (var k = 0u; k < 3u; k += 1u) {
        rel0[0u + k] = dot(q0_0, b1[(n0_y + 2u - k) * 2u + 0u]) + dot(q0_1, b1[(n0_y + 2u - k) * 2u + 1u]);
    }
    for (var k = 0u; k < 3u; k += 1u) {
        rel0[3u + k] = dot(q0_0, b2[(n0_x + 2u - k) * 2u + 0u]) + dot(q0_1, b2[(n0_x + 2u - k) * 2u + 1u]);
    }
    if n0_real {
        let saved = ((b * 2u + h) * 30u + n0_t) * 6u;
        for (var k = 0u; k < 6u; k += 1u) {
            b6[saved + k] = rel0[k];
        }
    }
    var o0_0 = vec4<f32>();
    var o0_1 = vec4<f32>();
    var peak0 = (-3e38f);
    var total0 = 0.0;
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
            let k1 = tile_a[j * 2u + 1u];
            let v0 = tile_b[j * 2u + 0u];
            let v1 = tile_b[j * 2u + 1u];
            let rel0_y = rel0[m_y];
            let score0 = (dot(q0_0, k0) + dot(q0_1, k1)) * 0.35355338f + rel0_y + rel0[3u + m_x];
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
        }
    }
    if n0_real {
        let inverse = 1.0 / total0;
        let row3 = (b * 30u + n0_t) * 4u + h * 2u;
        b4[row3 + 0u] = o0_0 * inverse;
        b4[row3 + 1u] = o0_1 * inverse;
        b5[(b * 2u + h) * 30u + n0_t] = peak0 + log(total0);
    }
}
