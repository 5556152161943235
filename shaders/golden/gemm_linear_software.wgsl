@group(0) @binding(0) var<storage, read> b0: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read> b1: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> b2: array<f32>;
@group(0) @binding(3) var<storage, read_write> b3: array<f32>;
var<workgroup> results: array<vec4<f32>, 64>;

@compute @workgroup_size(8)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(subgroup_id) subgroup: u32, @builtin(num_subgroups) subgroups: u32, @builtin(subgroup_invocation_id) lane: u32, @builtin(subgroup_size) lanes: u32) {
    let tile = group.x;
    let row = tile / 2u % 8u * 8u;
    let col = tile % 2u * 32u;
    let batch = tile / 16u;
    let base_1 = 0u;
    let row_0 = (base_1 + min(row + lane, 63u) * 32u) / 4u;
    let base_2 = 0u;
    let col_0 = (base_2 + min(col + lane, 47u) * 32u) / 4u;
    let col_1 = (base_2 + min(col + 8u + lane, 47u) * 32u) / 4u;
    let col_2 = (base_2 + min(col + 16u + lane, 47u) * 32u) / 4u;
    let col_3 = (base_2 + min(col + 24u + lane, 47u) * 32u) / 4u;
    var acc_0_0 = vec4<f32>();
    var acc_1_0 = vec4<f32>();
    var acc_2_0 = vec4<f32>();
    var acc_3_0 = vec4<f32>();
    var acc_4_0 = vec4<f32>();
    var acc_5_0 = vec4<f32>();
    var acc_6_0 = vec4<f32>();
    var acc_7_0 = vec4<f32>();
    for (var k = 0u; k < 32u; k += 4u) {
        let read_3 = b0[row_0 + k / 4u];
        let a_0 = subgroupBroadcast(read_3, 0u);
        let a_1 = subgroupBroadcast(read_3, 1u);
        let a_2 = subgroupBroadcast(read_3, 2u);
        let a_3 = subgroupBroadcast(read_3, 3u);
        let a_4 = subgroupBroadcast(read_3, 4u);
        let a_5 = subgroupBroadcast(read_3, 5u);
        let a_6 = subgroupBroadcast(read_3, 6u);
        let a_7 = subgroupBroadcast(read_3, 7u);
        let read_4 = b1[col_0 + k / 4u];
        let read_5 = b1[col_1 + k / 4u];
        let read_6 = b1[col_2 + k / 4u];
        let read_7 = b1[col_3 + k / 4u];
        let b_8 = transpose(mat4x4<f32>(read_4, read_5, read_6, read_7));
        acc_0_0 += b_8 * a_0;
        acc_1_0 += b_8 * a_1;
        acc_2_0 += b_8 * a_2;
        acc_3_0 += b_8 * a_3;
        acc_4_0 += b_8 * a_4;
        acc_5_0 += b_8 * a_5;
        acc_6_0 += b_8 * a_6;
        acc_7_0 += b_8 * a_7;
    }
    results[0u + lane] = acc_0_0;
    results[8u + lane] = acc_1_0;
    results[16u + lane] = acc_2_0;
    results[24u + lane] = acc_3_0;
    results[32u + lane] = acc_4_0;
    results[40u + lane] = acc_5_0;
    results[48u + lane] = acc_6_0;
    results[56u + lane] = acc_7_0;
    let end_9 = min(8u, 64u - row);
    for (var e = 0u; e < end_9; e += 1u) {
        let result = results[e * 8u + lane];
        let at_row = row + e / 1u;
        let column = e % 1u;
        let at_10 = col + lane;
        if at_10 < 48u {
            let i_11 = (batch * 64u + at_row) * 48u + at_10;
            let x_12 = b2[i_11 % 48u];
            let v_13 = result.x + x_12;
            b3[i_11] = v_13;
        }
        let at_14 = col + lane + 8u;
        if at_14 < 48u {
            let i_15 = (batch * 64u + at_row) * 48u + at_14;
            let x_16 = b2[i_15 % 48u];
            let v_17 = result.y + x_16;
            b3[i_15] = v_17;
        }
        let at_18 = col + lane + 16u;
        if at_18 < 48u {
            let i_19 = (batch * 64u + at_row) * 48u + at_18;
            let x_20 = b2[i_19 % 48u];
            let v_21 = result.z + x_20;
            b3[i_19] = v_21;
        }
        let at_22 = col + lane + 24u;
        if at_22 < 48u {
            let i_23 = (batch * 64u + at_row) * 48u + at_22;
            let x_24 = b2[i_23 % 48u];
            let v_25 = result.w + x_24;
            b3[i_23] = v_25;
        }
    }
}
