@group(0) @binding(0) var<storage, read> b0: array<f32>;
@group(0) @binding(1) var<storage, read_write> b1: array<f32>;

@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let i = id.x;
    if i >= 450u {
        return;
    }
    let c1 = i32(i / 90u);
    let c2 = i32(i / 18u % 5u);
    let c3 = i32(i / 9u % 2u);
    let c4 = i32(i / 3u % 3u);
    let c5 = i32(i % 3u);
    let n6 = i32(c3);
    let n7 = i32(c1 * 2 + c4 + -1);
    let n8 = i32(c2 * 2 + c5 + -1);
    var x9 = 0.0f;
    if n7 >= 0 && n7 < 9 && n8 >= 0 && n8 < 9 {
        x9 = b0[u32(n6 * 81 + n7 * 9 + n8)];
    }
    b1[i] = x9;
}
