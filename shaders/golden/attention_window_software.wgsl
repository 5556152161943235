@group(0) @binding(0) var<storage, read> b0: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read> b1: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> b2: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> b3: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read_write> b4: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read_write> b5: array<f32>;
@group(0) @binding(6) var<storage, read_write> b6: array<f32>;

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
    for (var m_y = 0u; m_y < 3u; m_y += 1u) {
        for (var m_x = 0u; m_x < 3u; m_x += 1u) {
            let m_real = true && (top + m_y) < 5u && (left + m_x) < 6u;
            let m_t = min((top + m_y), 4u) * 6u + min((left + m_x), 5u);
            let row3 = 4u + (b * 30u + m_t) * 12u + h * 2u;
            let row4 = 4u + h * 2u;
            let k0 = select(b3[row4 + 0u], b0[row3 + 0u], m_real);
            let k1 = select(b3[row4 + 1u], b0[row3 + 1u], m_real);
            let row5 = 8u + (b * 30u + m_t) * 12u + h * 2u;
            let row6 = 8u + h * 2u;
            let v0 = select(b3[row6 + 0u], b0[row5 + 0u], m_real);
            let v1 = select(b3[row6 + 1u], b0[row5 + 1u], m_real);
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
        let row7 = (b * 30u + n_t) * 4u + h * 2u;
        b4[row7 + 0u] = o0 * inverse;
        b4[row7 + 1u] = o1 * inverse;
        b5[(b * 2u + h) * 30u + n_t] = peak + log(total);
    }
}
