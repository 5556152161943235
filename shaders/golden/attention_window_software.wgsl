@group(0) @binding(0) var b0: texture_storage_2d<rgba32float, read>;
@group(0) @binding(1) var b1: texture_storage_2d<rgba32float, read>;
@group(0) @binding(2) var b2: texture_storage_2d<rgba32float, read>;
@group(0) @binding(3) var b3: texture_storage_2d<rgba32float, read>;
@group(0) @binding(4) var<storage, read_write> b4: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read_write> b5: array<f32>;
@group(0) @binding(6) var<storage, read_write> b6: array<f32>;

fn texel(index: u32) -> vec2<u32> {
    return vec2<u32>(index % 1024u, index / 1024u);
}

@compute @workgroup_size(8)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(subgroup_id) subgroup: u32, @builtin(num_subgroups) subgroups: u32, @builtin(subgroup_invocation_id) lane: u32, @builtin(subgroup_size) lanes: u32) {
    let at = group.x;
    let p = at % 2u * 8u + lane;
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
    if at % 2u * 8u >= tokens {
        return;
    }
    let slot_1 = min(p, tokens - 1u);
    let n_y = u32((f32(slot_1) + 0.5f) * row_share);
    let n_x = slot_1 - n_y * tokens_x;
    let n_t = (top + n_y) * 6u + left + n_x;
    let row_2 = (b * 30u + n_t) * 12u + h * 2u;
    let q0 = textureLoad(b0, texel(row_2 + 0u));
    let q1 = textureLoad(b0, texel(row_2 + 1u));
    var terms: array<f32, 6>;
    for (var row = 0u; row < 5u; row += 4u) {
        let own_3 = min(row + lane / 2u, 4u) * 2u;
        let read_0 = textureLoad(b1, texel(own_3 + lane % 2u));
        let k_4 = n_y + 2u - row - 0u;
        let table0_0 = subgroupBroadcast(read_0, 0u);
        let table0_1 = subgroupBroadcast(read_0, 1u);
        if k_4 < 3u {
            terms[k_4 + 0u] = dot(q0, table0_0) + dot(q1, table0_1);
        }
        let k_5 = n_y + 2u - row - 1u;
        let table1_0 = subgroupBroadcast(read_0, 2u);
        let table1_1 = subgroupBroadcast(read_0, 3u);
        if k_5 < 3u {
            terms[k_5 + 0u] = dot(q0, table1_0) + dot(q1, table1_1);
        }
        let k_6 = n_y + 2u - row - 2u;
        let table2_0 = subgroupBroadcast(read_0, 4u);
        let table2_1 = subgroupBroadcast(read_0, 5u);
        if k_6 < 3u {
            terms[k_6 + 0u] = dot(q0, table2_0) + dot(q1, table2_1);
        }
        let k_7 = n_y + 2u - row - 3u;
        let table3_0 = subgroupBroadcast(read_0, 6u);
        let table3_1 = subgroupBroadcast(read_0, 7u);
        if k_7 < 3u {
            terms[k_7 + 0u] = dot(q0, table3_0) + dot(q1, table3_1);
        }
    }
    for (var row = 0u; row < 5u; row += 4u) {
        let own_8 = min(row + lane / 2u, 4u) * 2u;
        let read_0 = textureLoad(b2, texel(own_8 + lane % 2u));
        let k_9 = n_x + 2u - row - 0u;
        let table0_0 = subgroupBroadcast(read_0, 0u);
        let table0_1 = subgroupBroadcast(read_0, 1u);
        if k_9 < 3u {
            terms[k_9 + 3u] = dot(q0, table0_0) + dot(q1, table0_1);
        }
        let k_10 = n_x + 2u - row - 1u;
        let table1_0 = subgroupBroadcast(read_0, 2u);
        let table1_1 = subgroupBroadcast(read_0, 3u);
        if k_10 < 3u {
            terms[k_10 + 3u] = dot(q0, table1_0) + dot(q1, table1_1);
        }
        let k_11 = n_x + 2u - row - 2u;
        let table2_0 = subgroupBroadcast(read_0, 4u);
        let table2_1 = subgroupBroadcast(read_0, 5u);
        if k_11 < 3u {
            terms[k_11 + 3u] = dot(q0, table2_0) + dot(q1, table2_1);
        }
        let k_12 = n_x + 2u - row - 3u;
        let table3_0 = subgroupBroadcast(read_0, 6u);
        let table3_1 = subgroupBroadcast(read_0, 7u);
        if k_12 < 3u {
            terms[k_12 + 3u] = dot(q0, table3_0) + dot(q1, table3_1);
        }
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
    for (var j = 0u; j < tokens; j += 4u) {
        let slot_13 = j;
        let m0_y = u32((f32(slot_13) + 0.5f) * row_share);
        let m0_x = slot_13 - m0_y * tokens_x;
        let m0_t = (top + m0_y) * 6u + left + m0_x;
        let slot_14 = min(j + 1u, tokens - 1u);
        let m1_y = u32((f32(slot_14) + 0.5f) * row_share);
        let m1_x = slot_14 - m1_y * tokens_x;
        let m1_t = (top + m1_y) * 6u + left + m1_x;
        let slot_15 = min(j + 2u, tokens - 1u);
        let m2_y = u32((f32(slot_15) + 0.5f) * row_share);
        let m2_x = slot_15 - m2_y * tokens_x;
        let m2_t = (top + m2_y) * 6u + left + m2_x;
        let slot_16 = min(j + 3u, tokens - 1u);
        let m3_y = u32((f32(slot_16) + 0.5f) * row_share);
        let m3_x = slot_16 - m3_y * tokens_x;
        let m3_t = (top + m3_y) * 6u + left + m3_x;
        let slot_17 = min(j + 0u + lane / 2u, tokens - 1u);
        let lane0_y = u32((f32(slot_17) + 0.5f) * row_share);
        let lane0_x = slot_17 - lane0_y * tokens_x;
        let lane0_t = (top + lane0_y) * 6u + left + lane0_x;
        let k_lane0 = (b * 30u + lane0_t) * 12u + h * 2u + 4u;
        let v_lane0 = (b * 30u + lane0_t) * 12u + h * 2u + 8u;
        let k_read0_0 = textureLoad(b0, texel(k_lane0 + lane % 2u));
        let v_read0_0 = textureLoad(b0, texel(v_lane0 + lane % 2u));
        let k0_0 = subgroupBroadcast(k_read0_0, 0u);
        let k0_1 = subgroupBroadcast(k_read0_0, 1u);
        let score0 = (dot(q0, k0_0) + dot(q1, k0_1)) * 0.35355338f + terms[m0_y] + terms[3u + m0_x];
        let k1_0 = subgroupBroadcast(k_read0_0, 2u);
        let k1_1 = subgroupBroadcast(k_read0_0, 3u);
        let score1 = select((-1e38f), (dot(q0, k1_0) + dot(q1, k1_1)) * 0.35355338f + terms[m1_y] + terms[3u + m1_x], j + 1u < tokens);
        let k2_0 = subgroupBroadcast(k_read0_0, 4u);
        let k2_1 = subgroupBroadcast(k_read0_0, 5u);
        let score2 = select((-1e38f), (dot(q0, k2_0) + dot(q1, k2_1)) * 0.35355338f + terms[m2_y] + terms[3u + m2_x], j + 2u < tokens);
        let k3_0 = subgroupBroadcast(k_read0_0, 6u);
        let k3_1 = subgroupBroadcast(k_read0_0, 7u);
        let score3 = select((-1e38f), (dot(q0, k3_0) + dot(q1, k3_1)) * 0.35355338f + terms[m3_y] + terms[3u + m3_x], j + 3u < tokens);
        let top = max(max(max(max(peak, score0), score1), score2), score3);
        let shrink = exp(peak - top);
        peak = top;
        let weight0 = exp(score0 - top);
        let weight1 = exp(score1 - top);
        let weight2 = exp(score2 - top);
        let weight3 = exp(score3 - top);
        total = total * shrink + weight0 + weight1 + weight2 + weight3;
        let v0_0 = subgroupBroadcast(v_read0_0, 0u);
        let v0_1 = subgroupBroadcast(v_read0_0, 1u);
        let v1_0 = subgroupBroadcast(v_read0_0, 2u);
        let v1_1 = subgroupBroadcast(v_read0_0, 3u);
        let v2_0 = subgroupBroadcast(v_read0_0, 4u);
        let v2_1 = subgroupBroadcast(v_read0_0, 5u);
        let v3_0 = subgroupBroadcast(v_read0_0, 6u);
        let v3_1 = subgroupBroadcast(v_read0_0, 7u);
        o0 = o0 * shrink + weight0 * v0_0 + weight1 * v1_0 + weight2 * v2_0 + weight3 * v3_0;
        o1 = o1 * shrink + weight0 * v0_1 + weight1 * v1_1 + weight2 * v2_1 + weight3 * v3_1;
    }
    if pads {
        let row_18 = h * 2u + 4u;
        let pad_k0 = textureLoad(b3, texel(row_18 + 0u));
        let pad_k1 = textureLoad(b3, texel(row_18 + 1u));
        let row_19 = h * 2u + 8u;
        let v0_0 = textureLoad(b3, texel(row_19 + 0u));
        let v0_1 = textureLoad(b3, texel(row_19 + 1u));
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
        let top_20 = max(log_y, log_pads_y);
        let log_all_y = top_20 + log(exp(log_y - top_20) + exp(log_pads_y - top_20));
        let top_21 = max(log_x, log_pads_x);
        let log_all_x = top_21 + log(exp(log_x - top_21) + exp(log_pads_x - top_21));
        let below_22 = log_pads_y + log_all_x;
        let beside_23 = log_y + log_pads_x;
        let top_24 = max(below_22, beside_23);
        let score0 = (dot(q0, pad_k0) + dot(q1, pad_k1)) * 0.35355338f + top_24 + log(exp(below_22 - top_24) + exp(beside_23 - top_24));
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
        let row_25 = ((b * 30u + n_t) * 2u + h) * 2u;
        b4[row_25 + 0u] = o0 * inverse;
        b4[row_25 + 1u] = o1 * inverse;
        b5[(b * 2u + h) * 30u + n_t] = peak + log(total);
    }
}
