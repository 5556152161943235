@group(0) @binding(0) var<storage, read> b0: array<u32>;
@group(0) @binding(1) var<storage, read_write> b1: array<vec4<f32>>;

fn mix_bits(bits: u32) -> u32 {
    var x = bits;
    x ^= x >> 16u;
    x *= 0x7feb352du;
    x ^= x >> 15u;
    x *= 0x846ca68bu;
    return x ^ (x >> 16u);
}

fn uniform_at(key: vec2<u32>, site: u32, index: u32) -> f32 {
    let first = mix_bits(key.x ^ mix_bits(site ^ 0x9e3779b9u));
    let second = mix_bits(key.y ^ mix_bits(site ^ 0x85ebca6bu));
    return f32(mix_bits(mix_bits(index ^ first) ^ second) >> 8u) * 5.9604645e-8f;
}

@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let quad = id.x;
    if quad >= 25000u {
        return;
    }
    let i = quad * 4u;
    let i_1 = i + 0u;
    let x_2 = uniform_at(vec2<u32>(b0[0u], b0[1u]), 7u, i_1);
    let i_3 = i + 1u;
    let x_4 = uniform_at(vec2<u32>(b0[0u], b0[1u]), 7u, i_3);
    let i_5 = i + 2u;
    let x_6 = uniform_at(vec2<u32>(b0[0u], b0[1u]), 7u, i_5);
    let i_7 = i + 3u;
    let x_8 = uniform_at(vec2<u32>(b0[0u], b0[1u]), 7u, i_7);
    let x_9 = vec4<f32>(x_2, x_4, x_6, x_8);
    let v_10 = select(vec4<f32>(0.0f), vec4<f32>(1.0f), x_9 < vec4<f32>(0.1f));
    let v_11 = select(vec4<f32>(1.1111112f), vec4<f32>(0.0f), v_10 != vec4<f32>(0.0f));
    b1[i / 4u] = v_11;
}
