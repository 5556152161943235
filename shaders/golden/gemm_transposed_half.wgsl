enable wgpu_cooperative_matrix;
enable f16;
@group(0) @binding(0) var<storage, read> b0: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read> b1: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> b2: array<vec4<f32>>;
var<workgroup> a_high: array<vec4<f16>, 1088>;
var<workgroup> b_high: array<vec4<f16>, 576>;
var<workgroup> main_out: array<f32, 2048>;

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32, @builtin(subgroup_id) subgroup: u32, @builtin(num_subgroups) subgroups: u32, @builtin(subgroup_invocation_id) lane: u32, @builtin(subgroup_size) lanes: u32) {
    let tile = group.x;
    let row = tile / 24u * 128u;
    let col = tile % 24u * 64u;
    let batch = 0u;
    let part_row = subgroup / 2u * 32u;
    let part_col = subgroup % 2u * 32u;
    let a_start = 0u;
    let a_line = local / 32u;
    let a_in_line = local % 32u * 4u;
    var a_0: vec4<f32>;
    var a_1: vec4<f32>;
    var a_2: vec4<f32>;
    var a_3: vec4<f32>;
    let b_start = 0u;
    let b_line = local / 16u;
    let b_in_line = local % 16u * 4u;
    var b_0: vec4<f32>;
    var b_1: vec4<f32>;
    var main_0_0: coop_mat16x16<f32,C>;
    var main_0_1: coop_mat16x16<f32,C>;
    var main_1_0: coop_mat16x16<f32,C>;
    var main_1_1: coop_mat16x16<f32,C>;
    a_0 = b0[(a_start + (row + a_in_line) + (0u + a_line + 0u) * 2048u) / 4u];
    a_1 = b0[(a_start + (row + a_in_line) + (0u + a_line + 8u) * 2048u) / 4u];
    a_2 = b0[(a_start + (row + a_in_line) + (0u + a_line + 16u) * 2048u) / 4u];
    a_3 = b0[(a_start + (row + a_in_line) + (0u + a_line + 24u) * 2048u) / 4u];
    b_0 = b1[(b_start + (col + b_in_line) + (0u + b_line + 0u) * 1536u) / 4u];
    b_1 = b1[(b_start + (col + b_in_line) + (0u + b_line + 16u) * 1536u) / 4u];
    for (var k = 0u; k < 512u; k += 32u) {
        let slot_1 = a_line * 34u + a_in_line / 4u;
        let high_2 = vec4<f16>(a_0);
        a_high[slot_1 + 0u] = high_2;
        let high_3 = vec4<f16>(a_1);
        a_high[slot_1 + 272u] = high_3;
        let high_4 = vec4<f16>(a_2);
        a_high[slot_1 + 544u] = high_4;
        let high_5 = vec4<f16>(a_3);
        a_high[slot_1 + 816u] = high_5;
        let slot_6 = b_line * 18u + b_in_line / 4u;
        let high_7 = vec4<f16>(b_0);
        b_high[slot_6 + 0u] = high_7;
        let high_8 = vec4<f16>(b_1);
        b_high[slot_6 + 288u] = high_8;
        workgroupBarrier();
        let next = k + 32u;
        if next < 512u {
            a_0 = b0[(a_start + (row + a_in_line) + (next + a_line + 0u) * 2048u) / 4u];
            a_1 = b0[(a_start + (row + a_in_line) + (next + a_line + 8u) * 2048u) / 4u];
            a_2 = b0[(a_start + (row + a_in_line) + (next + a_line + 16u) * 2048u) / 4u];
            a_3 = b0[(a_start + (row + a_in_line) + (next + a_line + 24u) * 2048u) / 4u];
            b_0 = b1[(b_start + (col + b_in_line) + (next + b_line + 0u) * 1536u) / 4u];
            b_1 = b1[(b_start + (col + b_in_line) + (next + b_line + 16u) * 1536u) / 4u];
        }
        let a_high_0_0 = coopLoad<coop_mat16x16<f16,A>>(&a_high[part_row / 4u + 0u], 34u);
        let a_high_0_1 = coopLoad<coop_mat16x16<f16,A>>(&a_high[part_row / 4u + 4u], 34u);
        let b_high_0_0 = coopLoadT<coop_mat16x16<f16,B>>(&b_high[part_col / 4u + 0u], 18u);
        let b_high_0_1 = coopLoadT<coop_mat16x16<f16,B>>(&b_high[part_col / 4u + 4u], 18u);
        main_0_0 = coopMultiplyAdd(a_high_0_0, b_high_0_0, main_0_0);
        main_0_1 = coopMultiplyAdd(a_high_0_0, b_high_0_1, main_0_1);
        main_1_0 = coopMultiplyAdd(a_high_0_1, b_high_0_0, main_1_0);
        main_1_1 = coopMultiplyAdd(a_high_0_1, b_high_0_1, main_1_1);
        let a_high_16_0 = coopLoad<coop_mat16x16<f16,A>>(&a_high[part_row / 4u + 544u], 34u);
        let a_high_16_1 = coopLoad<coop_mat16x16<f16,A>>(&a_high[part_row / 4u + 548u], 34u);
        let b_high_16_0 = coopLoadT<coop_mat16x16<f16,B>>(&b_high[part_col / 4u + 288u], 18u);
        let b_high_16_1 = coopLoadT<coop_mat16x16<f16,B>>(&b_high[part_col / 4u + 292u], 18u);
        main_0_0 = coopMultiplyAdd(a_high_16_0, b_high_16_0, main_0_0);
        main_0_1 = coopMultiplyAdd(a_high_16_0, b_high_16_1, main_0_1);
        main_1_0 = coopMultiplyAdd(a_high_16_1, b_high_16_0, main_1_0);
        main_1_1 = coopMultiplyAdd(a_high_16_1, b_high_16_1, main_1_1);
        workgroupBarrier();
    }
    let offset_9 = subgroup * 256u;
    for (var e = 0u; e < 4u; e += 1u) {
        let first_10 = main_0_0;
        coopStoreT(first_10, &main_out[offset_9], 16u);
        workgroupBarrier();
        for (var part = lane; part < 64u; part += 32u) {
            let at_row = row + part_row + e / 2u * 16u + part / 4u;
            let at_col = col + part_col + e % 2u * 16u + part % 4u * 4u;
            let i = at_row * 1536u + at_col;
            let at_11 = offset_9 + part * 4u;
            let sum_12 = vec4<f32>(main_out[at_11 + 0u], main_out[at_11 + 1u], main_out[at_11 + 2u], main_out[at_11 + 3u]);
            let acc = sum_12;
            b2[i / 4u] = acc;
        }
        workgroupBarrier();
        main_0_0 = main_0_1;
        main_0_1 = main_1_0;
        main_1_0 = main_1_1;
    }
}
