@group(0) @binding(0) var b0: texture_storage_2d<rgba32float, read>;
@group(0) @binding(1) var<storage, read_write> b1: array<vec4<f32>>;

fn texel(index: u32) -> vec2<u32> {
    return vec2<u32>(index % 1024u, index / 1024u);
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(subgroup_id) subgroup: u32, @builtin(num_subgroups) subgroups: u32, @builtin(subgroup_invocation_id) lane: u32, @builtin(subgroup_size) lanes: u32) {
    let first = (group.x) * 8u;
    for (var quad = first + subgroup; quad < first + 8u; quad += subgroups) {
        let row = quad * 4u;
        let base = row;
        var part_1 = vec4<f32>(0.0f);
        for (var c_2 = lane; c_2 < 4096u; c_2 += lanes) {
            let i_3 = base + c_2 * 768u;
            let x_4 = textureLoad(b0, texel(i_3 / 4u));
            part_1 += x_4;
        }
        let reduced_5 = subgroupAdd(part_1);
        if lane == 0u {
            b1[row / 4u] = reduced_5;
        }
    }
}
