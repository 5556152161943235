@group(0) @binding(0) var<storage, read> b0: array<f32>;
@group(0) @binding(1) var<storage, read_write> b1: array<f32>;
@group(0) @binding(2) var<storage, read_write> b2: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let row = id.x;
    let base = row / 16u * 144u + row % 16u;
    var part_1 = (-3e38f);
    var found_2 = 0u;
    for (var c_3 = 0u; c_3 < 9u; c_3 += 1u) {
        let i_4 = base + c_3 * 16u;
        let x_5 = b0[i_4];
        let more_6 = x_5 > part_1;
        part_1 = select(part_1, x_5, more_6);
        found_2 = select(found_2, c_3, more_6);
    }
    let place_7 = f32(found_2);
    b1[row] = part_1;
    b2[row] = place_7;
}
