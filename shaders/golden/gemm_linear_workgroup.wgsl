@group(0) @binding(0) var<storage, read> b0: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read> b1: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> b2: array<f32>;
@group(0) @binding(3) var<storage, read_write> b3: array<f32>;
var<workgroup> a_tile: array<f32, 528>;
var<workgroup> b_tile: array<f32, 528>;

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let tile = group.x;
    let row = tile / 2u * 32u;
    let col = tile % 2u * 32u;
    let batch = 0u;
    let local_row = local / 16u;
    let local_col = local % 16u;
    let a_start = 0u;
    let b_start = 0u;
    var acc_0_0 = 0.0f;
    var acc_0_1 = 0.0f;
    var acc_1_0 = 0.0f;
    var acc_1_1 = 0.0f;
    for (var k = 0u; k < 32u; k += 16u) {
        for (var read = local; read < 128u; read += 256u) {
            let step = read % 4u * 4u;
            let place = read / 4u;
            let value = b0[(a_start + (row + place) * 32u + (k + step)) / 4u];
            a_tile[step * 33u + place + 0u] = value.x;
            a_tile[step * 33u + place + 33u] = value.y;
            a_tile[step * 33u + place + 66u] = value.z;
            a_tile[step * 33u + place + 99u] = value.w;
        }
        for (var read = local; read < 128u; read += 256u) {
            let step = read % 4u * 4u;
            let place = read / 4u;
            let value = b1[(b_start + min(col + place, 47u) * 32u + (k + step)) / 4u];
            b_tile[step * 33u + place + 0u] = value.x;
            b_tile[step * 33u + place + 33u] = value.y;
            b_tile[step * 33u + place + 66u] = value.z;
            b_tile[step * 33u + place + 99u] = value.w;
        }
        workgroupBarrier();
        for (var step = 0u; step < 16u; step += 1u) {
            let row_0 = a_tile[step * 33u + local_row + 0u];
            let row_1 = a_tile[step * 33u + local_row + 16u];
            let col_0 = b_tile[step * 33u + local_col + 0u];
            let col_1 = b_tile[step * 33u + local_col + 16u];
            acc_0_0 += row_0 * col_0;
            acc_0_1 += row_0 * col_1;
            acc_1_0 += row_1 * col_0;
            acc_1_1 += row_1 * col_1;
        }
        workgroupBarrier();
    }
    var results = array<f32, 4>(acc_0_0, acc_0_1, acc_1_0, acc_1_1);
    for (var e = 0u; e < 4u; e += 1u) {
        let at_row = row + local_row + e / 2u * 16u;
        let at_col = col + local_col + e % 2u * 16u;
        if at_col < 48u {
            let i = at_row * 48u + at_col;
            let acc = results[e];
            let x_1 = b2[i % 48u];
            let v_2 = acc + x_1;
            b3[i] = v_2;
        }
    }
}
