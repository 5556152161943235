@group(0) @binding(0) var<storage, read> b0: array<f32>;
@group(0) @binding(1) var<storage, read_write> b1: array<f32>;
@group(0) @binding(2) var<storage, read_write> b2: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(subgroup_id) subgroup: u32, @builtin(num_subgroups) subgroups: u32, @builtin(subgroup_invocation_id) lane: u32, @builtin(subgroup_size) lanes: u32) {
    let first = (group.x) * 2u;
    for (var row = first + subgroup; row < min(first + 2u, 50u); row += subgroups) {
        let base = row * 768u;
        var part_1 = (-3e38f);
        for (var c_2 = lane; c_2 < 768u; c_2 += lanes) {
            let i_3 = base + c_2;
            let x_4 = b0[i_3];
            part_1 = max(part_1, x_4);
        }
        let reduced_5 = subgroupMax(part_1);
        var part_6 = 0.0f;
        for (var c_7 = lane; c_7 < 768u; c_7 += lanes) {
            let i_8 = base + c_7;
            let x_9 = b0[i_8];
            let v_10 = x_9 - reduced_5;
            let v_11 = exp(v_10);
            part_6 += v_11;
        }
        let reduced_12 = subgroupAdd(part_6);
        for (var c_13 = lane; c_13 < 768u; c_13 += lanes) {
            let i_14 = base + c_13;
            let x_15 = b0[i_14];
            let v_16 = x_15 - reduced_5;
            let v_17 = exp(v_16);
            let v_18 = v_17 / reduced_12;
            b1[i_14] = v_18;
        }
        if lane == 0u {
            let v_19 = log(reduced_12);
            let v_20 = reduced_5 + v_19;
            b2[row] = v_20;
        }
    }
}
