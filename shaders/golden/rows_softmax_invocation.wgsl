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
    var part_1 = (-3e38f);
    for (var c_2 = 0u; c_2 < 4u; c_2 += 1u) {
        let i_3 = base + c_2;
        let x_4 = b0[i_3];
        part_1 = max(part_1, x_4);
    }
    var part_5 = 0.0f;
    for (var c_6 = 0u; c_6 < 4u; c_6 += 1u) {
        let i_7 = base + c_6;
        let x_8 = b0[i_7];
        let v_9 = x_8 - part_1;
        let v_10 = exp(v_9);
        part_5 += v_10;
    }
    for (var c_11 = 0u; c_11 < 4u; c_11 += 1u) {
        let i_12 = base + c_11;
        let x_13 = b0[i_12];
        let v_14 = x_13 - part_1;
        let v_15 = exp(v_14);
        let v_16 = v_15 / part_5;
        b1[i_12] = v_16;
    }
    let v_17 = log(part_5);
    let v_18 = part_1 + v_17;
    b2[row] = v_18;
}
