@group(0) @binding(0) var<storage, read> b0: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read_write> b1: array<f32>;
@group(0) @binding(2) var<storage, read_write> b2: array<f32>;
var<workgroup> partial: array<f32, 256>;
var<workgroup> found: array<u32, 256>;

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let member = local % 256u;
    let wanted = (group.x) * 1u + local / 256u;
    let row = wanted;
    let base = row * 768u;
    var part_1 = vec4<f32>((-3e38f));
    var found_2 = vec4<u32>(0u);
    for (var c_3 = member * 4u; c_3 < 768u; c_3 += 256u * 4u) {
        let i_4 = base + c_3;
        let x_5 = b0[i_4 / 4u];
        let more_6 = x_5 > part_1;
        part_1 = select(part_1, x_5, more_6);
        found_2 = select(found_2, vec4<u32>(c_3) + vec4<u32>(0u, 1u, 2u, 3u), more_6);
    }
    let part_7 = max(max(part_1.x, part_1.y), max(part_1.z, part_1.w));
    let found_8 = select(vec4<u32>(0xffffffffu), found_2, part_1 == vec4<f32>(part_7));
    let found_9 = min(min(found_8.x, found_8.y), min(found_8.z, found_8.w));
    partial[local] = part_7;
    found[local] = found_9;
    workgroupBarrier();
    for (var half = 128u; half > 0u; half /= 2u) {
        if member < half {
            let more_10 = (partial[local + half] > partial[local]) | ((partial[local + half] == partial[local]) & (found[local + half] < found[local]));
            partial[local] = select(partial[local], partial[local + half], more_10);
            found[local] = select(found[local], found[local + half], more_10);
        }
        workgroupBarrier();
    }
    let reduced_11 = partial[local - member];
    let found_12 = found[local - member];
    workgroupBarrier();
    let reduced_13 = vec4<f32>(reduced_11);
    let place_14 = f32(found_12);
    let reduced_15 = vec4<f32>(place_14);
    if member == 0u {
        b1[row] = reduced_11;
        b2[row] = place_14;
    }
}
