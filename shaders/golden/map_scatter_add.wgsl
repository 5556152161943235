@group(0) @binding(0) var<storage, read> b0: array<f32>;
@group(0) @binding(1) var<storage, read> b1: array<u32>;
@group(0) @binding(2) var<storage, read_write> b2: array<f32>;

@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let i = id.x;
    if i >= 60u {
        return;
    }
    let id1 = i / 3u % 10u;
    let at2 = i / 30u * 12u + i % 3u;
    let at3 = i / 30u * 4u;
    var x4 = 0.0f;
    for (var m5 = 0u; m5 < 4u; m5 += 1u) {
        if b1[at3 + m5] == id1 {
            x4 += b0[at2 + m5 * 3u];
        }
    }
    b2[i] = x4;
}
