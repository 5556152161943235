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
    let col = 0u * 4u;
    let row = tile * 32u;
    let batch = 0u;
    let base_1 = 0u;
    let col_0 = (base_1 + min(col + lane, 3u) * 64u) / 4u;
    let base_2 = 0u;
    let row_0 = (base_2 + min(row + lane * 4u, 391u) * 64u) / 4u;
    let row_1 = (base_2 + min(row + 1u + lane * 4u, 391u) * 64u) / 4u;
    let row_2 = (base_2 + min(row + 2u + lane * 4u, 391u) * 64u) / 4u;
    let row_3 = (base_2 + min(row + 3u + lane * 4u, 391u) * 64u) / 4u;
    var acc_0_0 = vec4<f32>();
    var acc_1_0 = vec4<f32>();
    var acc_2_0 = vec4<f32>();
    var acc_3_0 = vec4<f32>();
    for (var k = 0u; k < 64u; k += 4u) {
        let read_3 = textureLoad(b1, texel(col_0 + k / 4u));
        let a_0 = subgroupBroadcast(read_3, 0u);
        let a_1 = subgroupBroadcast(read_3, 1u);
        let a_2 = subgroupBroadcast(read_3, 2u);
        let a_3 = subgroupBroadcast(read_3, 3u);
        let read_4 = textureLoad(b0, texel(row_0 + k / 4u));
        let read_5 = textureLoad(b0, texel(row_1 + k / 4u));
        let read_6 = textureLoad(b0, texel(row_2 + k / 4u));
        let read_7 = textureLoad(b0, texel(row_3 + k / 4u));
        let b_8 = transpose(mat4x4<f32>(read_4, read_5, read_6, read_7));
        acc_0_0 += b_8 * a_0;
        acc_1_0 += b_8 * a_1;
        acc_2_0 += b_8 * a_2;
        acc_3_0 += b_8 * a_3;
    }
    let end_9 = min(4u, 4u - col);
    for (var first = 0u; first < end_9; first += 1u) {
        if first + 0u < end_9 {
            let e = first + 0u;
            let result = acc_0_0;
            let at_col = col + e / 1u;
            let column = e % 1u;
            let at_10 = row + lane * 4u;
            if at_10 < 392u {
                let i_11 = at_10 * 4u + at_col;
                let x_12 = textureLoad(b2, texel((i_11 % 4u) / 4u))[(i_11 % 4u) % 4u];
                let v_13 = result.x + x_12;
                b3[i_11] = v_13;
            }
            let at_14 = row + lane * 4u + 1u;
            if at_14 < 392u {
                let i_15 = at_14 * 4u + at_col;
                let x_16 = textureLoad(b2, texel((i_15 % 4u) / 4u))[(i_15 % 4u) % 4u];
                let v_17 = result.y + x_16;
                b3[i_15] = v_17;
            }
            let at_18 = row + lane * 4u + 2u;
            if at_18 < 392u {
                let i_19 = at_18 * 4u + at_col;
                let x_20 = textureLoad(b2, texel((i_19 % 4u) / 4u))[(i_19 % 4u) % 4u];
                let v_21 = result.z + x_20;
                b3[i_19] = v_21;
            }
            let at_22 = row + lane * 4u + 3u;
            if at_22 < 392u {
                let i_23 = at_22 * 4u + at_col;
                let x_24 = textureLoad(b2, texel((i_23 % 4u) / 4u))[(i_23 % 4u) % 4u];
                let v_25 = result.w + x_24;
                b3[i_23] = v_25;
            }
        }
        acc_0_0 = acc_1_0;
        acc_1_0 = acc_2_0;
        acc_2_0 = acc_3_0;
    }
}
