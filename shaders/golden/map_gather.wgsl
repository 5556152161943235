@group(0) @binding(0) var<storage, read> b0: array<f32>;
@group(0) @binding(1) var<storage, read> b1: array<u32>;
@group(0) @binding(2) var<storage, read_write> b2: array<f32>;

@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let i = id.x;
    if i >= 24u {
        return;
    }
    let id_1 = min(b1[i / 3u], 9u);
    let x_2 = b0[i / 12u * 30u + i % 3u + id_1 * 3u];
    b2[i] = x_2;
}
