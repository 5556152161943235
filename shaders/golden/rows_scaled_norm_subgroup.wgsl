@group(0) @binding(0) var<storage, read> b0: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read> b1: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> b2: array<vec4<f32>>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(subgroup_id) subgroup: u32, @builtin(num_subgroups) subgroups: u32, @builtin(subgroup_invocation_id) lane: u32, @builtin(subgroup_size) lanes: u32) {
    let first = (group.x) * 4u;
    let c_1 = lane * 4u;
    let c_2 = min(c_1, 44u);
    let x_3 = b1[(c_2 % 48u) / 4u];
    for (var row = first + subgroup; row < first + 4u; row += subgroups) {
        let base = row * 48u;
        let i_4 = base + c_2;
        let x_5 = b0[i_4 / 4u];
        var part_6 = vec4<f32>(0.0f);
        if c_1 <= 44u {
            let v_7 = x_5 * x_5;
            part_6 += v_7;
        }
        let part_8 = (part_6.x + part_6.y) + (part_6.z + part_6.w);
        let reduced_9 = subgroupAdd(part_8);
        let reduced_10 = vec4<f32>(reduced_9);
        if c_1 <= 44u {
            let v_11 = sqrt(reduced_10);
            let v_12 = x_5 / v_11;
            let v_13 = v_12 * x_3;
            b2[i_4 / 4u] = v_13;
        }
    }
}
