@group(0) @binding(0) var<storage, read> b0: array<f32>;
@group(0) @binding(1) var<storage, read_write> b1: array<f32>;

@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let i = id.x;
    if i >= 4704u {
        return;
    }
    let s_1 = max((f32(i / 14u % 56u) + 0.5f) * 0.25f - 0.5f, 0.0f);
    let low_2 = min(u32(s_1), 13u);
    let high_3 = min(low_2 + 1u, 13u);
    let at_4 = i / 784u * 196u + i % 14u;
    let x_5 = mix(b0[at_4 + low_2 * 14u], b0[at_4 + high_3 * 14u], s_1 - f32(low_2));
    b1[i] = x_5;
}
