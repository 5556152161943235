@group(0) @binding(0) var<storage, read> b0: array<f32>;
@group(0) @binding(1) var<storage, read_write> b1: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let row = id.x;
    let base = row;
    var part_1 = 0.0f;
    for (var c_2 = 0u; c_2 < 4096u; c_2 += 1u) {
        let i_3 = base + c_2 * 768u;
        let x_4 = b0[i_3];
        part_1 += x_4;
    }
    b1[row] = part_1;
}
