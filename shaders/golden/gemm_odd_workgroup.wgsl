@group(0) @binding(0) var<storage, read> b0: array<f32>;
@group(0) @binding(1) var<storage, read> b1: array<f32>;
@group(0) @binding(2) var<storage, read> b2: array<f32>;
@group(0) @binding(3) var<storage, read_write> b3: array<f32>;
var<workgroup> a_tile: array<f32, 68>;
var<workgroup> b_tile: array<f32, 68>;

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let tile = group.x;
    let row = 0u * 16u;
    let col = 0u * 16u;
    let batch = 0u;
    let local_row = local / 16u;
    let local_col = local % 16u;
    let a_start = 0u;
    let b_start = 0u;
    var acc_0_0 = 0.0f;
    for (var k = 0u; k < 3u; k += 4u) {
        for (var read = local; read < 64u; read += 256u) {
            let step = read % 4u;
            let place = read / 4u;
            let value = select(0.0f, b0[a_start + min(row + place, 4u) * 3u + min(k + step, 2u)], k + step < 3u);
            a_tile[step * 17u + place + 0u] = value;
        }
        for (var read = local; read < 64u; read += 256u) {
            let step = read % 4u;
            let place = read / 4u;
            let value = select(0.0f, b1[b_start + min(col + place, 6u) * 3u + min(k + step, 2u)], k + step < 3u);
            b_tile[step * 17u + place + 0u] = value;
        }
        workgroupBarrier();
        for (var step = 0u; step < 4u; step += 1u) {
            let row_0 = a_tile[step * 17u + local_row + 0u];
            let col_0 = b_tile[step * 17u + local_col + 0u];
            acc_0_0 += row_0 * col_0;
        }
        workgroupBarrier();
    }
    var results = array<f32, 1>(acc_0_0);
    for (var e = 0u; e < 1u; e += 1u) {
        let at_row = row + local_row + e / 1u * 16u;
        let at_col = col + local_col + e % 1u * 16u;
        if at_row < 5u && at_col < 7u {
            let i = at_row * 7u + at_col;
            let acc = results[e];
            let x_1 = b2[i % 7u];
            let v_2 = acc + x_1;
            b3[i] = v_2;
        }
    }
}
