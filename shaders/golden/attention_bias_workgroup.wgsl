@group(0) @binding(0) var<storage, read> b0: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read> b1: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> b2: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> b3: array<f32>;
@group(0) @binding(4) var<storage, read_write> b4: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read_write> b5: array<f32>;
var<workgroup> tile_a: array<vec4<f32>, 64>;
var<workgroup> tile_b: array<vec4<f32>, 64>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let at = group.x;
    let p = local;
    let window = at / 1u % 4u;
    let top = window / 2u * 3u;
    let left = window % 2u * 4u;
    let h = at / 4u % 2u;
    let b = at / 8u;
    let slot_1 = min(p, 11u);
    let n_y = slot_1 / 4u;
    let n_x = slot_1 % 4u;
    let n_t = (top + n_y) * 8u + left + n_x;
    let row_2 = (b * 48u + n_t) * 4u + h * 2u;
    let q0 = b0[row_2 + 0u];
    let q1 = b0[row_2 + 1u];
    var o0 = vec4<f32>();
    var o1 = vec4<f32>();
    var peak = (-1e38f);
    var total = 0.0f;
    for (var start = 0u; start < 12u; start += 32u) {
        for (var s = local; s < 64u; s += 64u) {
            let slot_3 = min(start + s / 2u, 11u);
            let m_y = slot_3 / 4u;
            let m_x = slot_3 % 4u;
            let m_t = (top + m_y) * 8u + left + m_x;
            let k_m = (b * 48u + m_t) * 4u + h * 2u;
            let v_m = (b * 48u + m_t) * 4u + h * 2u;
            tile_a[s] = b1[k_m + s % 2u];
            tile_b[s] = b2[v_m + s % 2u];
        }
        workgroupBarrier();
        for (var j = 0u; j < min(32u, 12u - start); j += 4u) {
            let slot_4 = start + j;
            let m0_y = slot_4 / 4u;
            let m0_x = slot_4 % 4u;
            let m0_t = (top + m0_y) * 8u + left + m0_x;
            let slot_5 = start + j + 1u;
            let m1_y = slot_5 / 4u;
            let m1_x = slot_5 % 4u;
            let m1_t = (top + m1_y) * 8u + left + m1_x;
            let slot_6 = start + j + 2u;
            let m2_y = slot_6 / 4u;
            let m2_x = slot_6 % 4u;
            let m2_t = (top + m2_y) * 8u + left + m2_x;
            let slot_7 = start + j + 3u;
            let m3_y = slot_7 / 4u;
            let m3_x = slot_7 % 4u;
            let m3_t = (top + m3_y) * 8u + left + m3_x;
            let k0_0 = tile_a[(j + 0u) * 2u + 0u];
            let k0_1 = tile_a[(j + 0u) * 2u + 1u];
            let score0 = (dot(q0, k0_0) + dot(q1, k0_1)) * 0.35355338f + b3[h * 12u + (max(n_y, m0_y) - min(n_y, m0_y)) * 4u + max(n_x, m0_x) - min(n_x, m0_x)];
            let k1_0 = tile_a[(j + 1u) * 2u + 0u];
            let k1_1 = tile_a[(j + 1u) * 2u + 1u];
            let score1 = (dot(q0, k1_0) + dot(q1, k1_1)) * 0.35355338f + b3[h * 12u + (max(n_y, m1_y) - min(n_y, m1_y)) * 4u + max(n_x, m1_x) - min(n_x, m1_x)];
            let k2_0 = tile_a[(j + 2u) * 2u + 0u];
            let k2_1 = tile_a[(j + 2u) * 2u + 1u];
            let score2 = (dot(q0, k2_0) + dot(q1, k2_1)) * 0.35355338f + b3[h * 12u + (max(n_y, m2_y) - min(n_y, m2_y)) * 4u + max(n_x, m2_x) - min(n_x, m2_x)];
            let k3_0 = tile_a[(j + 3u) * 2u + 0u];
            let k3_1 = tile_a[(j + 3u) * 2u + 1u];
            let score3 = (dot(q0, k3_0) + dot(q1, k3_1)) * 0.35355338f + b3[h * 12u + (max(n_y, m3_y) - min(n_y, m3_y)) * 4u + max(n_x, m3_x) - min(n_x, m3_x)];
            let top = max(max(max(max(peak, score0), score1), score2), score3);
            let shrink = exp(peak - top);
            peak = top;
            let weight0 = exp(score0 - top);
            let weight1 = exp(score1 - top);
            let weight2 = exp(score2 - top);
            let weight3 = exp(score3 - top);
            total = total * shrink + weight0 + weight1 + weight2 + weight3;
            let v0_0 = tile_b[(j + 0u) * 2u + 0u];
            let v0_1 = tile_b[(j + 0u) * 2u + 1u];
            let v1_0 = tile_b[(j + 1u) * 2u + 0u];
            let v1_1 = tile_b[(j + 1u) * 2u + 1u];
            let v2_0 = tile_b[(j + 2u) * 2u + 0u];
            let v2_1 = tile_b[(j + 2u) * 2u + 1u];
            let v3_0 = tile_b[(j + 3u) * 2u + 0u];
            let v3_1 = tile_b[(j + 3u) * 2u + 1u];
            o0 = o0 * shrink + weight0 * v0_0 + weight1 * v1_0 + weight2 * v2_0 + weight3 * v3_0;
            o1 = o1 * shrink + weight0 * v0_1 + weight1 * v1_1 + weight2 * v2_1 + weight3 * v3_1;
        }
        workgroupBarrier();
    }
    if p < 12u {
        let inverse = 1.0f / total;
        let row_8 = ((b * 48u + n_t) * 2u + h) * 2u;
        b4[row_8 + 0u] = o0 * inverse;
        b4[row_8 + 1u] = o1 * inverse;
        b5[(b * 2u + h) * 48u + n_t] = peak + log(total);
    }
}
