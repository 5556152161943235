@group(0) @binding(0) var<storage, read> b0: array<f32>;
@group(0) @binding(1) var<storage, read_write> b1: array<f32>;
@group(0) @binding(2) var<storage, read_write> b2: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(subgroup_id) subgroup: u32, @builtin(num_subgroups) subgroups: u32, @builtin(subgroup_invocation_id) lane: u32, @builtin(subgroup_size) lanes: u32) {
    let first = (group.x) * 8u;
    for (var row = first + subgroup; row < min(first + 8u, 50u); row += subgroups) {
        let base = row * 768u;
        var part1 = (-3e38f);
        for (var c2 = lane; c2 < 768u; c2 += lanes) {
            let i3 = base + c2;
            let x4 = b0[i3];
            part1 = max(part1, x4);
        }
        let reduced5 = subgroupMax(part1);
        var part6 = 0.0f;
        for (var c7 = lane; c7 < 768u; c7 += lanes) {
            let i8 = base + c7;
            let x9 = b0[i8];
            let v10 = x9 - reduced5;
            let v11 = exp(v10);
            part6 += v11;
        }
        let reduced12 = subgroupAdd(part6);
        for (var c13 = lane; c13 < 768u; c13 += lanes) {
            let i14 = base + c13;
            let x15 = b0[i14];
            let v16 = x15 - reduced5;
            let v17 = exp(v16);
            let v18 = v17 / reduced12;
            b1[i14] = v18;
        }
        if lane == 0u {
            let v19 = log(reduced12);
            let v20 = reduced5 + v19;
            b2[row] = v20;
        }
    }
}
