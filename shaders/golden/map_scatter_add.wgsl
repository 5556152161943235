@group(0) @binding(0) var<storage, read> b0: array<f32>;
@group(0) @binding(1) var<storage, read> b1: array<u32>;
@group(0) @binding(2) var<storage, read_write> b2: array<f32>;

@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let i = id.x;
    if i >= 60u {
        return;
    }
    let id_1 = i / 3u % 10u;
    let at_2 = i / 30u * 12u + i % 3u;
    let at_3 = i / 30u * 4u;
    var x_4 = 0.0f;
    for (var m_5 = 0u; m_5 < 4u; m_5 += 1u) {
        if min(b1[at_3 + m_5], 9u) == id_1 {
            x_4 += b0[at_2 + m_5 * 3u];
        }
    }
    b2[i] = x_4;
}
