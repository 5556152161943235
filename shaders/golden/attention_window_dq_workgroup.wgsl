@group(0) @binding(0) var<storage, read> b0: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read> b1: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> b2: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> b3: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read> b4: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read> b5: array<f32>;
@group(0) @binding(6) var<storage, read> b6: array<f32>;
@group(0) @binding(7) var<storage, read> b7: array<f32>;
@group(0) @binding(8) var<storage, read_write> b8: array<vec4<f32>>;
@group(0) @binding(9) var<storage, read_write> b9: array<f32>;
var<workgroup> tile_a: array<vec4<f32>, 64>;
var<workgroup> tile_b: array<vec4<f32>, 64>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let at = group.x;
    let p = local;
    let window = at / 1u % 4u;
    let top = window / 2u * 3u;
    let left = window % 2u * 3u;
    let h = at / 4u % 2u;
    let b = at / 8u;
    let slot_1 = min(p, 8u);
    let n_y = slot_1 / 3u;
    let n_x = slot_1 % 3u;
    let n_t = (min(top + n_y, 4u)) * 6u + min(left + n_x, 5u);
    let row_2 = (b * 30u + n_t) * 12u + h * 2u;
    let q0 = b0[row_2 + 0u];
    let q1 = b0[row_2 + 1u];
    let row_3 = ((b * 30u + n_t) * 2u + h) * 2u;
    let g0 = b4[row_3 + 0u];
    let g1 = b4[row_3 + 1u];
    let n = (b * 2u + h) * 30u + n_t;
    let lse = b5[n];
    let delta = b6[n];
    var dq0 = vec4<f32>();
    var dq1 = vec4<f32>();
    let n_rel = n * 6u;
    var terms: array<f32, 6>;
    for (var k = 0u; k < 6u; k += 1u) {
        terms[k] = 0.0f;
    }
    for (var start = 0u; start < 9u; start += 32u) {
        for (var s = local; s < 64u; s += 64u) {
            let slot_4 = min(start + s / 2u, 8u);
            let m_y = slot_4 / 3u;
            let m_x = slot_4 % 3u;
            let m_t = (min(top + m_y, 4u)) * 6u + min(left + m_x, 5u);
            let m_real = top + m_y < 5u && left + m_x < 6u;
            let k_m = (b * 30u + m_t) * 12u + h * 2u + 4u;
            let v_m = (b * 30u + m_t) * 12u + h * 2u + 8u;
            tile_a[s] = select(b3[h * 2u + 4u + s % 2u], b0[k_m + s % 2u], m_real);
            tile_b[s] = select(b3[h * 2u + 8u + s % 2u], b0[v_m + s % 2u], m_real);
        }
        workgroupBarrier();
        for (var j = 0u; j < min(32u, 9u - start); j += 4u) {
            let slot_5 = start + j;
            let m0_y = slot_5 / 3u;
            let m0_x = slot_5 % 3u;
            let m0_t = (min(top + m0_y, 4u)) * 6u + min(left + m0_x, 5u);
            let slot_6 = min(start + j + 1u, 8u);
            let m1_y = slot_6 / 3u;
            let m1_x = slot_6 % 3u;
            let m1_t = (min(top + m1_y, 4u)) * 6u + min(left + m1_x, 5u);
            let slot_7 = min(start + j + 2u, 8u);
            let m2_y = slot_7 / 3u;
            let m2_x = slot_7 % 3u;
            let m2_t = (min(top + m2_y, 4u)) * 6u + min(left + m2_x, 5u);
            let slot_8 = min(start + j + 3u, 8u);
            let m3_y = slot_8 / 3u;
            let m3_x = slot_8 % 3u;
            let m3_t = (min(top + m3_y, 4u)) * 6u + min(left + m3_x, 5u);
            let k0_0 = tile_a[(j + 0u) * 2u + 0u];
            let k0_1 = tile_a[(j + 0u) * 2u + 1u];
            let v0_0 = tile_b[(j + 0u) * 2u + 0u];
            let v0_1 = tile_b[(j + 0u) * 2u + 1u];
            let weight0 = exp((dot(q0, k0_0) + dot(q1, k0_1)) * 0.35355338f + b7[n_rel + m0_y] + b7[n_rel + 3u + m0_x] - lse);
            let ds0 = weight0 * (dot(g0, v0_0) + dot(g1, v0_1) - delta);
            terms[m0_y] += ds0;
            terms[3u + m0_x] += ds0;
            let step0 = ds0 * 0.35355338f;
            let k1_0 = tile_a[(j + 1u) * 2u + 0u];
            let k1_1 = tile_a[(j + 1u) * 2u + 1u];
            let v1_0 = tile_b[(j + 1u) * 2u + 0u];
            let v1_1 = tile_b[(j + 1u) * 2u + 1u];
            let weight1 = select(0.0f, exp((dot(q0, k1_0) + dot(q1, k1_1)) * 0.35355338f + b7[n_rel + m1_y] + b7[n_rel + 3u + m1_x] - lse), start + j + 1u < 9u);
            let ds1 = weight1 * (dot(g0, v1_0) + dot(g1, v1_1) - delta);
            terms[m1_y] += ds1;
            terms[3u + m1_x] += ds1;
            let step1 = ds1 * 0.35355338f;
            let k2_0 = tile_a[(j + 2u) * 2u + 0u];
            let k2_1 = tile_a[(j + 2u) * 2u + 1u];
            let v2_0 = tile_b[(j + 2u) * 2u + 0u];
            let v2_1 = tile_b[(j + 2u) * 2u + 1u];
            let weight2 = select(0.0f, exp((dot(q0, k2_0) + dot(q1, k2_1)) * 0.35355338f + b7[n_rel + m2_y] + b7[n_rel + 3u + m2_x] - lse), start + j + 2u < 9u);
            let ds2 = weight2 * (dot(g0, v2_0) + dot(g1, v2_1) - delta);
            terms[m2_y] += ds2;
            terms[3u + m2_x] += ds2;
            let step2 = ds2 * 0.35355338f;
            let k3_0 = tile_a[(j + 3u) * 2u + 0u];
            let k3_1 = tile_a[(j + 3u) * 2u + 1u];
            let v3_0 = tile_b[(j + 3u) * 2u + 0u];
            let v3_1 = tile_b[(j + 3u) * 2u + 1u];
            let weight3 = select(0.0f, exp((dot(q0, k3_0) + dot(q1, k3_1)) * 0.35355338f + b7[n_rel + m3_y] + b7[n_rel + 3u + m3_x] - lse), start + j + 3u < 9u);
            let ds3 = weight3 * (dot(g0, v3_0) + dot(g1, v3_1) - delta);
            terms[m3_y] += ds3;
            terms[3u + m3_x] += ds3;
            let step3 = ds3 * 0.35355338f;
            dq0 += step0 * k0_0 + step1 * k1_0 + step2 * k2_0 + step3 * k3_0;
            dq1 += step0 * k0_1 + step1 * k1_1 + step2 * k2_1 + step3 * k3_1;
        }
        workgroupBarrier();
    }
    for (var k = 0u; k < 3u; k += 1u) {
        let row_9 = (n_y + 2u - k) * 2u;
        let table_0 = b1[row_9 + 0u];
        let table_1 = b1[row_9 + 1u];
        let part_10 = terms[k + 0u];
        dq0 += part_10 * table_0;
        dq1 += part_10 * table_1;
    }
    for (var k = 0u; k < 3u; k += 1u) {
        let row_11 = (n_x + 2u - k) * 2u;
        let table_0 = b2[row_11 + 0u];
        let table_1 = b2[row_11 + 1u];
        let part_12 = terms[k + 3u];
        dq0 += part_12 * table_0;
        dq1 += part_12 * table_1;
    }
    if p < 9u && top + n_y < 5u && left + n_x < 6u {
        let saved = ((b * 2u + h) * 30u + n_t) * 6u;
        for (var k = 0u; k < 6u; k += 1u) {
            b9[saved + k] = terms[k];
        }
    }
    if p < 9u && top + n_y < 5u && left + n_x < 6u {
        let row_13 = ((b * 30u + n_t) * 2u + h) * 2u;
        b8[row_13 + 0u] = dq0;
        b8[row_13 + 1u] = dq1;
    }
}
