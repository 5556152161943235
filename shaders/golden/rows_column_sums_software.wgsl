@group(0) @binding(0) var<storage, read> b0: array<f32>;
@group(0) @binding(1) var<storage, read_write> b1: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let row = id.x;
    let base = row;
    var part1 = 0.0f;
    for (var c2 = 0u; c2 < 4096u; c2 += 1u) {
        let i3 = base + c2 * 768u;
        let x4 = b0[i3];
        part1 += x4;
    }
    b1[row] = part1;
}
