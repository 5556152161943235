@group(0) @binding(0) var b0: texture_storage_2d<rgba32float, read>;
@group(0) @binding(1) var b1: texture_storage_2d<rgba32float, read>;
@group(0) @binding(2) var b2: texture_storage_2d<rgba32float, read>;
@group(0) @binding(3) var b3: texture_storage_2d<rgba32float, read>;
@group(0) @binding(4) var b4: texture_storage_2d<rgba32float, read>;
@group(0) @binding(5) var b5: texture_storage_2d<rgba32float, read>;
@group(0) @binding(6) var<storage, read_write> b6: array<vec4<f32>>;
@group(0) @binding(7) var<storage, read_write> b7: array<vec4<f32>>;
@group(0) @binding(8) var<storage, read_write> b8: array<vec4<f32>>;
var<workgroup> factors: array<vec2<f32>, 8>;
var<workgroup> sums: array<vec4<f32>, 8>;

fn texel(index: u32) -> vec2<u32> {
    return vec2<u32>(index % 1024u, index / 1024u);
}

@compute @workgroup_size(8)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(subgroup_id) subgroup: u32, @builtin(num_subgroups) subgroups: u32, @builtin(subgroup_invocation_id) lane: u32, @builtin(subgroup_size) lanes: u32) {
    let at = group.x;
    let p = at % 3u * 8u + lane;
    let window = at / 3u % 4u;
    let top = window / 2u * 3u;
    let left = window % 2u * 3u;
    let tokens_y = min(3u, 5u - top);
    let tokens_x = min(3u, 6u - left);
    let tokens = tokens_y * tokens_x;
    let row_share = 1.0f / f32(tokens_x);
    let pads = tokens < 9u;
    let h = at / 12u % 2u;
    let b = at / 24u;
    if at % 3u == 2u {
        let end = select(0u, tokens, pads);
        let pad_k = h * 2u + 4u;
        let pad_v = h * 2u + 8u;
        let first = lane / 4u;
        let register0 = lane % 4u;
        var sum0 = vec4<f32>();
        for (var start = 0u; start < end; start += 8u) {
            let slot_1 = min(start + lane, tokens - 1u);
            let m_y = u32((f32(slot_1) + 0.5f) * row_share);
            let m_x = slot_1 - m_y * tokens_x;
            let m_t = (top + m_y) * 6u + left + m_x;
            let q_row_2 = (b * 30u + m_t) * 12u + h * 2u;
            let g_row_3 = ((b * 30u + m_t) * 2u + h) * 2u;
            let m = (b * 2u + h) * 30u + m_t;
            var product = 0.0f;
            var dp = 0.0f;
            for (var r = 0u; r < 2u; r += 1u) {
                product += dot(textureLoad(b0, texel(q_row_2 + r)), textureLoad(b1, texel(pad_k + r)));
                dp += dot(textureLoad(b2, texel(g_row_3 + r)), textureLoad(b1, texel(pad_v + r)));
            }
            let base = product * 0.35355338f - textureLoad(b3, texel((m) / 4u))[(m) % 4u];
            let saved = m * 6u;
            var log_y_peak = (-1e38f);
            for (var k = 0u; k < tokens_y; k += 1u) {
                log_y_peak = max(log_y_peak, textureLoad(b5, texel((saved + k) / 4u))[(saved + k) % 4u]);
            }
            var log_y_sum = 0.0f;
            for (var k = 0u; k < tokens_y; k += 1u) {
                log_y_sum += exp(textureLoad(b5, texel((saved + k) / 4u))[(saved + k) % 4u] - log_y_peak);
            }
            let log_y = log_y_peak + log(max(log_y_sum, 1e-30f));
            var log_pads_y_peak = (-1e38f);
            for (var k = tokens_y; k < 3u; k += 1u) {
                log_pads_y_peak = max(log_pads_y_peak, textureLoad(b5, texel((saved + k) / 4u))[(saved + k) % 4u]);
            }
            var log_pads_y_sum = 0.0f;
            for (var k = tokens_y; k < 3u; k += 1u) {
                log_pads_y_sum += exp(textureLoad(b5, texel((saved + k) / 4u))[(saved + k) % 4u] - log_pads_y_peak);
            }
            let log_pads_y = log_pads_y_peak + log(max(log_pads_y_sum, 1e-30f));
            var log_x_peak = (-1e38f);
            for (var k = 3u; k < 3u + tokens_x; k += 1u) {
                log_x_peak = max(log_x_peak, textureLoad(b5, texel((saved + k) / 4u))[(saved + k) % 4u]);
            }
            var log_x_sum = 0.0f;
            for (var k = 3u; k < 3u + tokens_x; k += 1u) {
                log_x_sum += exp(textureLoad(b5, texel((saved + k) / 4u))[(saved + k) % 4u] - log_x_peak);
            }
            let log_x = log_x_peak + log(max(log_x_sum, 1e-30f));
            var log_pads_x_peak = (-1e38f);
            for (var k = 3u + tokens_x; k < 6u; k += 1u) {
                log_pads_x_peak = max(log_pads_x_peak, textureLoad(b5, texel((saved + k) / 4u))[(saved + k) % 4u]);
            }
            var log_pads_x_sum = 0.0f;
            for (var k = 3u + tokens_x; k < 6u; k += 1u) {
                log_pads_x_sum += exp(textureLoad(b5, texel((saved + k) / 4u))[(saved + k) % 4u] - log_pads_x_peak);
            }
            let log_pads_x = log_pads_x_peak + log(max(log_pads_x_sum, 1e-30f));
            let top_4 = max(log_y, log_pads_y);
            let log_all_y = top_4 + log(exp(log_y - top_4) + exp(log_pads_y - top_4));
            let top_5 = max(log_x, log_pads_x);
            let log_all_x = top_5 + log(exp(log_x - top_5) + exp(log_pads_x - top_5));
            let below_6 = log_pads_y + log_all_x;
            let beside_7 = log_y + log_pads_x;
            let top_8 = max(below_6, beside_7);
            let weight = select(0.0f, exp(base + top_8 + log(exp(below_6 - top_8) + exp(beside_7 - top_8))), start + lane < tokens);
            let step = weight * (dp - textureLoad(b4, texel((m) / 4u))[(m) % 4u]) * 0.35355338f;
            factors[lane] = vec2<f32>(step, weight);
            workgroupBarrier();
            for (var i = first; i < min(8u, tokens - start); i += 2u) {
                let slot_9 = start + i;
                let m_y = u32((f32(slot_9) + 0.5f) * row_share);
                let m_x = slot_9 - m_y * tokens_x;
                let m_t = (top + m_y) * 6u + left + m_x;
                let q_row_10 = (b * 30u + m_t) * 12u + h * 2u;
                let g_row_11 = ((b * 30u + m_t) * 2u + h) * 2u;
                let factor = factors[i];
                sum0 += select(textureLoad(b2, texel(g_row_11 + register0 % 2u)), textureLoad(b0, texel(q_row_10 + register0 % 2u)), register0 < 2u) * select(factor.y, factor.x, register0 < 2u);
            }
            workgroupBarrier();
        }
        sums[lane] = sum0;
        workgroupBarrier();
        if first == 0u {
            b8[(((b * 4u + window) * 2u + register0 / 2u) * 2u + h) * 2u + register0 % 2u] = sums[register0 + 0u] + sums[register0 + 4u];
        }
        return;
    }
    if at % 3u * 8u >= tokens {
        return;
    }
    let slot_12 = min(p, tokens - 1u);
    let n_y = u32((f32(slot_12) + 0.5f) * row_share);
    let n_x = slot_12 - n_y * tokens_x;
    let n_t = (top + n_y) * 6u + left + n_x;
    let row_13 = (b * 30u + n_t) * 12u + h * 2u + 4u;
    let k0 = textureLoad(b0, texel(row_13 + 0u));
    let k1 = textureLoad(b0, texel(row_13 + 1u));
    let row_14 = (b * 30u + n_t) * 12u + h * 2u + 8u;
    let v0 = textureLoad(b0, texel(row_14 + 0u));
    let v1 = textureLoad(b0, texel(row_14 + 1u));
    var dk0 = vec4<f32>();
    var dk1 = vec4<f32>();
    var dv0 = vec4<f32>();
    var dv1 = vec4<f32>();
    for (var j = 0u; j < tokens; j += 4u) {
        let slot_15 = j;
        let m0_y = u32((f32(slot_15) + 0.5f) * row_share);
        let m0_x = slot_15 - m0_y * tokens_x;
        let m0_t = (top + m0_y) * 6u + left + m0_x;
        let slot_16 = min(j + 1u, tokens - 1u);
        let m1_y = u32((f32(slot_16) + 0.5f) * row_share);
        let m1_x = slot_16 - m1_y * tokens_x;
        let m1_t = (top + m1_y) * 6u + left + m1_x;
        let slot_17 = min(j + 2u, tokens - 1u);
        let m2_y = u32((f32(slot_17) + 0.5f) * row_share);
        let m2_x = slot_17 - m2_y * tokens_x;
        let m2_t = (top + m2_y) * 6u + left + m2_x;
        let slot_18 = min(j + 3u, tokens - 1u);
        let m3_y = u32((f32(slot_18) + 0.5f) * row_share);
        let m3_x = slot_18 - m3_y * tokens_x;
        let m3_t = (top + m3_y) * 6u + left + m3_x;
        let slot_19 = min(j + 0u + lane / 2u, tokens - 1u);
        let lane0_y = u32((f32(slot_19) + 0.5f) * row_share);
        let lane0_x = slot_19 - lane0_y * tokens_x;
        let lane0_t = (top + lane0_y) * 6u + left + lane0_x;
        let q_lane0 = (b * 30u + lane0_t) * 12u + h * 2u;
        let g_lane0 = ((b * 30u + lane0_t) * 2u + h) * 2u;
        let q_read0_0 = textureLoad(b0, texel(q_lane0 + lane % 2u));
        let g_read0_0 = textureLoad(b2, texel(g_lane0 + lane % 2u));
        let q0_0 = subgroupBroadcast(q_read0_0, 0u);
        let q0_1 = subgroupBroadcast(q_read0_0, 1u);
        let g0_0 = subgroupBroadcast(g_read0_0, 0u);
        let g0_1 = subgroupBroadcast(g_read0_0, 1u);
        let m0 = (b * 2u + h) * 30u + m0_t;
        let weight0 = exp((dot(k0, q0_0) + dot(k1, q0_1)) * 0.35355338f + textureLoad(b5, texel((m0 * 6u + n_y) / 4u))[(m0 * 6u + n_y) % 4u] + textureLoad(b5, texel((m0 * 6u + 3u + n_x) / 4u))[(m0 * 6u + 3u + n_x) % 4u] - textureLoad(b3, texel((m0) / 4u))[(m0) % 4u]);
        let step0 = weight0 * (dot(v0, g0_0) + dot(v1, g0_1) - textureLoad(b4, texel((m0) / 4u))[(m0) % 4u]) * 0.35355338f;
        let q1_0 = subgroupBroadcast(q_read0_0, 2u);
        let q1_1 = subgroupBroadcast(q_read0_0, 3u);
        let g1_0 = subgroupBroadcast(g_read0_0, 2u);
        let g1_1 = subgroupBroadcast(g_read0_0, 3u);
        let m1 = (b * 2u + h) * 30u + m1_t;
        let weight1 = select(0.0f, exp((dot(k0, q1_0) + dot(k1, q1_1)) * 0.35355338f + textureLoad(b5, texel((m1 * 6u + n_y) / 4u))[(m1 * 6u + n_y) % 4u] + textureLoad(b5, texel((m1 * 6u + 3u + n_x) / 4u))[(m1 * 6u + 3u + n_x) % 4u] - textureLoad(b3, texel((m1) / 4u))[(m1) % 4u]), j + 1u < tokens);
        let step1 = weight1 * (dot(v0, g1_0) + dot(v1, g1_1) - textureLoad(b4, texel((m1) / 4u))[(m1) % 4u]) * 0.35355338f;
        let q2_0 = subgroupBroadcast(q_read0_0, 4u);
        let q2_1 = subgroupBroadcast(q_read0_0, 5u);
        let g2_0 = subgroupBroadcast(g_read0_0, 4u);
        let g2_1 = subgroupBroadcast(g_read0_0, 5u);
        let m2 = (b * 2u + h) * 30u + m2_t;
        let weight2 = select(0.0f, exp((dot(k0, q2_0) + dot(k1, q2_1)) * 0.35355338f + textureLoad(b5, texel((m2 * 6u + n_y) / 4u))[(m2 * 6u + n_y) % 4u] + textureLoad(b5, texel((m2 * 6u + 3u + n_x) / 4u))[(m2 * 6u + 3u + n_x) % 4u] - textureLoad(b3, texel((m2) / 4u))[(m2) % 4u]), j + 2u < tokens);
        let step2 = weight2 * (dot(v0, g2_0) + dot(v1, g2_1) - textureLoad(b4, texel((m2) / 4u))[(m2) % 4u]) * 0.35355338f;
        let q3_0 = subgroupBroadcast(q_read0_0, 6u);
        let q3_1 = subgroupBroadcast(q_read0_0, 7u);
        let g3_0 = subgroupBroadcast(g_read0_0, 6u);
        let g3_1 = subgroupBroadcast(g_read0_0, 7u);
        let m3 = (b * 2u + h) * 30u + m3_t;
        let weight3 = select(0.0f, exp((dot(k0, q3_0) + dot(k1, q3_1)) * 0.35355338f + textureLoad(b5, texel((m3 * 6u + n_y) / 4u))[(m3 * 6u + n_y) % 4u] + textureLoad(b5, texel((m3 * 6u + 3u + n_x) / 4u))[(m3 * 6u + 3u + n_x) % 4u] - textureLoad(b3, texel((m3) / 4u))[(m3) % 4u]), j + 3u < tokens);
        let step3 = weight3 * (dot(v0, g3_0) + dot(v1, g3_1) - textureLoad(b4, texel((m3) / 4u))[(m3) % 4u]) * 0.35355338f;
        dv0 += weight0 * g0_0 + weight1 * g1_0 + weight2 * g2_0 + weight3 * g3_0;
        dv1 += weight0 * g0_1 + weight1 * g1_1 + weight2 * g2_1 + weight3 * g3_1;
        dk0 += step0 * q0_0 + step1 * q1_0 + step2 * q2_0 + step3 * q3_0;
        dk1 += step0 * q0_1 + step1 * q1_1 + step2 * q2_1 + step3 * q3_1;
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
