@group(0) @binding(0) var<storage, read> b0: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read> b1: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> b2: array<f32>;
@group(0) @binding(3) var<storage, read_write> b3: array<f32>;
var<workgroup> results: array<vec4<f32>, 32>;

@compute @workgroup_size(8)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(subgroup_id) subgroup: u32, @builtin(num_subgroups) subgroups: u32, @builtin(subgroup_invocation_id) lane: u32, @builtin(subgroup_size) lanes: u32) {
    let tile = group.x;
    let col = tile / 13u % 1u * 4u;
    let row = tile % 13u * 32u;
    let batch = tile / 13u;
    let base1 = 0u;
    let col_0 = (base1 + min(col + lane, 3u) * 64u) / 4u;
    let base2 = 0u;
    let row_0 = (base2 + min(row + lane, 391u) * 64u) / 4u;
    let row_1 = (base2 + min(row + 8u + lane, 391u) * 64u) / 4u;
    let row_2 = (base2 + min(row + 16u + lane, 391u) * 64u) / 4u;
    let row_3 = (base2 + min(row + 24u + lane, 391u) * 64u) / 4u;
    var acc_0_0 = vec4<f32>();
    var acc_1_0 = vec4<f32>();
    var acc_2_0 = vec4<f32>();
    var acc_3_0 = vec4<f32>();
    for (var k = 0u; k < 64u; k += 4u) {
        let read3 = b1[col_0 + k / 4u];
        let a_0 = subgroupBroadcast(read3, 0u);
        let a_1 = subgroupBroadcast(read3, 1u);
        let a_2 = subgroupBroadcast(read3, 2u);
        let a_3 = subgroupBroadcast(read3, 3u);
        let read4 = b0[row_0 + k / 4u];
        let read5 = b0[row_1 + k / 4u];
        let read6 = b0[row_2 + k / 4u];
        let read7 = b0[row_3 + k / 4u];
        let b8 = transpose(mat4x4<f32>(read4, read5, read6, read7));
        acc_0_0 += b8 * a_0;
        acc_1_0 += b8 * a_1;
        acc_2_0 += b8 * a_2;
        acc_3_0 += b8 * a_3;
    }
    results[0u + lane] = acc_0_0;
    results[8u + lane] = acc_1_0;
    results[16u + lane] = acc_2_0;
    results[24u + lane] = acc_3_0;
    let end9 = min(4u, 4u - col);
    for (var e = 0u; e < end9; e += 1u) {
        let result = results[e * 8u + lane];
        let at_col = col + e / 1u;
        let column = e % 1u;
        let at10 = row + lane;
        if at10 < 392u {
            let i11 = (batch * 392u + at10) * 4u + at_col;
            let x12 = b2[i11 % 4u];
            let v13 = result.x + x12;
            b3[i11] = v13;
        }
        let at14 = row + lane + 8u;
        if at14 < 392u {
            let i15 = (batch * 392u + at14) * 4u + at_col;
            let x16 = b2[i15 % 4u];
            let v17 = result.y + x16;
            b3[i15] = v17;
        }
        let at18 = row + lane + 16u;
        if at18 < 392u {
            let i19 = (batch * 392u + at18) * 4u + at_col;
            let x20 = b2[i19 % 4u];
            let v21 = result.z + x20;
            b3[i19] = v21;
        }
        let at22 = row + lane + 24u;
        if at22 < 392u {
            let i23 = (batch * 392u + at22) * 4u + at_col;
            let x24 = b2[i23 % 4u];
            let v25 = result.w + x24;
            b3[i23] = v25;
        }
    }
}
