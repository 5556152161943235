@group(0) @binding(0) var<storage, read> b0: array<u32>;
@group(0) @binding(1) var<storage, read_write> b1: array<f32>;

fn mix_bits(bits: u32) -> u32 {
    var x = bits;
    x ^= x >> 16u;
    x *= 0x7feb352du;
    x ^= x >> 15u;
    x *= 0x846ca68bu;
    return x ^ (x >> 16u);
}

fn uniform_at(seed: u32, step: u32, site: u32, index: u32) -> f32 {
    let x = mix_bits(mix_bits(mix_bits(seed ^ 0x9e3779b9u) ^ step) ^ site);
    return f32(mix_bits(x ^ index) >> 8u) * 5.9604645e-8f;
}

@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let i = id.y * 25088u + id.x;
    if i >= 100000u {
        return;
    }
    let x_1 = uniform_at(b0[0u], b0[1u], 7u, i);
    let v_2 = select(0.0f, 1.0f, x_1 < 0.1f);
    let v_3 = select(1.1111112f, 0.0f, v_2 != 0.0f);
    b1[i] = v_3;
}
