@group(0) @binding(0) var b0: texture_storage_2d<rgba32float, read>;
@group(0) @binding(1) var<storage, read_write> b1: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> b2: array<f32>;

fn texel(index: u32) -> vec2<u32> {
    return vec2<u32>(index % 1024u, index / 1024u);
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(subgroup_id) subgroup: u32, @builtin(num_subgroups) subgroups: u32, @builtin(subgroup_invocation_id) lane: u32, @builtin(subgroup_size) lanes: u32) {
    let first = (group.x) * 8u;
    for (var row = first + subgroup; row < min(first + 8u, 50u); row += subgroups) {
        let base = row * 768u;
        var part_1 = vec4<f32>((-3e38f));
        for (var c_2 = lane * 4u; c_2 < 768u; c_2 += lanes * 4u) {
            let i_3 = base + c_2;
            let x_4 = textureLoad(b0, texel(i_3 / 4u));
            part_1 = max(part_1, x_4);
        }
        let part_5 = max(max(part_1.x, part_1.y), max(part_1.z, part_1.w));
        let reduced_6 = subgroupMax(part_5);
        let reduced_7 = vec4<f32>(reduced_6);
        var part_8 = vec4<f32>(0.0f);
        for (var c_9 = lane * 4u; c_9 < 768u; c_9 += lanes * 4u) {
            let i_10 = base + c_9;
            let x_11 = textureLoad(b0, texel(i_10 / 4u));
            let v_12 = x_11 - reduced_7;
            let v_13 = exp(v_12);
            part_8 += v_13;
        }
        let part_14 = (part_8.x + part_8.y) + (part_8.z + part_8.w);
        let reduced_15 = subgroupAdd(part_14);
        let reduced_16 = vec4<f32>(reduced_15);
        for (var c_17 = lane * 4u; c_17 < 768u; c_17 += lanes * 4u) {
            let i_18 = base + c_17;
            let x_19 = textureLoad(b0, texel(i_18 / 4u));
            let v_20 = x_19 - reduced_7;
            let v_21 = exp(v_20);
            let v_22 = v_21 / reduced_16;
            b1[i_18 / 4u] = v_22;
        }
        if lane == 0u {
            let v_23 = log(reduced_15);
            let v_24 = reduced_6 + v_23;
            b2[row] = v_24;
        }
    }
}
