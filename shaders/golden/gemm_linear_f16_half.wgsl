enable wgpu_cooperative_matrix;
enable f16;
@group(0) @binding(0) var<storage, read> b0: array<vec4<f16>>;
@group(0) @binding(1) var<storage, read> b1: array<vec4<f16>>;
@group(0) @binding(2) var<storage, read> b2: array<vec4<f16>>;
@group(0) @binding(3) var<storage, read_write> b3: array<vec4<f16>>;
var<workgroup> a_high: array<vec4<f16>, 640>;
var<workgroup> b_high: array<vec4<f16>, 640>;
var<workgroup> main_out: array<f32, 1024>;

@compute @workgroup_size(128)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32, @builtin(subgroup_id) subgroup: u32, @builtin(num_subgroups) subgroups: u32, @builtin(subgroup_invocation_id) lane: u32, @builtin(subgroup_size) lanes: u32) {
    let tile = group.x;
    let row = tile / 4u * 64u;
    let col = tile % 4u * 64u;
    let batch = 0u;
    let part_row = subgroup / 2u * 32u;
    let part_col = subgroup % 2u * 32u;
    let a_start = 0u;
    let a_line = local / 8u;
    let a_in_line = local % 8u * 4u;
    var a_0: vec4<f16>;
    var a_1: vec4<f16>;
    var a_2: vec4<f16>;
    var a_3: vec4<f16>;
    let b_start = 0u;
    let b_line = local / 8u;
    let b_in_line = local % 8u * 4u;
    var b_0: vec4<f16>;
    var b_1: vec4<f16>;
    var b_2: vec4<f16>;
    var b_3: vec4<f16>;
    var main_0_0: coop_mat16x16<f32,C>;
    var main_0_1: coop_mat16x16<f32,C>;
    var main_1_0: coop_mat16x16<f32,C>;
    var main_1_1: coop_mat16x16<f32,C>;
    a_0 = b0[(a_start + (row + a_line + 0u) * 256u + (0u + a_in_line)) / 4u];
    a_1 = b0[(a_start + (row + a_line + 16u) * 256u + (0u + a_in_line)) / 4u];
    a_2 = b0[(a_start + (row + a_line + 32u) * 256u + (0u + a_in_line)) / 4u];
    a_3 = b0[(a_start + (row + a_line + 48u) * 256u + (0u + a_in_line)) / 4u];
    b_0 = b1[(b_start + (col + b_line + 0u) * 256u + (0u + b_in_line)) / 4u];
    b_1 = b1[(b_start + (col + b_line + 16u) * 256u + (0u + b_in_line)) / 4u];
    b_2 = b1[(b_start + (col + b_line + 32u) * 256u + (0u + b_in_line)) / 4u];
    b_3 = b1[(b_start + (col + b_line + 48u) * 256u + (0u + b_in_line)) / 4u];
    for (var k = 0u; k < 256u; k += 32u) {
        let slot_1 = a_line * 10u + a_in_line / 4u;
        let high_2 = vec4<f16>(a_0);
        a_high[slot_1 + 0u] = high_2;
        let high_3 = vec4<f16>(a_1);
        a_high[slot_1 + 160u] = high_3;
        let high_4 = vec4<f16>(a_2);
        a_high[slot_1 + 320u] = high_4;
        let high_5 = vec4<f16>(a_3);
        a_high[slot_1 + 480u] = high_5;
        let slot_6 = b_line * 10u + b_in_line / 4u;
        let high_7 = vec4<f16>(b_0);
        b_high[slot_6 + 0u] = high_7;
        let high_8 = vec4<f16>(b_1);
        b_high[slot_6 + 160u] = high_8;
        let high_9 = vec4<f16>(b_2);
        b_high[slot_6 + 320u] = high_9;
        let high_10 = vec4<f16>(b_3);
        b_high[slot_6 + 480u] = high_10;
        workgroupBarrier();
        let next = k + 32u;
        if next < 256u {
            a_0 = b0[(a_start + (row + a_line + 0u) * 256u + (next + a_in_line)) / 4u];
            a_1 = b0[(a_start + (row + a_line + 16u) * 256u + (next + a_in_line)) / 4u];
            a_2 = b0[(a_start + (row + a_line + 32u) * 256u + (next + a_in_line)) / 4u];
            a_3 = b0[(a_start + (row + a_line + 48u) * 256u + (next + a_in_line)) / 4u];
            b_0 = b1[(b_start + (col + b_line + 0u) * 256u + (next + b_in_line)) / 4u];
            b_1 = b1[(b_start + (col + b_line + 16u) * 256u + (next + b_in_line)) / 4u];
            b_2 = b1[(b_start + (col + b_line + 32u) * 256u + (next + b_in_line)) / 4u];
            b_3 = b1[(b_start + (col + b_line + 48u) * 256u + (next + b_in_line)) / 4u];
        }
        let a_high_0_0 = coopLoadT<coop_mat16x16<f16,A>>(&a_high[(part_row + 0u) * 10u + 0u], 10u);
        let a_high_0_1 = coopLoadT<coop_mat16x16<f16,A>>(&a_high[(part_row + 16u) * 10u + 0u], 10u);
        let b_high_0_0 = coopLoad<coop_mat16x16<f16,B>>(&b_high[(part_col + 0u) * 10u + 0u], 10u);
        let b_high_0_1 = coopLoad<coop_mat16x16<f16,B>>(&b_high[(part_col + 16u) * 10u + 0u], 10u);
        main_0_0 = coopMultiplyAdd(a_high_0_0, b_high_0_0, main_0_0);
        main_0_1 = coopMultiplyAdd(a_high_0_0, b_high_0_1, main_0_1);
        main_1_0 = coopMultiplyAdd(a_high_0_1, b_high_0_0, main_1_0);
        main_1_1 = coopMultiplyAdd(a_high_0_1, b_high_0_1, main_1_1);
        let a_high_16_0 = coopLoadT<coop_mat16x16<f16,A>>(&a_high[(part_row + 0u) * 10u + 4u], 10u);
        let a_high_16_1 = coopLoadT<coop_mat16x16<f16,A>>(&a_high[(part_row + 16u) * 10u + 4u], 10u);
        let b_high_16_0 = coopLoad<coop_mat16x16<f16,B>>(&b_high[(part_col + 0u) * 10u + 4u], 10u);
        let b_high_16_1 = coopLoad<coop_mat16x16<f16,B>>(&b_high[(part_col + 16u) * 10u + 4u], 10u);
        main_0_0 = coopMultiplyAdd(a_high_16_0, b_high_16_0, main_0_0);
        main_0_1 = coopMultiplyAdd(a_high_16_0, b_high_16_1, main_0_1);
        main_1_0 = coopMultiplyAdd(a_high_16_1, b_high_16_0, main_1_0);
        main_1_1 = coopMultiplyAdd(a_high_16_1, b_high_16_1, main_1_1);
        workgroupBarrier();
    }
    let offset_11 = subgroup * 256u;
    for (var e = 0u; e < 4u; e += 1u) {
        let first_12 = main_0_0;
        coopStoreT(first_12, &main_out[offset_11], 16u);
        workgroupBarrier();
        for (var part = lane; part < 64u; part += 32u) {
            let at_row = row + part_row + e / 2u * 16u + part / 4u;
            let at_col = col + part_col + e % 2u * 16u + part % 4u * 4u;
            let i = at_row * 256u + at_col;
            let at_13 = offset_11 + part * 4u;
            let sum_14 = vec4<f32>(main_out[at_13 + 0u], main_out[at_13 + 1u], main_out[at_13 + 2u], main_out[at_13 + 3u]);
            let acc = sum_14;
            let x_15 = vec4<f32>(b2[(i % 256u) / 4u]);
            let v_16 = acc + x_15;
            b3[i / 4u] = vec4<f16>(v_16);
        }
        workgroupBarrier();
        main_0_0 = main_0_1;
        main_0_1 = main_1_0;
        main_1_0 = main_1_1;
    }
}
