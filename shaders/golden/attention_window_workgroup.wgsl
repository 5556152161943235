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
    var rel: array<f32, 6>;
    for (var k = 0u; k < 3u; k += 1u) {
        rel[0u + k] = dot(q0, b1[(n_y + 2u - k) * 2u + 0u]) + dot(q1, b1[(n_y + 2u - k) * 2u + 1u]);
    }
    for (var k = 0u; k < 3u; k += 1u) {
        rel[3u + k] = dot(q0, b2[(n_x + 2u - k) * 2u + 0u]) + dot(q1, b2[(n_x + 2u - k) * 2u + 1u]);
    }
    if n_real {
        let saved = ((b * 2u + h) * 30u + n_t) * 6u;
        for (var k = 0u; k < 6u; k += 1u) {
            b6[saved + k] = rel[k];
        }
    }
    var o0 = vec4<f32>();
    var o1 = vec4<f32>();
    var peak = (-3e38f);
    var total = 0.0;
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
    }
    if n_real {
        let inverse = 1.0 / total;
        let row3 = (b * 30u + n_t) * 4u + h * 2u;
        b4[row3 + 0u] = o0 * inverse;
        b4[row3 + 1u] = o1 * inverse;
        b5[(b * 2u + h) * 30u + n_t] = peak + log(total);
    }
}
