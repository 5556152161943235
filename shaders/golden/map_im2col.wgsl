@group(0) @binding(0) var<storage, read> b0: array<f32>;
@group(0) @binding(1) var<storage, read_write> b1: array<f32>;

@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let i = id.x;
    if i >= 450u {
        return;
    }
    let c_1 = i32(i / 90u);
    let c_2 = i32(i / 18u % 5u);
    let c_3 = i32(i / 9u % 2u);
    let c_4 = i32(i / 3u % 3u);
    let c_5 = i32(i % 3u);
    let n_6 = i32(c_3);
    let n_7 = i32(c_1 * 2 + c_4 + -1);
    let n_8 = i32(c_2 * 2 + c_5 + -1);
    var x_9 = 0.0f;
    if n_7 >= 0 && n_7 < 9 && n_8 >= 0 && n_8 < 9 {
        x_9 = b0[u32(n_6 * 81 + n_7 * 9 + n_8)];
    }
    b1[i] = x_9;
}
