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
    let p = local;
    let window = at / 1u % 4u;
    let top = window / 2u * 3u;
    let left = window % 2u * 3u;
    let tokens_y = min(3u, 5u - top);
    let tokens_x = min(3u, 6u - left);
    let tokens = tokens_y * tokens_x;
    let row_share = 1.0f / f32(tokens_x);
    let pads = tokens < 9u;
    let h = at / 4u % 2u;
    let b = at / 8u;
    let slot_1 = min(p, tokens - 1u);
    let n_y = u32((f32(slot_1) + 0.5f) * row_share);
    let n_x = slot_1 - n_y * tokens_x;
    let n_t = (top + n_y) * 6u + left + n_x;
    let row_2 = (b * 30u + n_t) * 12u + h * 2u;
    let q0 = b0[row_2 + 0u];
    let q1 = b0[row_2 + 1u];
    var terms: array<f32, 6>;
    for (var k = 0u; k < 3u; k += 1u) {
        let row_3 = (n_y + 2u - k) * 2u;
        let table_0 = b1[row_3 + 0u];
        let table_1 = b1[row_3 + 1u];
        terms[k + 0u] = dot(q0, table_0) + dot(q1, table_1);
    }
    for (var k = 0u; k < 3u; k += 1u) {
        let row_4 = (n_x + 2u - k) * 2u;
        let table_0 = b2[row_4 + 0u];
        let table_1 = b2[row_4 + 1u];
        terms[k + 3u] = dot(q0, table_0) + dot(q1, table_1);
    }
    if p < tokens {
        let saved = ((b * 2u + h) * 30u + n_t) * 6u;
        for (var k = 0u; k < 6u; k += 1u) {
            b6[saved + k] = terms[k];
        }
    }
    var o0 = vec4<f32>();
    var o1 = vec4<f32>();
    var peak = (-1e38f);
    var total = 0.0f;
    for (var start = 0u; start < tokens; start += 32u) {
        for (var s = local; s < 64u; s += 64u) {
            let slot_5 = min(start + s / 2u, tokens - 1u);
            let m_y = u32((f32(slot_5) + 0.5f) * row_share);
            let m_x = slot_5 - m_y * tokens_x;
            let m_t = (top + m_y) * 6u + left + m_x;
            let k_m = (b * 30u + m_t) * 12u + h * 2u + 4u;
            let v_m = (b * 30u + m_t) * 12u + h * 2u + 8u;
            tile_a[s] = b0[k_m + s % 2u];
            tile_b[s] = b0[v_m + s % 2u];
        }
        workgroupBarrier();
        for (var j = 0u; j < min(32u, tokens - start); j += 4u) {
            let slot_6 = start + j;
            let m0_y = u32((f32(slot_6) + 0.5f) * row_share);
            let m0_x = slot_6 - m0_y * tokens_x;
            let m0_t = (top + m0_y) * 6u + left + m0_x;
            let slot_7 = min(start + j + 1u, tokens - 1u);
            let m1_y = u32((f32(slot_7) + 0.5f) * row_share);
            let m1_x = slot_7 - m1_y * tokens_x;
            let m1_t = (top + m1_y) * 6u + left + m1_x;
            let slot_8 = min(start + j + 2u, tokens - 1u);
            let m2_y = u32((f32(slot_8) + 0.5f) * row_share);
            let m2_x = slot_8 - m2_y * tokens_x;
            let m2_t = (top + m2_y) * 6u + left + m2_x;
            let slot_9 = min(start + j + 3u, tokens - 1u);
            let m3_y = u32((f32(slot_9) + 0.5f) * row_share);
            let m3_x = slot_9 - m3_y * tokens_x;
            let m3_t = (top + m3_y) * 6u + left + m3_x;
            let k0_0 = tile_a[(j + 0u) * 2u + 0u];
            let k0_1 = tile_a[(j + 0u) * 2u + 1u];
            let score0 = (dot(q0, k0_0) + dot(q1, k0_1)) * 0.35355338f + terms[m0_y] + terms[3u + m0_x];
            let k1_0 = tile_a[(j + 1u) * 2u + 0u];
            let k1_1 = tile_a[(j + 1u) * 2u + 1u];
            let score1 = select((-1e38f), (dot(q0, k1_0) + dot(q1, k1_1)) * 0.35355338f + terms[m1_y] + terms[3u + m1_x], start + j + 1u < tokens);
            let k2_0 = tile_a[(j + 2u) * 2u + 0u];
            let k2_1 = tile_a[(j + 2u) * 2u + 1u];
            let score2 = select((-1e38f), (dot(q0, k2_0) + dot(q1, k2_1)) * 0.35355338f + terms[m2_y] + terms[3u + m2_x], start + j + 2u < tokens);
            let k3_0 = tile_a[(j + 3u) * 2u + 0u];
            let k3_1 = tile_a[(j + 3u) * 2u + 1u];
            let score3 = select((-1e38f), (dot(q0, k3_0) + dot(q1, k3_1)) * 0.35355338f + terms[m3_y] + terms[3u + m3_x], start + j + 3u < tokens);
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
    if pads {
        let row_10 = h * 2u + 4u;
        let pad_k0 = b3[row_10 + 0u];
        let pad_k1 = b3[row_10 + 1u];
        let row_11 = h * 2u + 8u;
        let v0_0 = b3[row_11 + 0u];
        let v0_1 = b3[row_11 + 1u];
        var log_y_peak = (-1e38f);
        for (var k = 0u; k < tokens_y; k += 1u) {
            log_y_peak = max(log_y_peak, terms[k]);
        }
        var log_y_sum = 0.0f;
        for (var k = 0u; k < tokens_y; k += 1u) {
            log_y_sum += exp(terms[k] - log_y_peak);
        }
        let log_y = log_y_peak + log(max(log_y_sum, 1e-30f));
        var log_pads_y_peak = (-1e38f);
        for (var k = tokens_y; k < 3u; k += 1u) {
            log_pads_y_peak = max(log_pads_y_peak, terms[k]);
        }
        var log_pads_y_sum = 0.0f;
        for (var k = tokens_y; k < 3u; k += 1u) {
            log_pads_y_sum += exp(terms[k] - log_pads_y_peak);
        }
        let log_pads_y = log_pads_y_peak + log(max(log_pads_y_sum, 1e-30f));
        var log_x_peak = (-1e38f);
        for (var k = 3u; k < 3u + tokens_x; k += 1u) {
            log_x_peak = max(log_x_peak, terms[k]);
        }
        var log_x_sum = 0.0f;
        for (var k = 3u; k < 3u + tokens_x; k += 1u) {
            log_x_sum += exp(terms[k] - log_x_peak);
        }
        let log_x = log_x_peak + log(max(log_x_sum, 1e-30f));
        var log_pads_x_peak = (-1e38f);
        for (var k = 3u + tokens_x; k < 6u; k += 1u) {
            log_pads_x_peak = max(log_pads_x_peak, terms[k]);
        }
        var log_pads_x_sum = 0.0f;
        for (var k = 3u + tokens_x; k < 6u; k += 1u) {
            log_pads_x_sum += exp(terms[k] - log_pads_x_peak);
        }
        let log_pads_x = log_pads_x_peak + log(max(log_pads_x_sum, 1e-30f));
        let top_12 = max(log_y, log_pads_y);
        let log_all_y = top_12 + log(exp(log_y - top_12) + exp(log_pads_y - top_12));
        let top_13 = max(log_x, log_pads_x);
        let log_all_x = top_13 + log(exp(log_x - top_13) + exp(log_pads_x - top_13));
        let below_14 = log_pads_y + log_all_x;
        let beside_15 = log_y + log_pads_x;
        let top_16 = max(below_14, beside_15);
        let score0 = (dot(q0, pad_k0) + dot(q1, pad_k1)) * 0.35355338f + top_16 + log(exp(below_14 - top_16) + exp(beside_15 - top_16));
        let top = max(peak, score0);
        let shrink = exp(peak - top);
        peak = top;
        let weight0 = exp(score0 - top);
        total = total * shrink + weight0;
        o0 = o0 * shrink + weight0 * v0_0;
        o1 = o1 * shrink + weight0 * v0_1;
    }
    if p < tokens {
        let inverse = 1.0f / total;
        let row_17 = ((b * 30u + n_t) * 2u + h) * 2u;
        b4[row_17 + 0u] = o0 * inverse;
        b4[row_17 + 1u] = o1 * inverse;
        b5[(b * 2u + h) * 30u + n_t] = peak + log(total);
    }
}
