@group(0) @binding(0) var<storage, read> b0: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read_write> b1: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> b2: array<f32>;
var<workgroup> tile_a: array<vec4<f32>, 128>;
var<workgroup> tile_b: array<vec4<f32>, 128>;

@compute @workgroup_size(128)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(subgroup_id) subgroup: u32, @builtin(num_subgroups) subgroups: u32, @builtin(subgroup_invocation_id) lane: u32, @builtin(subgroup_size) lanes: u32) {
    let at = group.x;
    let local = subgroup * lanes + lane;
    let part = local % 4u;
    let p0 = at % 2u * 64u + local / 4u;
    let p1 = at % 2u * 64u + local / 4u + 32u;
    let h = at / 2u % 2u;
    let b = at / 4u;
    let n0_t = min(p0, 69u);
    let row_1 = (b * 70u + n0_t) * 24u + h * 4u + part;
    let q0_0 = b0[row_1 + 0u];
    var o0_0 = vec4<f32>();
    var peak0 = (-1e38f);
    var total0 = 0.0f;
    let n1_t = min(p1, 69u);
    let row_2 = (b * 70u + n1_t) * 24u + h * 4u + part;
    let q1_0 = b0[row_2 + 0u];
    var o1_0 = vec4<f32>();
    var peak1 = (-1e38f);
    var total1 = 0.0f;
    for (var start = 0u; start < 70u; start += 32u) {
        for (var s = local; s < 128u; s += 128u) {
            let m_t = min(start + s / 4u, 69u);
            let k_m = (b * 70u + m_t) * 24u + h * 4u + 8u;
            let v_m = (b * 70u + m_t) * 24u + h * 4u + 16u;
            tile_a[s] = b0[k_m + s % 4u];
            tile_b[s] = b0[v_m + s % 4u];
        }
        workgroupBarrier();
        for (var j = 0u; j < min(32u, 70u - start); j += 4u) {
            let m0_t = start + j;
            let m1_t = min(start + j + 1u, 69u);
            let m2_t = min(start + j + 2u, 69u);
            let m3_t = min(start + j + 3u, 69u);
            let m_own_t = min(start + j + part, 69u);
            let k0_0 = tile_a[(j + 0u) * 4u + part + 0u];
            let products_3 = q0_0 * k0_0;
            let sum_4 = (products_3.x + products_3.y + products_3.z + products_3.w) * 0.35355338f;
            let sum_5 = sum_4 + subgroupShuffleXor(sum_4, 1u);
            let sum_6 = sum_5 + subgroupShuffleXor(sum_5, 2u);
            let score0_0 = sum_6;
            let products_7 = q1_0 * k0_0;
            let sum_8 = (products_7.x + products_7.y + products_7.z + products_7.w) * 0.35355338f;
            let sum_9 = sum_8 + subgroupShuffleXor(sum_8, 1u);
            let sum_10 = sum_9 + subgroupShuffleXor(sum_9, 2u);
            let score1_0 = sum_10;
            let k1_0 = tile_a[(j + 1u) * 4u + part + 0u];
            let products_11 = q0_0 * k1_0;
            let sum_12 = (products_11.x + products_11.y + products_11.z + products_11.w) * 0.35355338f;
            let sum_13 = sum_12 + subgroupShuffleXor(sum_12, 1u);
            let sum_14 = sum_13 + subgroupShuffleXor(sum_13, 2u);
            let score0_1 = select((-1e38f), sum_14, start + j + 1u < 70u);
            let products_15 = q1_0 * k1_0;
            let sum_16 = (products_15.x + products_15.y + products_15.z + products_15.w) * 0.35355338f;
            let sum_17 = sum_16 + subgroupShuffleXor(sum_16, 1u);
            let sum_18 = sum_17 + subgroupShuffleXor(sum_17, 2u);
            let score1_1 = select((-1e38f), sum_18, start + j + 1u < 70u);
            let k2_0 = tile_a[(j + 2u) * 4u + part + 0u];
            let products_19 = q0_0 * k2_0;
            let sum_20 = (products_19.x + products_19.y + products_19.z + products_19.w) * 0.35355338f;
            let sum_21 = sum_20 + subgroupShuffleXor(sum_20, 1u);
            let sum_22 = sum_21 + subgroupShuffleXor(sum_21, 2u);
            let score0_2 = select((-1e38f), sum_22, start + j + 2u < 70u);
            let products_23 = q1_0 * k2_0;
            let sum_24 = (products_23.x + products_23.y + products_23.z + products_23.w) * 0.35355338f;
            let sum_25 = sum_24 + subgroupShuffleXor(sum_24, 1u);
            let sum_26 = sum_25 + subgroupShuffleXor(sum_25, 2u);
            let score1_2 = select((-1e38f), sum_26, start + j + 2u < 70u);
            let k3_0 = tile_a[(j + 3u) * 4u + part + 0u];
            let products_27 = q0_0 * k3_0;
            let sum_28 = (products_27.x + products_27.y + products_27.z + products_27.w) * 0.35355338f;
            let sum_29 = sum_28 + subgroupShuffleXor(sum_28, 1u);
            let sum_30 = sum_29 + subgroupShuffleXor(sum_29, 2u);
            let score0_3 = select((-1e38f), sum_30, start + j + 3u < 70u);
            let products_31 = q1_0 * k3_0;
            let sum_32 = (products_31.x + products_31.y + products_31.z + products_31.w) * 0.35355338f;
            let sum_33 = sum_32 + subgroupShuffleXor(sum_32, 1u);
            let sum_34 = sum_33 + subgroupShuffleXor(sum_33, 2u);
            let score1_3 = select((-1e38f), sum_34, start + j + 3u < 70u);
            let top0 = max(max(max(max(peak0, score0_0), score0_1), score0_2), score0_3);
            let shrink0 = exp(peak0 - top0);
            peak0 = top0;
            let weight0_0 = exp(score0_0 - top0);
            let weight0_1 = exp(score0_1 - top0);
            let weight0_2 = exp(score0_2 - top0);
            let weight0_3 = exp(score0_3 - top0);
            total0 = total0 * shrink0 + weight0_0 + weight0_1 + weight0_2 + weight0_3;
            let top1 = max(max(max(max(peak1, score1_0), score1_1), score1_2), score1_3);
            let shrink1 = exp(peak1 - top1);
            peak1 = top1;
            let weight1_0 = exp(score1_0 - top1);
            let weight1_1 = exp(score1_1 - top1);
            let weight1_2 = exp(score1_2 - top1);
            let weight1_3 = exp(score1_3 - top1);
            total1 = total1 * shrink1 + weight1_0 + weight1_1 + weight1_2 + weight1_3;
            let v0_0 = tile_b[(j + 0u) * 4u + part + 0u];
            let v1_0 = tile_b[(j + 1u) * 4u + part + 0u];
            let v2_0 = tile_b[(j + 2u) * 4u + part + 0u];
            let v3_0 = tile_b[(j + 3u) * 4u + part + 0u];
            o0_0 = fma(vec4<f32>(weight0_3), v3_0, fma(vec4<f32>(weight0_2), v2_0, fma(vec4<f32>(weight0_1), v1_0, fma(vec4<f32>(weight0_0), v0_0, o0_0 * shrink0))));
            o1_0 = fma(vec4<f32>(weight1_3), v3_0, fma(vec4<f32>(weight1_2), v2_0, fma(vec4<f32>(weight1_1), v1_0, fma(vec4<f32>(weight1_0), v0_0, o1_0 * shrink1))));
        }
        workgroupBarrier();
    }
    if p0 < 70u {
        let inverse0 = 1.0f / total0;
        let row_35 = ((b * 70u + n0_t) * 2u + h) * 4u + part;
        b1[row_35 + 0u] = o0_0 * inverse0;
        b2[(b * 2u + h) * 70u + n0_t] = peak0 + log(total0);
    }
    if p1 < 70u {
        let inverse1 = 1.0f / total1;
        let row_36 = ((b * 70u + n1_t) * 2u + h) * 4u + part;
        b1[row_36 + 0u] = o1_0 * inverse1;
        b2[(b * 2u + h) * 70u + n1_t] = peak1 + log(total1);
    }
}
