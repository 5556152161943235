@group(0) @binding(0) var b0: texture_storage_2d<rgba32float, read>;
@group(0) @binding(1) var b1: texture_storage_2d<rgba32float, read>;
@group(0) @binding(2) var b2: texture_storage_2d<rgba32float, read>;
@group(0) @binding(3) var b3: texture_storage_2d<rgba32float, read>;
@group(0) @binding(4) var b4: texture_storage_2d<rgba32float, read>;
@group(0) @binding(5) var b5: texture_storage_2d<rgba32float, read>;
@group(0) @binding(6) var b6: texture_storage_2d<rgba32float, read>;
@group(0) @binding(7) var b7: texture_storage_2d<rgba32float, read>;
@group(0) @binding(8) var<storage, read_write> b8: array<vec4<f32>>;
@group(0) @binding(9) var<storage, read_write> b9: array<f32>;

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
    let row_3 = ((b * 30u + n_t) * 2u + h) * 2u;
    let g0 = textureLoad(b4, texel(row_3 + 0u));
    let g1 = textureLoad(b4, texel(row_3 + 1u));
    let n = (b * 2u + h) * 30u + n_t;
    let lse = textureLoad(b5, texel((n) / 4u))[(n) % 4u];
    let delta = textureLoad(b6, texel((n) / 4u))[(n) % 4u];
    var dq0 = vec4<f32>();
    var dq1 = vec4<f32>();
    let n_rel = n * 6u;
    var terms: array<f32, 6>;
    for (var k = 0u; k < 6u; k += 1u) {
        terms[k] = 0.0f;
    }
    for (var j = 0u; j < tokens; j += 4u) {
        let slot_4 = j;
        let m0_y = u32((f32(slot_4) + 0.5f) * row_share);
        let m0_x = slot_4 - m0_y * tokens_x;
        let m0_t = (top + m0_y) * 6u + left + m0_x;
        let slot_5 = min(j + 1u, tokens - 1u);
        let m1_y = u32((f32(slot_5) + 0.5f) * row_share);
        let m1_x = slot_5 - m1_y * tokens_x;
        let m1_t = (top + m1_y) * 6u + left + m1_x;
        let slot_6 = min(j + 2u, tokens - 1u);
        let m2_y = u32((f32(slot_6) + 0.5f) * row_share);
        let m2_x = slot_6 - m2_y * tokens_x;
        let m2_t = (top + m2_y) * 6u + left + m2_x;
        let slot_7 = min(j + 3u, tokens - 1u);
        let m3_y = u32((f32(slot_7) + 0.5f) * row_share);
        let m3_x = slot_7 - m3_y * tokens_x;
        let m3_t = (top + m3_y) * 6u + left + m3_x;
        let slot_8 = min(j + 0u + lane / 2u, tokens - 1u);
        let lane0_y = u32((f32(slot_8) + 0.5f) * row_share);
        let lane0_x = slot_8 - lane0_y * tokens_x;
        let lane0_t = (top + lane0_y) * 6u + left + lane0_x;
        let k_lane0 = (b * 30u + lane0_t) * 12u + h * 2u + 4u;
        let v_lane0 = (b * 30u + lane0_t) * 12u + h * 2u + 8u;
        let k_read0_0 = textureLoad(b0, texel(k_lane0 + lane % 2u));
        let v_read0_0 = textureLoad(b0, texel(v_lane0 + lane % 2u));
        let k0_0 = subgroupBroadcast(k_read0_0, 0u);
        let k0_1 = subgroupBroadcast(k_read0_0, 1u);
        let v0_0 = subgroupBroadcast(v_read0_0, 0u);
        let v0_1 = subgroupBroadcast(v_read0_0, 1u);
        let weight0 = exp((dot(q0, k0_0) + dot(q1, k0_1)) * 0.35355338f + textureLoad(b7, texel((n_rel + m0_y) / 4u))[(n_rel + m0_y) % 4u] + textureLoad(b7, texel((n_rel + 3u + m0_x) / 4u))[(n_rel + 3u + m0_x) % 4u] - lse);
        let ds0 = weight0 * (dot(g0, v0_0) + dot(g1, v0_1) - delta);
        terms[m0_y] += ds0;
        terms[3u + m0_x] += ds0;
        let step0 = ds0 * 0.35355338f;
        let k1_0 = subgroupBroadcast(k_read0_0, 2u);
        let k1_1 = subgroupBroadcast(k_read0_0, 3u);
        let v1_0 = subgroupBroadcast(v_read0_0, 2u);
        let v1_1 = subgroupBroadcast(v_read0_0, 3u);
        let weight1 = select(0.0f, exp((dot(q0, k1_0) + dot(q1, k1_1)) * 0.35355338f + textureLoad(b7, texel((n_rel + m1_y) / 4u))[(n_rel + m1_y) % 4u] + textureLoad(b7, texel((n_rel + 3u + m1_x) / 4u))[(n_rel + 3u + m1_x) % 4u] - lse), j + 1u < tokens);
        let ds1 = weight1 * (dot(g0, v1_0) + dot(g1, v1_1) - delta);
        terms[m1_y] += ds1;
        terms[3u + m1_x] += ds1;
        let step1 = ds1 * 0.35355338f;
        let k2_0 = subgroupBroadcast(k_read0_0, 4u);
        let k2_1 = subgroupBroadcast(k_read0_0, 5u);
        let v2_0 = subgroupBroadcast(v_read0_0, 4u);
        let v2_1 = subgroupBroadcast(v_read0_0, 5u);
        let weight2 = select(0.0f, exp((dot(q0, k2_0) + dot(q1, k2_1)) * 0.35355338f + textureLoad(b7, texel((n_rel + m2_y) / 4u))[(n_rel + m2_y) % 4u] + textureLoad(b7, texel((n_rel + 3u + m2_x) / 4u))[(n_rel + 3u + m2_x) % 4u] - lse), j + 2u < tokens);
        let ds2 = weight2 * (dot(g0, v2_0) + dot(g1, v2_1) - delta);
        terms[m2_y] += ds2;
        terms[3u + m2_x] += ds2;
        let step2 = ds2 * 0.35355338f;
        let k3_0 = subgroupBroadcast(k_read0_0, 6u);
        let k3_1 = subgroupBroadcast(k_read0_0, 7u);
        let v3_0 = subgroupBroadcast(v_read0_0, 6u);
        let v3_1 = subgroupBroadcast(v_read0_0, 7u);
        let weight3 = select(0.0f, exp((dot(q0, k3_0) + dot(q1, k3_1)) * 0.35355338f + textureLoad(b7, texel((n_rel + m3_y) / 4u))[(n_rel + m3_y) % 4u] + textureLoad(b7, texel((n_rel + 3u + m3_x) / 4u))[(n_rel + 3u + m3_x) % 4u] - lse), j + 3u < tokens);
        let ds3 = weight3 * (dot(g0, v3_0) + dot(g1, v3_1) - delta);
        terms[m3_y] += ds3;
        terms[3u + m3_x] += ds3;
        let step3 = ds3 * 0.35355338f;
        dq0 += step0 * k0_0 + step1 * k1_0 + step2 * k2_0 + step3 * k3_0;
        dq1 += step0 * k0_1 + step1 * k1_1 + step2 * k2_1 + step3 * k3_1;
    }
    if pads {
        let row_9 = h * 2u + 4u;
        let pad_k0 = textureLoad(b3, texel(row_9 + 0u));
        let pad_k1 = textureLoad(b3, texel(row_9 + 1u));
        let row_10 = h * 2u + 8u;
        let pad_v0 = textureLoad(b3, texel(row_10 + 0u));
        let pad_v1 = textureLoad(b3, texel(row_10 + 1u));
        let base = (dot(q0, pad_k0) + dot(q1, pad_k1)) * 0.35355338f - lse;
        let excess = (dot(g0, pad_v0) + dot(g1, pad_v1)) - delta;
        let saved = n_rel;
        var log_y_peak = (-1e38f);
        for (var k = 0u; k < tokens_y; k += 1u) {
            log_y_peak = max(log_y_peak, textureLoad(b7, texel((saved + k) / 4u))[(saved + k) % 4u]);
        }
        var log_y_sum = 0.0f;
        for (var k = 0u; k < tokens_y; k += 1u) {
            log_y_sum += exp(textureLoad(b7, texel((saved + k) / 4u))[(saved + k) % 4u] - log_y_peak);
        }
        let log_y = log_y_peak + log(max(log_y_sum, 1e-30f));
        var log_pads_y_peak = (-1e38f);
        for (var k = tokens_y; k < 3u; k += 1u) {
            log_pads_y_peak = max(log_pads_y_peak, textureLoad(b7, texel((saved + k) / 4u))[(saved + k) % 4u]);
        }
        var log_pads_y_sum = 0.0f;
        for (var k = tokens_y; k < 3u; k += 1u) {
            log_pads_y_sum += exp(textureLoad(b7, texel((saved + k) / 4u))[(saved + k) % 4u] - log_pads_y_peak);
        }
        let log_pads_y = log_pads_y_peak + log(max(log_pads_y_sum, 1e-30f));
        var log_x_peak = (-1e38f);
        for (var k = 3u; k < 3u + tokens_x; k += 1u) {
            log_x_peak = max(log_x_peak, textureLoad(b7, texel((saved + k) / 4u))[(saved + k) % 4u]);
        }
        var log_x_sum = 0.0f;
        for (var k = 3u; k < 3u + tokens_x; k += 1u) {
            log_x_sum += exp(textureLoad(b7, texel((saved + k) / 4u))[(saved + k) % 4u] - log_x_peak);
        }
        let log_x = log_x_peak + log(max(log_x_sum, 1e-30f));
        var log_pads_x_peak = (-1e38f);
        for (var k = 3u + tokens_x; k < 6u; k += 1u) {
            log_pads_x_peak = max(log_pads_x_peak, textureLoad(b7, texel((saved + k) / 4u))[(saved + k) % 4u]);
        }
        var log_pads_x_sum = 0.0f;
        for (var k = 3u + tokens_x; k < 6u; k += 1u) {
            log_pads_x_sum += exp(textureLoad(b7, texel((saved + k) / 4u))[(saved + k) % 4u] - log_pads_x_peak);
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
            terms[k] += exp(base + textureLoad(b7, texel((saved + k) / 4u))[(saved + k) % 4u] + select(select(log_all_y, log_pads_y, k < 3u + tokens_x), select(log_all_x, log_pads_x, k < tokens_y), k < 3u)) * excess;
        }
    }
    for (var row = 0u; row < 5u; row += 4u) {
        let own_16 = min(row + lane / 2u, 4u) * 2u;
        let read_0 = textureLoad(b1, texel(own_16 + lane % 2u));
        let k_17 = n_y + 2u - row - 0u;
        let table0_0 = subgroupBroadcast(read_0, 0u);
        let table0_1 = subgroupBroadcast(read_0, 1u);
        if k_17 < 3u {
            let part_18 = terms[k_17 + 0u];
            dq0 += part_18 * table0_0;
            dq1 += part_18 * table0_1;
        }
        let k_19 = n_y + 2u - row - 1u;
        let table1_0 = subgroupBroadcast(read_0, 2u);
        let table1_1 = subgroupBroadcast(read_0, 3u);
        if k_19 < 3u {
            let part_20 = terms[k_19 + 0u];
            dq0 += part_20 * table1_0;
            dq1 += part_20 * table1_1;
        }
        let k_21 = n_y + 2u - row - 2u;
        let table2_0 = subgroupBroadcast(read_0, 4u);
        let table2_1 = subgroupBroadcast(read_0, 5u);
        if k_21 < 3u {
            let part_22 = terms[k_21 + 0u];
            dq0 += part_22 * table2_0;
            dq1 += part_22 * table2_1;
        }
        let k_23 = n_y + 2u - row - 3u;
        let table3_0 = subgroupBroadcast(read_0, 6u);
        let table3_1 = subgroupBroadcast(read_0, 7u);
        if k_23 < 3u {
            let part_24 = terms[k_23 + 0u];
            dq0 += part_24 * table3_0;
            dq1 += part_24 * table3_1;
        }
    }
    for (var row = 0u; row < 5u; row += 4u) {
        let own_25 = min(row + lane / 2u, 4u) * 2u;
        let read_0 = textureLoad(b2, texel(own_25 + lane % 2u));
        let k_26 = n_x + 2u - row - 0u;
        let table0_0 = subgroupBroadcast(read_0, 0u);
        let table0_1 = subgroupBroadcast(read_0, 1u);
        if k_26 < 3u {
            let part_27 = terms[k_26 + 3u];
            dq0 += part_27 * table0_0;
            dq1 += part_27 * table0_1;
        }
        let k_28 = n_x + 2u - row - 1u;
        let table1_0 = subgroupBroadcast(read_0, 2u);
        let table1_1 = subgroupBroadcast(read_0, 3u);
        if k_28 < 3u {
            let part_29 = terms[k_28 + 3u];
            dq0 += part_29 * table1_0;
            dq1 += part_29 * table1_1;
        }
        let k_30 = n_x + 2u - row - 2u;
        let table2_0 = subgroupBroadcast(read_0, 4u);
        let table2_1 = subgroupBroadcast(read_0, 5u);
        if k_30 < 3u {
            let part_31 = terms[k_30 + 3u];
            dq0 += part_31 * table2_0;
            dq1 += part_31 * table2_1;
        }
        let k_32 = n_x + 2u - row - 3u;
        let table3_0 = subgroupBroadcast(read_0, 6u);
        let table3_1 = subgroupBroadcast(read_0, 7u);
        if k_32 < 3u {
            let part_33 = terms[k_32 + 3u];
            dq0 += part_33 * table3_0;
            dq1 += part_33 * table3_1;
        }
    }
    if p < tokens {
        let saved = ((b * 2u + h) * 30u + n_t) * 6u;
        for (var k = 0u; k < 6u; k += 1u) {
            b9[saved + k] = terms[k];
        }
    }
    if p < tokens {
        let row_34 = ((b * 30u + n_t) * 2u + h) * 2u;
        b8[row_34 + 0u] = dq0;
        b8[row_34 + 1u] = dq1;
    }
}
