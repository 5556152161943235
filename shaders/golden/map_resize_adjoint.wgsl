@group(0) @binding(0) var<storage, read> b0: array<f32>;
@group(0) @binding(1) var<storage, read_write> b1: array<f32>;

@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let i = id.x;
    if i >= 1176u {
        return;
    }
    let c_1 = i / 14u % 14u;
    let first_2 = u32(max(floor((f32(c_1) - 0.5f) * 4.0f - 0.5f) - 1.0f, 0.0f));
    let first_3 = select(first_2, 0u, c_1 == 0u);
    let end_4 = min(u32(ceil((f32(c_1) + 1.5f) * 4.0f - 0.5f)) + 2u, 56u);
    let at_5 = i / 196u * 784u + i % 14u;
    var x_6 = 0.0f;
    for (var j_7 = first_3; j_7 < end_4; j_7 += 1u) {
        let s_8 = max((f32(j_7) + 0.5f) * 0.25f - 0.5f, 0.0f);
        let low_9 = min(u32(s_8), 13u);
        let part_10 = s_8 - f32(low_9);
        let y_11 = b0[at_5 + j_7 * 14u];
        if low_9 == c_1 {
            x_6 += y_11 * (1.0f - part_10);
        }
        if min(low_9 + 1u, 13u) == c_1 {
            x_6 += y_11 * part_10;
        }
    }
    b1[i] = x_6;
}
