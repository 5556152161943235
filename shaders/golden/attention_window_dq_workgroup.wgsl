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
    let row_3 = ((b * 30u + n_t) * 2u + h) * 2u;
    let g0 = b4[row_3 + 0u];
    let g1 = b4[row_3 + 1u];
    let n = (b * 2u + h) * 30u + n_t;
    let lse = b5[n];
    let delta = b6[n];
    var dq0 = vec4<f32>();
    var dq1 = vec4<f32>();
    let n_rel = n * 6u;
    var terms: array<f32, 6>;
    for (var k = 0u; k < 6u; k += 1u) {
        terms[k] = 0.0f;
    }
    for (var start = 0u; start < tokens; start += 32u) {
        for (var s = local; s < 64u; s += 64u) {
            let slot_4 = min(start + s / 2u, tokens - 1u);
            let m_y = u32((f32(slot_4) + 0.5f) * row_share);
            let m_x = slot_4 - m_y * tokens_x;
            let m_t = (top + m_y) * 6u + left + m_x;
            let k_m = (b * 30u + m_t) * 12u + h * 2u + 4u;
            let v_m = (b * 30u + m_t) * 12u + h * 2u + 8u;
            tile_a[s] = b0[k_m + s % 2u];
            tile_b[s] = b0[v_m + s % 2u];
        }
        workgroupBarrier();
        for (var j = 0u; j < min(32u, tokens - start); j += 4u) {
            let slot_5 = start + j;
            let m0_y = u32((f32(slot_5) + 0.5f) * row_share);
            let m0_x = slot_5 - m0_y * tokens_x;
            let m0_t = (top + m0_y) * 6u + left + m0_x;
            let slot_6 = min(start + j + 1u, tokens - 1u);
            let m1_y = u32((f32(slot_6) + 0.5f) * row_share);
            let m1_x = slot_6 - m1_y * tokens_x;
            let m1_t = (top + m1_y) * 6u + left + m1_x;
            let slot_7 = min(start + j + 2u, tokens - 1u);
            let m2_y = u32((f32(slot_7) + 0.5f) * row_share);
            let m2_x = slot_7 - m2_y * tokens_x;
            let m2_t = (top + m2_y) * 6u + left + m2_x;
            let slot_8 = min(start + j + 3u, tokens - 1u);
            let m3_y = u32((f32(slot_8) + 0.5f) * row_share);
            let m3_x = slot_8 - m3_y * tokens_x;
            let m3_t = (top + m3_y) * 6u + left + m3_x;
            let k0_0 = tile_a[(j + 0u) * 2u + 0u];
            let k0_1 = tile_a[(j + 0u) * 2u + 1u];
            let v0_0 = tile_b[(j + 0u) * 2u + 0u];
            let v0_1 = tile_b[(j + 0u) * 2u + 1u];
            let weight0 = exp((dot(q0, k0_0) + dot(q1, k0_1)) * 0.35355338f + b7[n_rel + m0_y] + b7[n_rel + 3u + m0_x] - lse);
            let ds0 = weight0 * (dot(g0, v0_0) + dot(g1, v0_1) - delta);
            terms[m0_y] += ds0;
            terms[3u + m0_x] += ds0;
            let step0 = ds0 * 0.35355338f;
            let k1_0 = tile_a[(j + 1u) * 2u + 0u];
            let k1_1 = tile_a[(j + 1u) * 2u + 1u];
            let v1_0 = tile_b[(j + 1u) * 2u + 0u];
            let v1_1 = tile_b[(j + 1u) * 2u + 1u];
            let weight1 = select(0.0f, exp((dot(q0, k1_0) + dot(q1, k1_1)) * 0.35355338f + b7[n_rel + m1_y] + b7[n_rel + 3u + m1_x] - lse), start + j + 1u < tokens);
            let ds1 = weight1 * (dot(g0, v1_0) + dot(g1, v1_1) - delta);
            terms[m1_y] += ds1;
            terms[3u + m1_x] += ds1;
            let step1 = ds1 * 0.35355338f;
            let k2_0 = tile_a[(j + 2u) * 2u + 0u];
            let k2_1 = tile_a[(j + 2u) * 2u + 1u];
            let v2_0 = tile_b[(j + 2u) * 2u + 0u];
            let v2_1 = tile_b[(j + 2u) * 2u + 1u];
            let weight2 = select(0.0f, exp((dot(q0, k2_0) + dot(q1, k2_1)) * 0.35355338f + b7[n_rel + m2_y] + b7[n_rel + 3u + m2_x] - lse), start + j + 2u < tokens);
            let ds2 = weight2 * (dot(g0, v2_0) + dot(g1, v2_1) - delta);
            terms[m2_y] += ds2;
            terms[3u + m2_x] += ds2;
            let step2 = ds2 * 0.35355338f;
            let k3_0 = tile_a[(j + 3u) * 2u + 0u];
            let k3_1 = tile_a[(j + 3u) * 2u + 1u];
            let v3_0 = tile_b[(j + 3u) * 2u + 0u];
            let v3_1 = tile_b[(j + 3u) * 2u + 1u];
            let weight3 = select(0.0f, exp((dot(q0, k3_0) + dot(q1, k3_1)) * 0.35355338f + b7[n_rel + m3_y] + b7[n_rel + 3u + m3_x] - lse), start + j + 3u < tokens);
            let ds3 = weight3 * (dot(g0, v3_0) + dot(g1, v3_1) - delta);
            terms[m3_y] += ds3;
            terms[3u + m3_x] += ds3;
            let step3 = ds3 * 0.35355338f;
            dq0 += step0 * k0_0 + step1 * k1_0 + step2 * k2_0 + step3 * k3_0;
            dq1 += step0 * k0_1 + step1 * k1_1 + step2 * k2_1 + step3 * k3_1;
        }
        workgroupBarrier();
    }
    if pads {
        let row_9 = h * 2u + 4u;
        let pad_k0 = b3[row_9 + 0u];
        let pad_k1 = b3[row_9 + 1u];
        let row_10 = h * 2u + 8u;
        let pad_v0 = b3[row_10 + 0u];
        let pad_v1 = b3[row_10 + 1u];
        let base = (dot(q0, pad_k0) + dot(q1, pad_k1)) * 0.35355338f - lse;
        let excess = (dot(g0, pad_v0) + dot(g1, pad_v1)) - delta;
        let saved = n_rel;
        var log_y_peak = (-1e38f);
        for (var k = 0u; k < tokens_y; k += 1u) {
            log_y_peak = max(log_y_peak, b7[saved + k]);
        }
        var log_y_sum = 0.0f;
        for (var k = 0u; k < tokens_y; k += 1u) {
            log_y_sum += exp(b7[saved + k] - log_y_peak);
        }
        let log_y = log_y_peak + log(max(log_y_sum, 1e-30f));
        var log_pads_y_peak = (-1e38f);
        for (var k = tokens_y; k < 3u; k += 1u) {
            log_pads_y_peak = max(log_pads_y_peak, b7[saved + k]);
        }
        var log_pads_y_sum = 0.0f;
        for (var k = tokens_y; k < 3u; k += 1u) {
            log_pads_y_sum += exp(b7[saved + k] - log_pads_y_peak);
        }
        let log_pads_y = log_pads_y_peak + log(max(log_pads_y_sum, 1e-30f));
        var log_x_peak = (-1e38f);
        for (var k = 3u; k < 3u + tokens_x; k += 1u) {
            log_x_peak = max(log_x_peak, b7[saved + k]);
        }
        var log_x_sum = 0.0f;
        for (var k = 3u; k < 3u + tokens_x; k += 1u) {
            log_x_sum += exp(b7[saved + k] - log_x_peak);
        }
        let log_x = log_x_peak + log(max(log_x_sum, 1e-30f));
        var log_pads_x_peak = (-1e38f);
        for (var k = 3u + tokens_x; k < 6u; k += 1u) {
            log_pads_x_peak = max(log_pads_x_peak, b7[saved + k]);
        }
        var log_pads_x_sum = 0.0f;
        for (var k = 3u + tokens_x; k < 6u; k += 1u) {
            log_pads_x_sum += exp(b7[saved + k] - log_pads_x_peak);
        }
        let log_pads_x = log_pads_x_peak + log(max(log_pads_x_sum, 1e-30f));
        let top_11 = max(log_y, log_pads_y);
        let log_all_y = top_11 + log(exp(log_y - top_11) + exp(log_pads_y - top_11));
        let top_12 = max(log_x, log_pads_x);
        let log_all_x = top_12 + log(exp(log_x - top_12) + exp(log_pads_x - top_12));
        let below_13 = log_pads_y + log_all_x;
        let beside_14 = log_y + log_pads_x;
        let top_15 = max(below_13, beside_14);
        let step = exp(base + top_15 + log(exp(below_13 - top_15) + exp(beside_14 - top_15))) * excess * 0.35355338f;
        dq0 += step * pad_k0;
        dq1 += step * pad_k1;
        for (var k = 0u; k < 6u; k += 1u) {
            terms[k] += exp(base + b7[saved + k] + select(select(log_all_y, log_pads_y, k < 3u + tokens_x), select(log_all_x, log_pads_x, k < tokens_y), k < 3u)) * excess;
        }
    }
    for (var k = 0u; k < 3u; k += 1u) {
        let row_16 = (n_y + 2u - k) * 2u;
        let table_0 = b1[row_16 + 0u];
        let table_1 = b1[row_16 + 1u];
        let part_17 = terms[k + 0u];
        dq0 += part_17 * table_0;
        dq1 += part_17 * table_1;
    }
    for (var k = 0u; k < 3u; k += 1u) {
        let row_18 = (n_x + 2u - k) * 2u;
        let table_0 = b2[row_18 + 0u];
        let table_1 = b2[row_18 + 1u];
        let part_19 = terms[k + 3u];
        dq0 += part_19 * table_0;
        dq1 += part_19 * table_1;
    }
    if p < tokens {
        let saved = ((b * 2u + h) * 30u + n_t) * 6u;
        for (var k = 0u; k < 6u; k += 1u) {
            b9[saved + k] = terms[k];
        }
    }
    if p < tokens {
        let row_20 = ((b * 30u + n_t) * 2u + h) * 2u;
        b8[row_20 + 0u] = dq0;
        b8[row_20 + 1u] = dq1;
    }
}
