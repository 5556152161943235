@group(0) @binding(0) var<storage, read> b0: array<f32>;
@group(0) @binding(1) var<storage, read_write> b1: array<f32>;

@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let i = id.x;
    if i >= 1176u {
        return;
    }
    let c1 = i / 14u % 14u;
    let first2 = u32(max(floor((f32(c1) - 0.5f) * 4.0f - 0.5f) - 1.0f, 0.0f));
    let first3 = select(first2, 0u, c1 == 0u);
    let end4 = min(u32(ceil((f32(c1) + 1.5f) * 4.0f - 0.5f)) + 2u, 56u);
    let at5 = i / 196u * 784u + i % 14u;
    var x6 = 0.0f;
    for (var j7 = first3; j7 < end4; j7 += 1u) {
        let s8 = max((f32(j7) + 0.5f) * 0.25f - 0.5f, 0.0f);
        let low9 = min(u32(s8), 13u);
        let part10 = s8 - f32(low9);
        let y11 = b0[at5 + j7 * 14u];
        if low9 == c1 {
            x6 += y11 * (1.0f - part10);
        }
        if min(low9 + 1u, 13u) == c1 {
            x6 += y11 * part10;
        }
    }
    b1[i] = x6;
}
