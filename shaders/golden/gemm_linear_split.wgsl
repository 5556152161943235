enable wgpu_cooperative_matrix;
enable f16;
@group(0) @binding(0) var<storage, read> b0: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read> b1: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> b2: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> b3: array<vec4<f32>>;
var<workgroup> a_high: array<vec4<f16>, 384>;
var<workgroup> a_low: array<vec4<f16>, 384>;
var<workgroup> b_high: array<vec4<f16>, 384>;
var<workgroup> b_low: array<vec4<f16>, 384>;
var<workgroup> main_out: array<f32, 1024>;
var<workgroup> minor_out: array<f32, 1024>;

@compute @workgroup_size(128)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32, @builtin(subgroup_id) subgroup: u32, @builtin(num_subgroups) subgroups: u32, @builtin(subgroup_invocation_id) lane: u32, @builtin(subgroup_size) lanes: u32) {
    let tile = group.x;
    let row = tile / 4u * 64u;
    let col = tile % 4u * 64u;
    let batch = 0u;
    let part_row = subgroup / 2u * 32u;
    let part_col = subgroup % 2u * 32u;
    let a_start = 0u;
    let a_line = local / 4u;
    let a_in_line = local % 4u * 4u;
    var a_0: vec4<f32>;
    var a_1: vec4<f32>;
    let b_start = 0u;
    let b_line = local / 4u;
    let b_in_line = local % 4u * 4u;
    var b_0: vec4<f32>;
    var b_1: vec4<f32>;
    var main_0_0: coop_mat16x16<f32,C>;
    var main_0_1: coop_mat16x16<f32,C>;
    var main_1_0: coop_mat16x16<f32,C>;
    var main_1_1: coop_mat16x16<f32,C>;
    var minor_0_0: coop_mat16x16<f32,C>;
    var minor_0_1: coop_mat16x16<f32,C>;
    var minor_1_0: coop_mat16x16<f32,C>;
    var minor_1_1: coop_mat16x16<f32,C>;
    a_0 = b0[(a_start + (row + a_line + 0u) * 128u + (0u + a_in_line)) / 4u];
    a_1 = b0[(a_start + (row + a_line + 32u) * 128u + (0u + a_in_line)) / 4u];
    b_0 = b1[(b_start + (col + b_line + 0u) * 128u + (0u + b_in_line)) / 4u];
    b_1 = b1[(b_start + (col + b_line + 32u) * 128u + (0u + b_in_line)) / 4u];
    for (var k = 0u; k < 128u; k += 16u) {
        let slot_1 = a_line * 6u + a_in_line / 4u;
        let head_2 = bitcast<vec4<f32>>(bitcast<vec4<u32>>(a_0) & vec4<u32>(4294959104u));
        let low_3 = vec4<f16>((a_0 - head_2) * 2048.0f);
        a_low[slot_1 + 0u] = low_3;
        let high_4 = vec4<f16>(head_2);
        a_high[slot_1 + 0u] = high_4;
        let head_5 = bitcast<vec4<f32>>(bitcast<vec4<u32>>(a_1) & vec4<u32>(4294959104u));
        let low_6 = vec4<f16>((a_1 - head_5) * 2048.0f);
        a_low[slot_1 + 192u] = low_6;
        let high_7 = vec4<f16>(head_5);
        a_high[slot_1 + 192u] = high_7;
        let slot_8 = b_line * 6u + b_in_line / 4u;
        let head_9 = bitcast<vec4<f32>>(bitcast<vec4<u32>>(b_0) & vec4<u32>(4294959104u));
        let low_10 = vec4<f16>((b_0 - head_9) * 2048.0f);
        b_low[slot_8 + 0u] = low_10;
        let high_11 = vec4<f16>(head_9);
        b_high[slot_8 + 0u] = high_11;
        let head_12 = bitcast<vec4<f32>>(bitcast<vec4<u32>>(b_1) & vec4<u32>(4294959104u));
        let low_13 = vec4<f16>((b_1 - head_12) * 2048.0f);
        b_low[slot_8 + 192u] = low_13;
        let high_14 = vec4<f16>(head_12);
        b_high[slot_8 + 192u] = high_14;
        workgroupBarrier();
        let next = k + 16u;
        if next < 128u {
            a_0 = b0[(a_start + (row + a_line + 0u) * 128u + (next + a_in_line)) / 4u];
            a_1 = b0[(a_start + (row + a_line + 32u) * 128u + (next + a_in_line)) / 4u];
            b_0 = b1[(b_start + (col + b_line + 0u) * 128u + (next + b_in_line)) / 4u];
            b_1 = b1[(b_start + (col + b_line + 32u) * 128u + (next + b_in_line)) / 4u];
        }
        let a_high_0_0 = coopLoadT<coop_mat16x16<f16,A>>(&a_high[(part_row + 0u) * 6u + 0u], 6u);
        let a_high_0_1 = coopLoadT<coop_mat16x16<f16,A>>(&a_high[(part_row + 16u) * 6u + 0u], 6u);
        let a_low_0_0 = coopLoadT<coop_mat16x16<f16,A>>(&a_low[(part_row + 0u) * 6u + 0u], 6u);
        let a_low_0_1 = coopLoadT<coop_mat16x16<f16,A>>(&a_low[(part_row + 16u) * 6u + 0u], 6u);
        let b_high_0_0 = coopLoad<coop_mat16x16<f16,B>>(&b_high[(part_col + 0u) * 6u + 0u], 6u);
        let b_high_0_1 = coopLoad<coop_mat16x16<f16,B>>(&b_high[(part_col + 16u) * 6u + 0u], 6u);
        let b_low_0_0 = coopLoad<coop_mat16x16<f16,B>>(&b_low[(part_col + 0u) * 6u + 0u], 6u);
        let b_low_0_1 = coopLoad<coop_mat16x16<f16,B>>(&b_low[(part_col + 16u) * 6u + 0u], 6u);
        main_0_0 = coopMultiplyAdd(a_high_0_0, b_high_0_0, main_0_0);
        main_0_1 = coopMultiplyAdd(a_high_0_0, b_high_0_1, main_0_1);
        main_1_0 = coopMultiplyAdd(a_high_0_1, b_high_0_0, main_1_0);
        main_1_1 = coopMultiplyAdd(a_high_0_1, b_high_0_1, main_1_1);
        minor_0_0 = coopMultiplyAdd(a_high_0_0, b_low_0_0, minor_0_0);
        minor_0_1 = coopMultiplyAdd(a_high_0_0, b_low_0_1, minor_0_1);
        minor_1_0 = coopMultiplyAdd(a_high_0_1, b_low_0_0, minor_1_0);
        minor_1_1 = coopMultiplyAdd(a_high_0_1, b_low_0_1, minor_1_1);
        minor_0_0 = coopMultiplyAdd(a_low_0_0, b_high_0_0, minor_0_0);
        minor_0_1 = coopMultiplyAdd(a_low_0_0, b_high_0_1, minor_0_1);
        minor_1_0 = coopMultiplyAdd(a_low_0_1, b_high_0_0, minor_1_0);
        minor_1_1 = coopMultiplyAdd(a_low_0_1, b_high_0_1, minor_1_1);
        workgroupBarrier();
    }
    let offset_15 = subgroup * 256u;
    for (var e = 0u; e < 4u; e += 1u) {
        let first_16 = main_0_0;
        coopStoreT(first_16, &main_out[offset_15], 16u);
        let first_17 = minor_0_0;
        coopStoreT(first_17, &minor_out[offset_15], 16u);
        workgroupBarrier();
        for (var part = lane; part < 64u; part += 32u) {
            let at_row = row + part_row + e / 2u * 16u + part / 4u;
            let at_col = col + part_col + e % 2u * 16u + part % 4u * 4u;
            let i = at_row * 256u + at_col;
            let at_18 = offset_15 + part * 4u;
            let sum_19 = vec4<f32>(main_out[at_18 + 0u], main_out[at_18 + 1u], main_out[at_18 + 2u], main_out[at_18 + 3u]);
            let at_20 = offset_15 + part * 4u;
            let sum_21 = vec4<f32>(minor_out[at_20 + 0u], minor_out[at_20 + 1u], minor_out[at_20 + 2u], minor_out[at_20 + 3u]);
            let acc = sum_19 + sum_21 * 0.00048828125f;
            let x_22 = b2[(i % 256u) / 4u];
            let v_23 = acc + x_22;
            b3[i / 4u] = v_23;
        }
        workgroupBarrier();
        main_0_0 = main_0_1;
        main_0_1 = main_1_0;
        main_1_0 = main_1_1;
        minor_0_0 = minor_0_1;
        minor_0_1 = minor_1_0;
        minor_1_0 = minor_1_1;
    }
}
