@group(0) @binding(0) var<storage, read> b0: array<f32>;
@group(0) @binding(1) var<storage, read_write> b1: array<f32>;
@group(0) @binding(2) var<storage, read_write> b2: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let row = id.x;
    if row >= 50u {
        return;
    }
    let base = row * 4u;
    var part1 = (-3e38f);
    for (var c2 = 0u; c2 < 4u; c2 += 1u) {
        let i3 = base + c2;
        let x4 = b0[i3];
        part1 = max(part1, x4);
    }
    var part5 = 0.0f;
    for (var c6 = 0u; c6 < 4u; c6 += 1u) {
        let i7 = base + c6;
        let x8 = b0[i7];
        let v9 = x8 - part1;
        let v10 = exp(v9);
        part5 += v10;
    }
    for (var c11 = 0u; c11 < 4u; c11 += 1u) {
        let i12 = base + c11;
        let x13 = b0[i12];
        let v14 = x13 - part1;
        let v15 = exp(v14);
        let v16 = v15 / part5;
        b1[i12] = v16;
    }
    let v17 = log(part5);
    let v18 = part1 + v17;
    b2[row] = v18;
}
