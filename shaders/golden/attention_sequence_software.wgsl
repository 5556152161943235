@group(0) @binding(0) var b0: texture_storage_2d<rgba32float, read>;
@group(0) @binding(1) var<storage, read_write> b1: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> b2: array<f32>;

fn texel(index: u32) -> vec2<u32> {
    return vec2<u32>(index % 1024u, index / 1024u);
}

@compute @workgroup_size(8)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(subgroup_id) subgroup: u32, @builtin(num_subgroups) subgroups: u32, @builtin(subgroup_invocation_id) lane: u32, @builtin(subgroup_size) lanes: u32) {
    let at = group.x;
    let p = at % 4u * 8u + lane;
    let h = at / 4u % 2u;
    let b = at / 8u;
    let n_t = min(p, 29u);
    let row_1 = (b * 30u + n_t) * 12u + h * 2u;
    let q0 = textureLoad(b0, texel(row_1 + 0u));
    let q1 = textureLoad(b0, texel(row_1 + 1u));
    var o0 = vec4<f32>();
    var o1 = vec4<f32>();
    var peak = (-1e38f);
    var total = 0.0f;
    for (var j = 0u; j < 30u; j += 4u) {
        let m0_t = j;
        let m1_t = min(j + 1u, 29u);
        let m2_t = min(j + 2u, 29u);
        let m3_t = min(j + 3u, 29u);
        let lane0_t = min(j + 0u + lane / 2u, 29u);
        let k_lane0 = (b * 30u + lane0_t) * 12u + h * 2u + 4u;
        let v_lane0 = (b * 30u + lane0_t) * 12u + h * 2u + 8u;
        let k_read0_0 = textureLoad(b0, texel(k_lane0 + lane % 2u));
        let v_read0_0 = textureLoad(b0, texel(v_lane0 + lane % 2u));
        let k0_0 = subgroupBroadcast(k_read0_0, 0u);
        let k0_1 = subgroupBroadcast(k_read0_0, 1u);
        let score0 = (dot(q0, k0_0) + dot(q1, k0_1)) * 0.35355338f;
        let k1_0 = subgroupBroadcast(k_read0_0, 2u);
        let k1_1 = subgroupBroadcast(k_read0_0, 3u);
        let score1 = select((-1e38f), (dot(q0, k1_0) + dot(q1, k1_1)) * 0.35355338f, j + 1u < 30u);
        let k2_0 = subgroupBroadcast(k_read0_0, 4u);
        let k2_1 = subgroupBroadcast(k_read0_0, 5u);
        let score2 = select((-1e38f), (dot(q0, k2_0) + dot(q1, k2_1)) * 0.35355338f, j + 2u < 30u);
        let k3_0 = subgroupBroadcast(k_read0_0, 6u);
        let k3_1 = subgroupBroadcast(k_read0_0, 7u);
        let score3 = select((-1e38f), (dot(q0, k3_0) + dot(q1, k3_1)) * 0.35355338f, j + 3u < 30u);
        let top = max(max(max(max(peak, score0), score1), score2), score3);
        let shrink = exp(peak - top);
        peak = top;
        let weight0 = exp(score0 - top);
        let weight1 = exp(score1 - top);
        let weight2 = exp(score2 - top);
        let weight3 = exp(score3 - top);
        total = total * shrink + weight0 + weight1 + weight2 + weight3;
        let v0_0 = subgroupBroadcast(v_read0_0, 0u);
        let v0_1 = subgroupBroadcast(v_read0_0, 1u);
        let v1_0 = subgroupBroadcast(v_read0_0, 2u);
        let v1_1 = subgroupBroadcast(v_read0_0, 3u);
        let v2_0 = subgroupBroadcast(v_read0_0, 4u);
        let v2_1 = subgroupBroadcast(v_read0_0, 5u);
        let v3_0 = subgroupBroadcast(v_read0_0, 6u);
        let v3_1 = subgroupBroadcast(v_read0_0, 7u);
        o0 = o0 * shrink + weight0 * v0_0 + weight1 * v1_0 + weight2 * v2_0 + weight3 * v3_0;
        o1 = o1 * shrink + weight0 * v0_1 + weight1 * v1_1 + weight2 * v2_1 + weight3 * v3_1;
    }
    if p < 30u {
        let inverse = 1.0f / total;
        let row_2 = ((b * 30u + n_t) * 2u + h) * 2u;
        b1[row_2 + 0u] = o0 * inverse;
        b1[row_2 + 1u] = o1 * inverse;
        b2[(b * 2u + h) * 30u + n_t] = peak + log(total);
    }
}
