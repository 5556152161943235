@group(0) @binding(0) var b0: texture_storage_2d<rgba32float, read>;
@group(0) @binding(1) var<storage, read_write> b1: array<f32>;
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
        var found_2 = vec4<u32>(0u);
        for (var c_3 = lane * 4u; c_3 < 768u; c_3 += lanes * 4u) {
            let i_4 = base + c_3;
            let x_5 = textureLoad(b0, texel(i_4 / 4u));
            let more_6 = x_5 > part_1;
            part_1 = select(part_1, x_5, more_6);
            found_2 = select(found_2, vec4<u32>(c_3) + vec4<u32>(0u, 1u, 2u, 3u), more_6);
        }
        let part_7 = max(max(part_1.x, part_1.y), max(part_1.z, part_1.w));
        let found_8 = select(vec4<u32>(0xffffffffu), found_2, part_1 == vec4<f32>(part_7));
        let found_9 = min(min(found_8.x, found_8.y), min(found_8.z, found_8.w));
        let reduced_10 = subgroupMax(part_7);
        let found_11 = subgroupMin(select(0xffffffffu, found_9, part_7 == reduced_10));
        let reduced_12 = vec4<f32>(reduced_10);
        let place_13 = f32(found_11);
        let reduced_14 = vec4<f32>(place_13);
        if lane == 0u {
            b1[row] = reduced_10;
            b2[row] = place_13;
        }
    }
}
