@group(0) @binding(0) var<storage, read> b0: array<vec2<u64>>;
@group(0) @binding(1) var<storage, read_write> b1: array<vec4<f32>>;

fn unpack(words: vec2<u64>) -> vec4<f32> {
    let low = vec2<u32>(words);
    let high = vec2<u32>(words >> vec2<u32>(32u));
    return bitcast<vec4<f32>>(vec4<u32>(low.x, high.x, low.y, high.y));
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
            let x_4 = unpack(b0[i_3 / 4u]);
            part_1 += x_4;
        }
        let reduced_5 = subgroupAdd(part_1);
        if lane == 0u {
            b1[row / 4u] = reduced_5;
        }
    }
}
