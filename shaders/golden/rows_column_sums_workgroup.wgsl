@group(0) @binding(0) var<storage, read> b0: array<f32>;
@group(0) @binding(1) var<storage, read_write> b1: array<f32>;
var<workgroup> partial: array<f32, 256>;

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let member = local / 32u;
    let wanted = (group.x) * 32u + local % 32u;
    let row = wanted;
    let base = row;
    var part_1 = 0.0f;
    for (var c_2 = member; c_2 < 4096u; c_2 += 8u) {
        let i_3 = base + c_2 * 768u;
        let x_4 = b0[i_3];
        part_1 += x_4;
    }
    partial[local] = part_1;
    workgroupBarrier();
    for (var half = 4u; half > 0u; half /= 2u) {
        if member < half {
            partial[local] += partial[local + half * 32u];
        }
        workgroupBarrier();
    }
    let reduced_5 = partial[local % 32u];
    workgroupBarrier();
    if member == 0u {
        b1[row] = reduced_5;
    }
}
