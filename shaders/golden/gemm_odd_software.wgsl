@group(0) @binding(0) var<storage, read> b0: array<f32>;
@group(0) @binding(1) var<storage, read> b1: array<f32>;
@group(0) @binding(2) var<storage, read> b2: array<f32>;
@group(0) @binding(3) var<storage, read_write> b3: array<f32>;
var<workgroup> results: array<f32, 40>;

@compute @workgroup_size(8)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(subgroup_id) subgroup: u32, @builtin(num_subgroups) subgroups: u32, @builtin(subgroup_invocation_id) lane: u32, @builtin(subgroup_size) lanes: u32) {
    let tile = group.x;
    let row = 0u * 5u;
    let col = 0u * 8u;
    let batch = 0u;
    let base_1 = 0u;
    let row_0 = base_1 + min(row + lane, 4u) * 3u;
    let base_2 = 0u;
    let col_0 = base_2 + min(col + lane, 6u) * 3u;
    var acc_0_0 = f32();
    var acc_1_0 = f32();
    var acc_2_0 = f32();
    var acc_3_0 = f32();
    var acc_4_0 = f32();
    for (var k = 0u; k < 3u; k += 1u) {
        let read_3 = b0[row_0 + k];
        let a_0 = subgroupBroadcast(read_3, 0u);
        let a_1 = subgroupBroadcast(read_3, 1u);
        let a_2 = subgroupBroadcast(read_3, 2u);
        let a_3 = subgroupBroadcast(read_3, 3u);
        let a_4 = subgroupBroadcast(read_3, 4u);
        let b_4 = b1[col_0 + k];
        acc_0_0 += a_0 * b_4;
        acc_1_0 += a_1 * b_4;
        acc_2_0 += a_2 * b_4;
        acc_3_0 += a_3 * b_4;
        acc_4_0 += a_4 * b_4;
    }
    results[0u + lane] = acc_0_0;
    results[8u + lane] = acc_1_0;
    results[16u + lane] = acc_2_0;
    results[24u + lane] = acc_3_0;
    results[32u + lane] = acc_4_0;
    let end_5 = min(5u, 5u - row);
    for (var e = 0u; e < end_5; e += 1u) {
        let result = results[e * 8u + lane];
        let at_row = row + e / 1u;
        let column = e % 1u;
        let at_6 = col + lane;
        if at_6 < 7u {
            let i_7 = at_row * 7u + at_6;
            let x_8 = b2[i_7 % 7u];
            let v_9 = result + x_8;
            b3[i_7] = v_9;
        }
    }
}
