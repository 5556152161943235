@group(0) @binding(0) var<storage, read> b0: array<f32>;
@group(0) @binding(1) var<storage, read_write> b1: array<f32>;
@group(0) @binding(2) var<storage, read_write> b2: array<f32>;
var<workgroup> partial: array<f32, 256>;

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let member = local % 256u;
    let wanted = (group.x) * 1u + local / 256u;
    let row = min(wanted, 49u);
    let base = row * 768u;
    var part_1 = (-3e38f);
    for (var c_2 = member; c_2 < 768u; c_2 += 256u) {
        let i_3 = base + c_2;
        let x_4 = b0[i_3];
        part_1 = max(part_1, x_4);
    }
    partial[local] = part_1;
    workgroupBarrier();
    for (var half = 128u; half > 0u; half /= 2u) {
        if member < half {
            partial[local] = max(partial[local], partial[local + half]);
        }
        workgroupBarrier();
    }
    let reduced_5 = partial[local - member];
    workgroupBarrier();
    var part_6 = 0.0f;
    for (var c_7 = member; c_7 < 768u; c_7 += 256u) {
        let i_8 = base + c_7;
        let x_9 = b0[i_8];
        let v_10 = x_9 - reduced_5;
        let v_11 = exp(v_10);
        part_6 += v_11;
    }
    partial[local] = part_6;
    workgroupBarrier();
    for (var half = 128u; half > 0u; half /= 2u) {
        if member < half {
            partial[local] += partial[local + half];
        }
        workgroupBarrier();
    }
    let reduced_12 = partial[local - member];
    workgroupBarrier();
    if wanted < 50u {
        for (var c_13 = member; c_13 < 768u; c_13 += 256u) {
            let i_14 = base + c_13;
            let x_15 = b0[i_14];
            let v_16 = x_15 - reduced_5;
            let v_17 = exp(v_16);
            let v_18 = v_17 / reduced_12;
            b1[i_14] = v_18;
        }
        if member == 0u {
            let v_19 = log(reduced_12);
            let v_20 = reduced_5 + v_19;
            b2[row] = v_20;
        }
    }
}
