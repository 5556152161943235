@group(0) @binding(0) var<storage, read> b0: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read_write> b1: array<vec4<f32>>;

@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let quad = id.x;
    if quad >= 225u {
        return;
    }
    let i = quad * 4u;
    let c_1 = i32(i / 180u);
    let c_2 = i32(i / 36u % 5u);
    let c_3 = i32(i / 12u % 3u);
    let c_4 = i32(i / 4u % 3u);
    let c_5 = i32(i % 4u);
    let n_6 = i32(c_1 * 2 + c_3 + -1);
    let n_7 = i32(c_2 * 2 + c_4 + -1);
    let n_8 = i32(c_5);
    var x_9 = vec4<f32>(0.0f);
    if n_6 >= 0 && n_6 < 9 && n_7 >= 0 && n_7 < 9 {
        x_9 = b0[(u32(n_6 * 36 + n_7 * 4 + n_8)) / 4u];
    }
    b1[i / 4u] = x_9;
}
