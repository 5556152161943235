enable wgpu_cooperative_matrix;
enable f16;
@group(0) @binding(0) var<storage, read> b0: array<vec4<u32>>;
@group(0) @binding(1) var<storage, read> b1: array<vec4<u32>>;
@group(0) @binding(2) var<storage, read_write> b2: array<vec4<f16>>;
var<workgroup> a_high: array<vec4<f16>, 384>;
var<workgroup> b_high: array<vec4<f16>, 544>;
var<workgroup> main_out: array<f32, 1024>;

@compute @workgroup_size(128)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32, @builtin(subgroup_id) subgroup: u32, @builtin(num_subgroups) subgroups: u32, @builtin(subgroup_invocation_id) lane: u32, @builtin(subgroup_size) lanes: u32) {
    let tile = group.x;
    let row = tile / 16u * 64u;
    let col = tile % 16u * 128u;
    let batch = 0u;
    let part_row = subgroup / 2u * 32u;
    let part_col = subgroup % 2u * 64u;
    let a_start = 0u;
    let a_line = local / 2u;
    let a_in_line = local % 2u * 8u;
    var a_0: vec4<u32>;
    let b_start = 0u;
    let b_line = local / 16u;
    let b_in_line = local % 16u * 8u;
    var b_0: vec4<u32>;
    var b_1: vec4<u32>;
    var main_0_0: coop_mat16x16<f32,C>;
    var main_0_1: coop_mat16x16<f32,C>;
    var main_0_2: coop_mat16x16<f32,C>;
    var main_0_3: coop_mat16x16<f32,C>;
    var main_1_0: coop_mat16x16<f32,C>;
    var main_1_1: coop_mat16x16<f32,C>;
    var main_1_2: coop_mat16x16<f32,C>;
    var main_1_3: coop_mat16x16<f32,C>;
    a_0 = b0[(a_start + (row + a_line + 0u) * 2048u + (0u + a_in_line)) / 8u];
    b_0 = b1[(b_start + (col + b_in_line) + (0u + b_line + 0u) * 2048u) / 8u];
    b_1 = b1[(b_start + (col + b_in_line) + (0u + b_line + 8u) * 2048u) / 8u];
    for (var k = 0u; k < 2048u; k += 16u) {
        let slot_1 = a_line * 6u + a_in_line / 4u;
        let high_2 = vec4<f16>(vec4<f32>(unpack2x16float(a_0.x), unpack2x16float(a_0.y)));
        a_high[slot_1 + 0u] = high_2;
        let high_3 = vec4<f16>(vec4<f32>(unpack2x16float(a_0.z), unpack2x16float(a_0.w)));
        a_high[slot_1 + 1u] = high_3;
        let slot_4 = b_line * 34u + b_in_line / 4u;
        let high_5 = vec4<f16>(vec4<f32>(unpack2x16float(b_0.x), unpack2x16float(b_0.y)));
        b_high[slot_4 + 0u] = high_5;
        let high_6 = vec4<f16>(vec4<f32>(unpack2x16float(b_0.z), unpack2x16float(b_0.w)));
        b_high[slot_4 + 1u] = high_6;
        let high_7 = vec4<f16>(vec4<f32>(unpack2x16float(b_1.x), unpack2x16float(b_1.y)));
        b_high[slot_4 + 272u] = high_7;
        let high_8 = vec4<f16>(vec4<f32>(unpack2x16float(b_1.z), unpack2x16float(b_1.w)));
        b_high[slot_4 + 273u] = high_8;
        workgroupBarrier();
        let next = k + 16u;
        if next < 2048u {
            a_0 = b0[(a_start + (row + a_line + 0u) * 2048u + (next + a_in_line)) / 8u];
            b_0 = b1[(b_start + (col + b_in_line) + (next + b_line + 0u) * 2048u) / 8u];
            b_1 = b1[(b_start + (col + b_in_line) + (next + b_line + 8u) * 2048u) / 8u];
        }
        let a_high_0_0 = coopLoadT<coop_mat16x16<f16,A>>(&a_high[(part_row + 0u) * 6u + 0u], 6u);
        let a_high_0_1 = coopLoadT<coop_mat16x16<f16,A>>(&a_high[(part_row + 16u) * 6u + 0u], 6u);
        let b_high_0_0 = coopLoadT<coop_mat16x16<f16,B>>(&b_high[part_col / 4u + 0u], 34u);
        let b_high_0_1 = coopLoadT<coop_mat16x16<f16,B>>(&b_high[part_col / 4u + 4u], 34u);
        let b_high_0_2 = coopLoadT<coop_mat16x16<f16,B>>(&b_high[part_col / 4u + 8u], 34u);
        let b_high_0_3 = coopLoadT<coop_mat16x16<f16,B>>(&b_high[part_col / 4u + 12u], 34u);
        main_0_0 = coopMultiplyAdd(a_high_0_0, b_high_0_0, main_0_0);
        main_0_1 = coopMultiplyAdd(a_high_0_0, b_high_0_1, main_0_1);
        main_0_2 = coopMultiplyAdd(a_high_0_0, b_high_0_2, main_0_2);
        main_0_3 = coopMultiplyAdd(a_high_0_0, b_high_0_3, main_0_3);
        main_1_0 = coopMultiplyAdd(a_high_0_1, b_high_0_0, main_1_0);
        main_1_1 = coopMultiplyAdd(a_high_0_1, b_high_0_1, main_1_1);
        main_1_2 = coopMultiplyAdd(a_high_0_1, b_high_0_2, main_1_2);
        main_1_3 = coopMultiplyAdd(a_high_0_1, b_high_0_3, main_1_3);
        workgroupBarrier();
    }
    let offset_9 = subgroup * 256u;
    for (var e = 0u; e < 8u; e += 1u) {
        let first_10 = main_0_0;
        coopStoreT(first_10, &main_out[offset_9], 16u);
        workgroupBarrier();
        for (var part = lane; part < 64u; part += 32u) {
            let at_row = row + part_row + e / 4u * 16u + part / 4u;
            let at_col = col + part_col + e % 4u * 16u + part % 4u * 4u;
            let i = at_row * 2048u + at_col;
            let at_11 = offset_9 + part * 4u;
            let sum_12 = vec4<f32>(main_out[at_11 + 0u], main_out[at_11 + 1u], main_out[at_11 + 2u], main_out[at_11 + 3u]);
            let acc = sum_12;
            b2[i / 4u] = vec4<f16>(acc);
        }
        workgroupBarrier();
        main_0_0 = main_0_1;
        main_0_1 = main_0_2;
        main_0_2 = main_0_3;
        main_0_3 = main_1_0;
        main_1_0 = main_1_1;
        main_1_1 = main_1_2;
        main_1_2 = main_1_3;
    }
}
