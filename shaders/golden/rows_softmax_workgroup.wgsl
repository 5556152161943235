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
    var part1 = (-3e38f);
    for (var c2 = member; c2 < 768u; c2 += 256u) {
        let i3 = base + c2;
        let x4 = b0[i3];
        part1 = max(part1, x4);
    }
    partial[local] = part1;
    workgroupBarrier();
    for (var half = 128u; half > 0u; half /= 2u) {
        if member < half {
            partial[local] = max(partial[local], partial[local + half]);
        }
        workgroupBarrier();
    }
    let reduced5 = partial[local - member];
    workgroupBarrier();
    var part6 = 0.0f;
    for (var c7 = member; c7 < 768u; c7 += 256u) {
        let i8 = base + c7;
        let x9 = b0[i8];
        let v10 = x9 - reduced5;
        let v11 = exp(v10);
        part6 += v11;
    }
    partial[local] = part6;
    workgroupBarrier();
    for (var half = 128u; half > 0u; half /= 2u) {
        if member < half {
            partial[local] += partial[local + half];
        }
        workgroupBarrier();
    }
    let reduced12 = partial[local - member];
    workgroupBarrier();
    if wanted < 50u {
        for (var c13 = member; c13 < 768u; c13 += 256u) {
            let i14 = base + c13;
            let x15 = b0[i14];
            let v16 = x15 - reduced5;
            let v17 = exp(v16);
            let v18 = v17 / reduced12;
            b1[i14] = v18;
        }
        if member == 0u {
            let v19 = log(reduced12);
            let v20 = reduced5 + v19;
            b2[row] = v20;
        }
    }
}
