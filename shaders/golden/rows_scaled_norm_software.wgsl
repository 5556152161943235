@group(0) @binding(0) var b0: texture_storage_2d<rgba32float, read>;
@group(0) @binding(1) var b1: texture_storage_2d<rgba32float, read>;
@group(0) @binding(2) var<storage, read_write> b2: array<vec4<f32>>;

fn texel(index: u32) -> vec2<u32> {
    return vec2<u32>(index % 1024u, index / 1024u);
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(subgroup_id) subgroup: u32, @builtin(num_subgroups) subgroups: u32, @builtin(subgroup_invocation_id) lane: u32, @builtin(subgroup_size) lanes: u32) {
    let first = (group.x) * 64u;
    let c_1 = lane * 4u;
    let c_2 = min(c_1, 44u);
    let x_3 = textureLoad(b1, texel((c_2 % 48u) / 4u));
    let c_4 = lane * 4u + lanes * 4u;
    let c_5 = min(c_4, 44u);
    let x_6 = textureLoad(b1, texel((c_5 % 48u) / 4u));
    for (var row = first + subgroup; row < first + 64u; row += subgroups) {
        let base = row * 48u;
        let i_7 = base + c_2;
        let x_8 = textureLoad(b0, texel(i_7 / 4u));
        let i_9 = base + c_5;
        let x_10 = textureLoad(b0, texel(i_9 / 4u));
        var part_11 = vec4<f32>(0.0f);
        if c_1 <= 44u {
            let v_12 = x_8 * x_8;
            part_11 += v_12;
        }
        if c_4 <= 44u {
            let v_13 = x_10 * x_10;
            part_11 += v_13;
        }
        let part_14 = (part_11.x + part_11.y) + (part_11.z + part_11.w);
        let reduced_15 = subgroupAdd(part_14);
        let reduced_16 = vec4<f32>(reduced_15);
        if c_1 <= 44u {
            let v_17 = sqrt(reduced_16);
            let v_18 = x_8 / v_17;
            let v_19 = v_18 * x_3;
            b2[i_7 / 4u] = v_19;
        }
        if c_4 <= 44u {
            let v_20 = sqrt(reduced_16);
            let v_21 = x_10 / v_20;
            let v_22 = v_21 * x_6;
            b2[i_9 / 4u] = v_22;
        }
    }
}
