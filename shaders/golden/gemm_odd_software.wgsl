@group(0) @binding(0) var b0: texture_storage_2d<rgba32float, read>;
@group(0) @binding(1) var b1: texture_storage_2d<rgba32float, read>;
@group(0) @binding(2) var b2: texture_storage_2d<rgba32float, read>;
@group(0) @binding(3) var<storage, read_write> b3: array<f32>;

fn texel(index: u32) -> vec2<u32> {
    return vec2<u32>(index % 1024u, index / 1024u);
}

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
        let read_3 = textureLoad(b0, texel((row_0 + k) / 4u))[(row_0 + k) % 4u];
        let a_0 = subgroupBroadcast(read_3, 0u);
        let a_1 = subgroupBroadcast(read_3, 1u);
        let a_2 = subgroupBroadcast(read_3, 2u);
        let a_3 = subgroupBroadcast(read_3, 3u);
        let a_4 = subgroupBroadcast(read_3, 4u);
        let b_4 = textureLoad(b1, texel((col_0 + k) / 4u))[(col_0 + k) % 4u];
        acc_0_0 += a_0 * b_4;
        acc_1_0 += a_1 * b_4;
        acc_2_0 += a_2 * b_4;
        acc_3_0 += a_3 * b_4;
        acc_4_0 += a_4 * b_4;
    }
    let end_5 = min(5u, 5u - row);
    for (var first = 0u; first < end_5; first += 1u) {
        if first + 0u < end_5 {
            let e = first + 0u;
            let result = acc_0_0;
            let at_row = row + e / 1u;
            let column = e % 1u;
            let at_6 = col + lane;
            if at_6 < 7u {
                let i_7 = at_row * 7u + at_6;
                let x_8 = textureLoad(b2, texel((i_7 % 7u) / 4u))[(i_7 % 7u) % 4u];
                let v_9 = result + x_8;
                b3[i_7] = v_9;
            }
        }
        acc_0_0 = acc_1_0;
        acc_1_0 = acc_2_0;
        acc_2_0 = acc_3_0;
        acc_3_0 = acc_4_0;
    }
}
