@group(0) @binding(0) var b0: texture_storage_2d<rgba32float, read>;
@group(0) @binding(1) var<storage, read_write> b1: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> b2: array<vec4<f32>>;

fn texel(index: u32) -> vec2<u32> {
    return vec2<u32>(index % 1024u, index / 1024u);
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let quad = id.x;
    let row = quad * 4u;
    let base = row / 16u * 144u + row % 16u;
    var part_1 = vec4<f32>((-3e38f));
    var found_2 = vec4<u32>(0u);
    for (var c_3 = 0u; c_3 < 9u; c_3 += 1u) {
        let i_4 = base + c_3 * 16u;
        let x_5 = textureLoad(b0, texel(i_4 / 4u));
        let more_6 = x_5 > part_1;
        part_1 = select(part_1, x_5, more_6);
        found_2 = select(found_2, vec4<u32>(c_3), more_6);
    }
    let place_7 = vec4<f32>(found_2);
    b1[row / 4u] = part_1;
    b2[row / 4u] = place_7;
}
