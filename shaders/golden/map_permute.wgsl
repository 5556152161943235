@group(0) @binding(0) var<storage, read> b0: array<f32>;
@group(0) @binding(1) var<storage, read_write> b1: array<f32>;

@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let i = id.x;
    if i >= 168u {
        return;
    }
    let x_1 = b0[i / 84u * 105u + i / 3u % 28u + i % 3u * 35u + 7u];
    b1[i] = x_1;
}
