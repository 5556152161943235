@group(0) @binding(0) var b0: texture_storage_2d<rgba32float, read>;
@group(0) @binding(1) var b1: texture_storage_2d<rgba32float, read>;
@group(0) @binding(2) var b2: texture_storage_2d<rgba32float, read>;
@group(0) @binding(3) var<storage, read_write> b3: array<vec4<f32>>;

fn texel(index: u32) -> vec2<u32> {
    return vec2<u32>(index % 1024u, index / 1024u);
}

@compute @workgroup_size(8)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(subgroup_id) subgroup: u32, @builtin(num_subgroups) subgroups: u32, @builtin(subgroup_invocation_id) lane: u32, @builtin(subgroup_size) lanes: u32) {
    let tile = group.x;
    let row = tile / 2u * 16u;
    let col = tile % 2u * 32u;
    let batch = 0u;
    let base_1 = 0u;
    let row_0 = (base_1 + min(row + lane, 63u) * 32u) / 4u;
    let row_1 = (base_1 + min(row + 8u + lane, 63u) * 32u) / 4u;
    let base_2 = 0u;
    let col_0 = (base_2 + min(col + lane * 4u, 47u) * 32u) / 4u;
    let col_1 = (base_2 + min(col + 1u + lane * 4u, 47u) * 32u) / 4u;
    let col_2 = (base_2 + min(col + 2u + lane * 4u, 47u) * 32u) / 4u;
    let col_3 = (base_2 + min(col + 3u + lane * 4u, 47u) * 32u) / 4u;
    var acc_0_0 = vec4<f32>();
    var acc_1_0 = vec4<f32>();
    var acc_2_0 = vec4<f32>();
    var acc_3_0 = vec4<f32>();
    var acc_4_0 = vec4<f32>();
    var acc_5_0 = vec4<f32>();
    var acc_6_0 = vec4<f32>();
    var acc_7_0 = vec4<f32>();
    var acc_8_0 = vec4<f32>();
    var acc_9_0 = vec4<f32>();
    var acc_10_0 = vec4<f32>();
    var acc_11_0 = vec4<f32>();
    var acc_12_0 = vec4<f32>();
    var acc_13_0 = vec4<f32>();
    var acc_14_0 = vec4<f32>();
    var acc_15_0 = vec4<f32>();
    for (var k = 0u; k < 32u; k += 4u) {
        let read_3 = textureLoad(b0, texel(row_0 + k / 4u));
        let a_0 = subgroupBroadcast(read_3, 0u);
        let a_1 = subgroupBroadcast(read_3, 1u);
        let a_2 = subgroupBroadcast(read_3, 2u);
        let a_3 = subgroupBroadcast(read_3, 3u);
        let a_4 = subgroupBroadcast(read_3, 4u);
        let a_5 = subgroupBroadcast(read_3, 5u);
        let a_6 = subgroupBroadcast(read_3, 6u);
        let a_7 = subgroupBroadcast(read_3, 7u);
        let read_4 = textureLoad(b0, texel(row_1 + k / 4u));
        let a_8 = subgroupBroadcast(read_4, 0u);
        let a_9 = subgroupBroadcast(read_4, 1u);
        let a_10 = subgroupBroadcast(read_4, 2u);
        let a_11 = subgroupBroadcast(read_4, 3u);
        let a_12 = subgroupBroadcast(read_4, 4u);
        let a_13 = subgroupBroadcast(read_4, 5u);
        let a_14 = subgroupBroadcast(read_4, 6u);
        let a_15 = subgroupBroadcast(read_4, 7u);
        let read_5 = textureLoad(b1, texel(col_0 + k / 4u));
        let read_6 = textureLoad(b1, texel(col_1 + k / 4u));
        let read_7 = textureLoad(b1, texel(col_2 + k / 4u));
        let read_8 = textureLoad(b1, texel(col_3 + k / 4u));
        let b_9 = transpose(mat4x4<f32>(read_5, read_6, read_7, read_8));
        acc_0_0 += b_9 * a_0;
        acc_1_0 += b_9 * a_1;
        acc_2_0 += b_9 * a_2;
        acc_3_0 += b_9 * a_3;
        acc_4_0 += b_9 * a_4;
        acc_5_0 += b_9 * a_5;
        acc_6_0 += b_9 * a_6;
        acc_7_0 += b_9 * a_7;
        acc_8_0 += b_9 * a_8;
        acc_9_0 += b_9 * a_9;
        acc_10_0 += b_9 * a_10;
        acc_11_0 += b_9 * a_11;
        acc_12_0 += b_9 * a_12;
        acc_13_0 += b_9 * a_13;
        acc_14_0 += b_9 * a_14;
        acc_15_0 += b_9 * a_15;
    }
    let end_10 = min(16u, 64u - row);
    for (var first = 0u; first < end_10; first += 4u) {
        if first + 0u < end_10 {
            let e = first + 0u;
            let result = acc_0_0;
            let at_row = row + e / 1u;
            let column = e % 1u;
            let at_11 = col + lane * 4u;
            if at_11 < 48u {
                let i_12 = at_row * 48u + at_11;
                let x_13 = textureLoad(b2, texel((i_12 % 48u) / 4u));
                let v_14 = result + x_13;
                b3[i_12 / 4u] = v_14;
            }
        }
        if first + 1u < end_10 {
            let e = first + 1u;
            let result = acc_1_0;
            let at_row = row + e / 1u;
            let column = e % 1u;
            let at_15 = col + lane * 4u;
            if at_15 < 48u {
                let i_16 = at_row * 48u + at_15;
                let x_17 = textureLoad(b2, texel((i_16 % 48u) / 4u));
                let v_18 = result + x_17;
                b3[i_16 / 4u] = v_18;
            }
        }
        if first + 2u < end_10 {
            let e = first + 2u;
            let result = acc_2_0;
            let at_row = row + e / 1u;
            let column = e % 1u;
            let at_19 = col + lane * 4u;
            if at_19 < 48u {
                let i_20 = at_row * 48u + at_19;
                let x_21 = textureLoad(b2, texel((i_20 % 48u) / 4u));
                let v_22 = result + x_21;
                b3[i_20 / 4u] = v_22;
            }
        }
        if first + 3u < end_10 {
            let e = first + 3u;
            let result = acc_3_0;
            let at_row = row + e / 1u;
            let column = e % 1u;
            let at_23 = col + lane * 4u;
            if at_23 < 48u {
                let i_24 = at_row * 48u + at_23;
                let x_25 = textureLoad(b2, texel((i_24 % 48u) / 4u));
                let v_26 = result + x_25;
                b3[i_24 / 4u] = v_26;
            }
        }
        acc_0_0 = acc_4_0;
        acc_1_0 = acc_5_0;
        acc_2_0 = acc_6_0;
        acc_3_0 = acc_7_0;
        acc_4_0 = acc_8_0;
        acc_5_0 = acc_9_0;
        acc_6_0 = acc_10_0;
        acc_7_0 = acc_11_0;
        acc_8_0 = acc_12_0;
        acc_9_0 = acc_13_0;
        acc_10_0 = acc_14_0;
        acc_11_0 = acc_15_0;
    }
}
