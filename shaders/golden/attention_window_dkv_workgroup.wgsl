@group(0) @binding(0) var<storage, read> b0: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read> b1: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> b2: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> b3: array<f32>;
@group(0) @binding(4) var<storage, read> b4: array<f32>;
@group(0) @binding(5) var<storage, read> b5: array<f32>;
@group(0) @binding(6) var<storage, read_write> b6: array<vec4<f32>>;
@group(0) @binding(7) var<storage, read_write> b7: array<vec4<f32>>;
@group(0) @binding(8) var<storage, read_write> b8: array<vec4<f32>>;
var<workgroup> tile_a: array<vec4<f32>, 64>;
var<workgroup> tile_b: array<vec4<f32>, 64>;
var<workgroup> factors: array<vec2<f32>, 64>;
var<workgroup> sums: array<vec4<f32>, 64>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let at = group.x;
    let p = at % 2u * 64u + local;
    let window = at / 2u % 4u;
    let top = window / 2u * 3u;
    let left = window % 2u * 3u;
    let tokens_y = min(3u, 5u - top);
    let tokens_x = min(3u, 6u - left);
    let tokens = tokens_y * tokens_x;
    let row_share = 1.0f / f32(tokens_x);
    let pads = tokens < 9u;
    let h = at / 8u % 2u;
    let b = at / 16u;
    if at % 2u == 1u {
        let end = select(0u, tokens, pads);
        let pad_k = h * 2u + 4u;
        let pad_v = h * 2u + 8u;
        let first = local / 4u;
        let register0 = local % 4u;
        var sum0 = vec4<f32>();
        for (var start = 0u; start < end; start += 64u) {
            let slot_1 = min(start + local, tokens - 1u);
            let m_y = u32((f32(slot_1) + 0.5f) * row_share);
            let m_x = slot_1 - m_y * tokens_x;
            let m_t = (top + m_y) * 6u + left + m_x;
            let q_row_2 = (b * 30u + m_t) * 12u + h * 2u;
            let g_row_3 = ((b * 30u + m_t) * 2u + h) * 2u;
            let m = (b * 2u + h) * 30u + m_t;
            var product = 0.0f;
            var dp = 0.0f;
            for (var r = 0u; r < 2u; r += 1u) {
                product += dot(b0[q_row_2 + r], b1[pad_k + r]);
                dp += dot(b2[g_row_3 + r], b1[pad_v + r]);
            }
            let base = product * 0.35355338f - b3[m];
            let saved = m * 6u;
            var log_y_peak = (-1e38f);
            for (var k = 0u; k < tokens_y; k += 1u) {
                log_y_peak = max(log_y_peak, b5[saved + k]);
            }
            var log_y_sum = 0.0f;
            for (var k = 0u; k < tokens_y; k += 1u) {
                log_y_sum += exp(b5[saved + k] - log_y_peak);
            }
            let log_y = log_y_peak + log(max(log_y_sum, 1e-30f));
            var log_pads_y_peak = (-1e38f);
            for (var k = tokens_y; k < 3u; k += 1u) {
                log_pads_y_peak = max(log_pads_y_peak, b5[saved + k]);
            }
            var log_pads_y_sum = 0.0f;
            for (var k = tokens_y; k < 3u; k += 1u) {
                log_pads_y_sum += exp(b5[saved + k] - log_pads_y_peak);
            }
            let log_pads_y = log_pads_y_peak + log(max(log_pads_y_sum, 1e-30f));
            var log_x_peak = (-1e38f);
            for (var k = 3u; k < 3u + tokens_x; k += 1u) {
                log_x_peak = max(log_x_peak, b5[saved + k]);
            }
            var log_x_sum = 0.0f;
            for (var k = 3u; k < 3u + tokens_x; k += 1u) {
                log_x_sum += exp(b5[saved + k] - log_x_peak);
            }
            let log_x = log_x_peak + log(max(log_x_sum, 1e-30f));
            var log_pads_x_peak = (-1e38f);
            for (var k = 3u + tokens_x; k < 6u; k += 1u) {
                log_pads_x_peak = max(log_pads_x_peak, b5[saved + k]);
            }
            var log_pads_x_sum = 0.0f;
            for (var k = 3u + tokens_x; k < 6u; k += 1u) {
                log_pads_x_sum += exp(b5[saved + k] - log_pads_x_peak);
            }
            let log_pads_x = log_pads_x_peak + log(max(log_pads_x_sum, 1e-30f));
            let top_4 = max(log_y, log_pads_y);
            let log_all_y = top_4 + log(exp(log_y - top_4) + exp(log_pads_y - top_4));
            let top_5 = max(log_x, log_pads_x);
            let log_all_x = top_5 + log(exp(log_x - top_5) + exp(log_pads_x - top_5));
            let below_6 = log_pads_y + log_all_x;
            let beside_7 = log_y + log_pads_x;
            let top_8 = max(below_6, beside_7);
            let weight = select(0.0f, exp(base + top_8 + log(exp(below_6 - top_8) + exp(beside_7 - top_8))), start + local < tokens);
            let step = weight * (dp - b4[m]) * 0.35355338f;
            factors[local] = vec2<f32>(step, weight);
            workgroupBarrier();
            for (var i = first; i < min(64u, tokens - start); i += 16u) {
                let slot_9 = start + i;
                let m_y = u32((f32(slot_9) + 0.5f) * row_share);
                let m_x = slot_9 - m_y * tokens_x;
                let m_t = (top + m_y) * 6u + left + m_x;
                let q_row_10 = (b * 30u + m_t) * 12u + h * 2u;
                let g_row_11 = ((b * 30u + m_t) * 2u + h) * 2u;
                let factor = factors[i];
                sum0 += select(b2[g_row_11 + register0 % 2u], b0[q_row_10 + register0 % 2u], register0 < 2u) * select(factor.y, factor.x, register0 < 2u);
            }
            workgroupBarrier();
        }
        sums[local] = sum0;
        workgroupBarrier();
        if first == 0u {
            b8[(((b * 4u + window) * 2u + register0 / 2u) * 2u + h) * 2u + register0 % 2u] = sums[register0 + 0u] + sums[register0 + 4u] + sums[register0 + 8u] + sums[register0 + 12u] + sums[register0 + 16u] + sums[register0 + 20u] + sums[register0 + 24u] + sums[register0 + 28u] + sums[register0 + 32u] + sums[register0 + 36u] + sums[register0 + 40u] + sums[register0 + 44u] + sums[register0 + 48u] + sums[register0 + 52u] + sums[register0 + 56u] + sums[register0 + 60u];
        }
        return;
    }
    if at % 2u * 64u >= tokens {
        return;
    }
    let slot_12 = min(p, tokens - 1u);
    let n_y = u32((f32(slot_12) + 0.5f) * row_share);
    let n_x = slot_12 - n_y * tokens_x;
    let n_t = (top + n_y) * 6u + left + n_x;
    let row_13 = (b * 30u + n_t) * 12u + h * 2u + 4u;
    let k0 = b0[row_13 + 0u];
    let k1 = b0[row_13 + 1u];
    let row_14 = (b * 30u + n_t) * 12u + h * 2u + 8u;
    let v0 = b0[row_14 + 0u];
    let v1 = b0[row_14 + 1u];
    var dk0 = vec4<f32>();
    var dk1 = vec4<f32>();
    var dv0 = vec4<f32>();
    var dv1 = vec4<f32>();
    for (var start = 0u; start < tokens; start += 32u) {
        for (var s = local; s < 64u; s += 64u) {
            let slot_15 = min(start + s / 2u, tokens - 1u);
            let m_y = u32((f32(slot_15) + 0.5f) * row_share);
            let m_x = slot_15 - m_y * tokens_x;
            let m_t = (top + m_y) * 6u + left + m_x;
            let q_m = (b * 30u + m_t) * 12u + h * 2u;
            let g_m = ((b * 30u + m_t) * 2u + h) * 2u;
            tile_a[s] = b0[q_m + s % 2u];
            tile_b[s] = b2[g_m + s % 2u];
        }
        workgroupBarrier();
        for (var j = 0u; j < min(32u, tokens - start); j += 4u) {
            let slot_16 = start + j;
            let m0_y = u32((f32(slot_16) + 0.5f) * row_share);
            let m0_x = slot_16 - m0_y * tokens_x;
            let m0_t = (top + m0_y) * 6u + left + m0_x;
            let slot_17 = min(start + j + 1u, tokens - 1u);
            let m1_y = u32((f32(slot_17) + 0.5f) * row_share);
            let m1_x = slot_17 - m1_y * tokens_x;
            let m1_t = (top + m1_y) * 6u + left + m1_x;
            let slot_18 = min(start + j + 2u, tokens - 1u);
            let m2_y = u32((f32(slot_18) + 0.5f) * row_share);
            let m2_x = slot_18 - m2_y * tokens_x;
            let m2_t = (top + m2_y) * 6u + left + m2_x;
            let slot_19 = min(start + j + 3u, tokens - 1u);
            let m3_y = u32((f32(slot_19) + 0.5f) * row_share);
            let m3_x = slot_19 - m3_y * tokens_x;
            let m3_t = (top + m3_y) * 6u + left + m3_x;
            let q0_0 = tile_a[(j + 0u) * 2u + 0u];
            let q0_1 = tile_a[(j + 0u) * 2u + 1u];
            let g0_0 = tile_b[(j + 0u) * 2u + 0u];
            let g0_1 = tile_b[(j + 0u) * 2u + 1u];
            let m0 = (b * 2u + h) * 30u + m0_t;
            let weight0 = exp((dot(k0, q0_0) + dot(k1, q0_1)) * 0.35355338f + b5[m0 * 6u + n_y] + b5[m0 * 6u + 3u + n_x] - b3[m0]);
            let step0 = weight0 * (dot(v0, g0_0) + dot(v1, g0_1) - b4[m0]) * 0.35355338f;
            let q1_0 = tile_a[(j + 1u) * 2u + 0u];
            let q1_1 = tile_a[(j + 1u) * 2u + 1u];
            let g1_0 = tile_b[(j + 1u) * 2u + 0u];
            let g1_1 = tile_b[(j + 1u) * 2u + 1u];
            let m1 = (b * 2u + h) * 30u + m1_t;
            let weight1 = select(0.0f, exp((dot(k0, q1_0) + dot(k1, q1_1)) * 0.35355338f + b5[m1 * 6u + n_y] + b5[m1 * 6u + 3u + n_x] - b3[m1]), start + j + 1u < tokens);
            let step1 = weight1 * (dot(v0, g1_0) + dot(v1, g1_1) - b4[m1]) * 0.35355338f;
            let q2_0 = tile_a[(j + 2u) * 2u + 0u];
            let q2_1 = tile_a[(j + 2u) * 2u + 1u];
            let g2_0 = tile_b[(j + 2u) * 2u + 0u];
            let g2_1 = tile_b[(j + 2u) * 2u + 1u];
            let m2 = (b * 2u + h) * 30u + m2_t;
            let weight2 = select(0.0f, exp((dot(k0, q2_0) + dot(k1, q2_1)) * 0.35355338f + b5[m2 * 6u + n_y] + b5[m2 * 6u + 3u + n_x] - b3[m2]), start + j + 2u < tokens);
            let step2 = weight2 * (dot(v0, g2_0) + dot(v1, g2_1) - b4[m2]) * 0.35355338f;
            let q3_0 = tile_a[(j + 3u) * 2u + 0u];
            let q3_1 = tile_a[(j + 3u) * 2u + 1u];
            let g3_0 = tile_b[(j + 3u) * 2u + 0u];
            let g3_1 = tile_b[(j + 3u) * 2u + 1u];
            let m3 = (b * 2u + h) * 30u + m3_t;
            let weight3 = select(0.0f, exp((dot(k0, q3_0) + dot(k1, q3_1)) * 0.35355338f + b5[m3 * 6u + n_y] + b5[m3 * 6u + 3u + n_x] - b3[m3]), start + j + 3u < tokens);
            let step3 = weight3 * (dot(v0, g3_0) + dot(v1, g3_1) - b4[m3]) * 0.35355338f;
            dv0 += weight0 * g0_0 + weight1 * g1_0 + weight2 * g2_0 + weight3 * g3_0;
            dv1 += weight0 * g0_1 + weight1 * g1_1 + weight2 * g2_1 + weight3 * g3_1;
            dk0 += step0 * q0_0 + step1 * q1_0 + step2 * q2_0 + step3 * q3_0;
            dk1 += step0 * q0_1 + step1 * q1_1 + step2 * q2_1 + step3 * q3_1;
        }
        workgroupBarrier();
    }
    if p < tokens {
        let row_20 = ((b * 30u + n_t) * 2u + h) * 2u;
        b6[row_20 + 0u] = dk0;
        b6[row_20 + 1u] = dk1;
        let row_21 = ((b * 30u + n_t) * 2u + h) * 2u;
        b7[row_21 + 0u] = dv0;
        b7[row_21 + 1u] = dv1;
    }
}
