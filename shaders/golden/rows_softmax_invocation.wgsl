@group(0) @binding(0) var<storage, read> b0: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read_write> b1: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> b2: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let row = id.x;
    if row >= 50u {
        return;
    }
    let base = row * 4u;
    var part_1 = vec4<f32>((-3e38f));
    for (var c_2 = 0u; c_2 < 4u; c_2 += 4u) {
        let i_3 = base + c_2;
        let x_4 = b0[i_3 / 4u];
        part_1 = max(part_1, x_4);
    }
    let part_5 = max(max(part_1.x, part_1.y), max(part_1.z, part_1.w));
    let reduced_6 = vec4<f32>(part_5);
    var part_7 = vec4<f32>(0.0f);
    for (var c_8 = 0u; c_8 < 4u; c_8 += 4u) {
        let i_9 = base + c_8;
        let x_10 = b0[i_9 / 4u];
        let v_11 = x_10 - reduced_6;
        let v_12 = exp(v_11);
        part_7 += v_12;
    }
    let part_13 = (part_7.x + part_7.y) + (part_7.z + part_7.w);
    let reduced_14 = vec4<f32>(part_13);
    for (var c_15 = 0u; c_15 < 4u; c_15 += 4u) {
        let i_16 = base + c_15;
        let x_17 = b0[i_16 / 4u];
        let v_18 = x_17 - reduced_6;
        let v_19 = exp(v_18);
        let v_20 = v_19 / reduced_14;
        b1[i_16 / 4u] = v_20;
    }
    let v_21 = log(part_13);
    let v_22 = part_5 + v_21;
    b2[row] = v_22;
}
