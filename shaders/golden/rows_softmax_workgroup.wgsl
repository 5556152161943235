@group(0) @binding(0) var<storage, read> b0: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read_write> b1: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> b2: array<f32>;
var<workgroup> partial: array<f32, 256>;

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let member = local % 256u;
    let wanted = (group.x) * 1u + local / 256u;
    let row = wanted;
    let base = row * 768u;
    let c_1 = member * 4u;
    let c_2 = min(c_1, 764u);
    let i_3 = base + c_2;
    let x_4 = b0[i_3 / 4u];
    var part_5 = vec4<f32>((-3e38f));
    if c_1 <= 764u {
        part_5 = max(part_5, x_4);
    }
    let part_6 = max(max(part_5.x, part_5.y), max(part_5.z, part_5.w));
    partial[local] = part_6;
    workgroupBarrier();
    for (var half = 128u; half > 0u; half /= 2u) {
        if member < half {
            partial[local] = max(partial[local], partial[local + half]);
        }
        workgroupBarrier();
    }
    let reduced_7 = partial[local - member];
    workgroupBarrier();
    let reduced_8 = vec4<f32>(reduced_7);
    var part_9 = vec4<f32>(0.0f);
    if c_1 <= 764u {
        let v_10 = x_4 - reduced_8;
        let v_11 = exp(v_10);
        part_9 += v_11;
    }
    let part_12 = (part_9.x + part_9.y) + (part_9.z + part_9.w);
    partial[local] = part_12;
    workgroupBarrier();
    for (var half = 128u; half > 0u; half /= 2u) {
        if member < half {
            partial[local] += partial[local + half];
        }
        workgroupBarrier();
    }
    let reduced_13 = partial[local - member];
    workgroupBarrier();
    let reduced_14 = vec4<f32>(reduced_13);
    if c_1 <= 764u {
        let v_15 = x_4 - reduced_8;
        let v_16 = exp(v_15);
        let v_17 = v_16 / reduced_14;
        b1[i_3 / 4u] = v_17;
    }
    if member == 0u {
        let v_18 = log(reduced_13);
        let v_19 = reduced_7 + v_18;
        b2[row] = v_19;
    }
}
