@group(0) @binding(0) var b0: texture_2d<f32>;
@group(0) @binding(1) var b1: texture_2d<f32>;
@group(0) @binding(2) var b2: texture_2d<f32>;
@group(0) @binding(3) var b3: texture_2d<f32>;
@group(0) @binding(4) var b4: texture_2d<f32>;
@group(0) @binding(5) var b5: texture_2d<f32>;
@group(0) @binding(6) var b6: texture_2d<f32>;
@group(0) @binding(7) var b7: texture_2d<f32>;
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
    let h = at / 8u % 2u;
    let b = at / 16u;
    let slot_1 = min(p, 8u);
    let n_y = slot_1 / 3u;
    let n_x = slot_1 % 3u;
    let n_t = (min(top + n_y, 4u)) * 6u + min(left + n_x, 5u);
    let row_2 = (b * 30u + n_t) * 12u + h * 2u;
    let q0 = textureLoad(b0, texel(row_2 + 0u), 0);
    let q1 = textureLoad(b0, texel(row_2 + 1u), 0);
    let row_3 = ((b * 30u + n_t) * 2u + h) * 2u;
    let g0 = textureLoad(b4, texel(row_3 + 0u), 0);
    let g1 = textureLoad(b4, texel(row_3 + 1u), 0);
    let n = (b * 2u + h) * 30u + n_t;
    let lse = textureLoad(b5, texel((n) / 4u), 0)[(n) % 4u];
    let delta = textureLoad(b6, texel((n) / 4u), 0)[(n) % 4u];
    var dq0 = vec4<f32>();
    var dq1 = vec4<f32>();
    let n_rel = n * 6u;
    var terms: array<f32, 6>;
    for (var k = 0u; k < 6u; k += 1u) {
        terms[k] = 0.0f;
    }
    for (var j = 0u; j < 9u; j += 4u) {
        let slot_4 = j;
        let m0_y = slot_4 / 3u;
        let m0_x = slot_4 % 3u;
        let m0_t = (min(top + m0_y, 4u)) * 6u + min(left + m0_x, 5u);
        let slot_5 = min(j + 1u, 8u);
        let m1_y = slot_5 / 3u;
        let m1_x = slot_5 % 3u;
        let m1_t = (min(top + m1_y, 4u)) * 6u + min(left + m1_x, 5u);
        let slot_6 = min(j + 2u, 8u);
        let m2_y = slot_6 / 3u;
        let m2_x = slot_6 % 3u;
        let m2_t = (min(top + m2_y, 4u)) * 6u + min(left + m2_x, 5u);
        let slot_7 = min(j + 3u, 8u);
        let m3_y = slot_7 / 3u;
        let m3_x = slot_7 % 3u;
        let m3_t = (min(top + m3_y, 4u)) * 6u + min(left + m3_x, 5u);
        let slot_8 = min(j + 0u + lane / 2u, 8u);
        let lane0_y = slot_8 / 3u;
        let lane0_x = slot_8 % 3u;
        let lane0_t = (min(top + lane0_y, 4u)) * 6u + min(left + lane0_x, 5u);
        let lane0_real = top + lane0_y < 5u && left + lane0_x < 6u;
        let k_lane0 = (b * 30u + lane0_t) * 12u + h * 2u + 4u;
        let v_lane0 = (b * 30u + lane0_t) * 12u + h * 2u + 8u;
        let k_read0_0 = select(textureLoad(b3, texel(h * 2u + 4u + lane % 2u), 0), textureLoad(b0, texel(k_lane0 + lane % 2u), 0), lane0_real);
        let v_read0_0 = select(textureLoad(b3, texel(h * 2u + 8u + lane % 2u), 0), textureLoad(b0, texel(v_lane0 + lane % 2u), 0), lane0_real);
        let k0_0 = subgroupBroadcast(k_read0_0, 0u);
        let k0_1 = subgroupBroadcast(k_read0_0, 1u);
        let v0_0 = subgroupBroadcast(v_read0_0, 0u);
        let v0_1 = subgroupBroadcast(v_read0_0, 1u);
        let weight0 = exp((dot(q0, k0_0) + dot(q1, k0_1)) * 0.35355338f + textureLoad(b7, texel((n_rel + m0_y) / 4u), 0)[(n_rel + m0_y) % 4u] + textureLoad(b7, texel((n_rel + 3u + m0_x) / 4u), 0)[(n_rel + 3u + m0_x) % 4u] - lse);
        let ds0 = weight0 * (dot(g0, v0_0) + dot(g1, v0_1) - delta);
        terms[m0_y] += ds0;
        terms[3u + m0_x] += ds0;
        let step0 = ds0 * 0.35355338f;
        let k1_0 = subgroupBroadcast(k_read0_0, 2u);
        let k1_1 = subgroupBroadcast(k_read0_0, 3u);
        let v1_0 = subgroupBroadcast(v_read0_0, 2u);
        let v1_1 = subgroupBroadcast(v_read0_0, 3u);
        let weight1 = select(0.0f, exp((dot(q0, k1_0) + dot(q1, k1_1)) * 0.35355338f + textureLoad(b7, texel((n_rel + m1_y) / 4u), 0)[(n_rel + m1_y) % 4u] + textureLoad(b7, texel((n_rel + 3u + m1_x) / 4u), 0)[(n_rel + 3u + m1_x) % 4u] - lse), j + 1u < 9u);
        let ds1 = weight1 * (dot(g0, v1_0) + dot(g1, v1_1) - delta);
        terms[m1_y] += ds1;
        terms[3u + m1_x] += ds1;
        let step1 = ds1 * 0.35355338f;
        let k2_0 = subgroupBroadcast(k_read0_0, 4u);
        let k2_1 = subgroupBroadcast(k_read0_0, 5u);
        let v2_0 = subgroupBroadcast(v_read0_0, 4u);
        let v2_1 = subgroupBroadcast(v_read0_0, 5u);
        let weight2 = select(0.0f, exp((dot(q0, k2_0) + dot(q1, k2_1)) * 0.35355338f + textureLoad(b7, texel((n_rel + m2_y) / 4u), 0)[(n_rel + m2_y) % 4u] + textureLoad(b7, texel((n_rel + 3u + m2_x) / 4u), 0)[(n_rel + 3u + m2_x) % 4u] - lse), j + 2u < 9u);
        let ds2 = weight2 * (dot(g0, v2_0) + dot(g1, v2_1) - delta);
        terms[m2_y] += ds2;
        terms[3u + m2_x] += ds2;
        let step2 = ds2 * 0.35355338f;
        let k3_0 = subgroupBroadcast(k_read0_0, 6u);
        let k3_1 = subgroupBroadcast(k_read0_0, 7u);
        let v3_0 = subgroupBroadcast(v_read0_0, 6u);
        let v3_1 = subgroupBroadcast(v_read0_0, 7u);
        let weight3 = select(0.0f, exp((dot(q0, k3_0) + dot(q1, k3_1)) * 0.35355338f + textureLoad(b7, texel((n_rel + m3_y) / 4u), 0)[(n_rel + m3_y) % 4u] + textureLoad(b7, texel((n_rel + 3u + m3_x) / 4u), 0)[(n_rel + 3u + m3_x) % 4u] - lse), j + 3u < 9u);
        let ds3 = weight3 * (dot(g0, v3_0) + dot(g1, v3_1) - delta);
        terms[m3_y] += ds3;
        terms[3u + m3_x] += ds3;
        let step3 = ds3 * 0.35355338f;
        dq0 += step0 * k0_0 + step1 * k1_0 + step2 * k2_0 + step3 * k3_0;
        dq1 += step0 * k0_1 + step1 * k1_1 + step2 * k2_1 + step3 * k3_1;
    }
    for (var row = 0u; row < 5u; row += 4u) {
        let own_9 = min(row + lane / 2u, 4u) * 2u;
        let read_0 = textureLoad(b1, texel(own_9 + lane % 2u), 0);
        let k_10 = n_y + 2u - row - 0u;
        let table0_0 = subgroupBroadcast(read_0, 0u);
        let table0_1 = subgroupBroadcast(read_0, 1u);
        if k_10 < 3u {
            let part_11 = terms[k_10 + 0u];
            dq0 += part_11 * table0_0;
            dq1 += part_11 * table0_1;
        }
        let k_12 = n_y + 2u - row - 1u;
        let table1_0 = subgroupBroadcast(read_0, 2u);
        let table1_1 = subgroupBroadcast(read_0, 3u);
        if k_12 < 3u {
            let part_13 = terms[k_12 + 0u];
            dq0 += part_13 * table1_0;
            dq1 += part_13 * table1_1;
        }
        let k_14 = n_y + 2u - row - 2u;
        let table2_0 = subgroupBroadcast(read_0, 4u);
        let table2_1 = subgroupBroadcast(read_0, 5u);
        if k_14 < 3u {
            let part_15 = terms[k_14 + 0u];
            dq0 += part_15 * table2_0;
            dq1 += part_15 * table2_1;
        }
        let k_16 = n_y + 2u - row - 3u;
        let table3_0 = subgroupBroadcast(read_0, 6u);
        let table3_1 = subgroupBroadcast(read_0, 7u);
        if k_16 < 3u {
            let part_17 = terms[k_16 + 0u];
            dq0 += part_17 * table3_0;
            dq1 += part_17 * table3_1;
        }
    }
    for (var row = 0u; row < 5u; row += 4u) {
        let own_18 = min(row + lane / 2u, 4u) * 2u;
        let read_0 = textureLoad(b2, texel(own_18 + lane % 2u), 0);
        let k_19 = n_x + 2u - row - 0u;
        let table0_0 = subgroupBroadcast(read_0, 0u);
        let table0_1 = subgroupBroadcast(read_0, 1u);
        if k_19 < 3u {
            let part_20 = terms[k_19 + 3u];
            dq0 += part_20 * table0_0;
            dq1 += part_20 * table0_1;
        }
        let k_21 = n_x + 2u - row - 1u;
        let table1_0 = subgroupBroadcast(read_0, 2u);
        let table1_1 = subgroupBroadcast(read_0, 3u);
        if k_21 < 3u {
            let part_22 = terms[k_21 + 3u];
            dq0 += part_22 * table1_0;
            dq1 += part_22 * table1_1;
        }
        let k_23 = n_x + 2u - row - 2u;
        let table2_0 = subgroupBroadcast(read_0, 4u);
        let table2_1 = subgroupBroadcast(read_0, 5u);
        if k_23 < 3u {
            let part_24 = terms[k_23 + 3u];
            dq0 += part_24 * table2_0;
            dq1 += part_24 * table2_1;
        }
        let k_25 = n_x + 2u - row - 3u;
        let table3_0 = subgroupBroadcast(read_0, 6u);
        let table3_1 = subgroupBroadcast(read_0, 7u);
        if k_25 < 3u {
            let part_26 = terms[k_25 + 3u];
            dq0 += part_26 * table3_0;
            dq1 += part_26 * table3_1;
        }
    }
    if p < 9u && top + n_y < 5u && left + n_x < 6u {
        let saved = ((b * 2u + h) * 30u + n_t) * 6u;
        for (var k = 0u; k < 6u; k += 1u) {
            b9[saved + k] = terms[k];
        }
    }
    if p < 9u && top + n_y < 5u && left + n_x < 6u {
        let row_27 = ((b * 30u + n_t) * 2u + h) * 2u;
        b8[row_27 + 0u] = dq0;
        b8[row_27 + 1u] = dq1;
    }
}
