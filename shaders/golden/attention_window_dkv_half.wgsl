enable wgpu_cooperative_matrix;
enable f16;
@group(0) @binding(0) var<storage, read> b0: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read> b1: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> b2: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> b3: array<f32>;
@group(0) @binding(4) var<storage, read> b4: array<f32>;
@group(0) @binding(5) var<storage, read> b5: array<f32>;
@group(0) @binding(6) var<storage, read_write> b6: array<vec4<f32>>;
@group(0) @binding(7) var<storage, read_write> b7: array<vec4<f32>>;
@group(0) @binding(8) var<storage, read_write> b8: array<vec4<f32>>;
var<workgroup> tile_a: array<vec4<f16>, 640>;
var<workgroup> tile_b: array<vec4<f16>, 384>;
var<workgroup> scores: array<vec4<f32>, 1152>;
var<workgroup> weights: array<vec4<f16>, 1152>;
var<workgroup> column_a: array<vec4<f32>, 16>;
var<workgroup> column_b: array<vec4<f32>, 16>;
var<workgroup> factors: array<vec2<f32>, 128>;
var<workgroup> sums: array<vec4<f32>, 128>;

@compute @workgroup_size(128)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(subgroup_id) subgroup: u32, @builtin(num_subgroups) subgroups: u32, @builtin(subgroup_invocation_id) lane: u32, @builtin(subgroup_size) lanes: u32) {
    let at = group.x;
    let local = subgroup * lanes + lane;
    let part = local % 2u;
    let p = at % 2u * 64u + local / 2u;
    let window = at / 2u % 4u;
    let top = window / 2u * 6u;
    let left = window % 2u * 6u;
    let tokens_y = min(6u, 8u - top);
    let tokens_x = min(6u, 9u - left);
    let tokens = tokens_y * tokens_x;
    let row_share = 1.0f / f32(tokens_x);
    let pads = tokens < 36u;
    let h = at / 8u % 2u;
    let b = at / 16u;
    if at % 2u == 1u {
        let end = select(0u, tokens, pads);
        let pad_k = h * 4u + 8u;
        let pad_v = h * 4u + 16u;
        let first = local / 8u;
        let register0 = local % 8u;
        var sum0 = vec4<f32>();
        for (var start = 0u; start < end; start += 128u) {
            let slot_1 = min(start + local, tokens - 1u);
            let m_y = u32((f32(slot_1) + 0.5f) * row_share);
            let m_x = slot_1 - m_y * tokens_x;
            let m_t = (top + m_y) * 9u + left + m_x;
            let q_row_2 = (b * 72u + m_t) * 24u + h * 4u;
            let g_row_3 = ((b * 72u + m_t) * 2u + h) * 4u;
            let m = (b * 2u + h) * 72u + m_t;
            var product = 0.0f;
            var dp = 0.0f;
            for (var r = 0u; r < 4u; r += 1u) {
                product += dot(b0[q_row_2 + r], b1[pad_k + r]);
                dp += dot(b2[g_row_3 + r], b1[pad_v + r]);
            }
            let base = product * 0.25f - b3[m];
            let saved = m * 12u;
            var log_y_peak = (-1e38f);
            for (var k = 0u; k < tokens_y; k += 1u) {
                log_y_peak = max(log_y_peak, b5[saved + k]);
            }
            var log_y_sum = 0.0f;
            for (var k = 0u; k < tokens_y; k += 1u) {
                log_y_sum += exp(b5[saved + k] - log_y_peak);
            }
            let log_y = log_y_peak + log(max(log_y_sum, 1e-30f));
            var log_pads_y_peak = (-1e38f);
            for (var k = tokens_y; k < 6u; k += 1u) {
                log_pads_y_peak = max(log_pads_y_peak, b5[saved + k]);
            }
            var log_pads_y_sum = 0.0f;
            for (var k = tokens_y; k < 6u; k += 1u) {
                log_pads_y_sum += exp(b5[saved + k] - log_pads_y_peak);
            }
            let log_pads_y = log_pads_y_peak + log(max(log_pads_y_sum, 1e-30f));
            var log_x_peak = (-1e38f);
            for (var k = 6u; k < 6u + tokens_x; k += 1u) {
                log_x_peak = max(log_x_peak, b5[saved + k]);
            }
            var log_x_sum = 0.0f;
            for (var k = 6u; k < 6u + tokens_x; k += 1u) {
                log_x_sum += exp(b5[saved + k] - log_x_peak);
            }
            let log_x = log_x_peak + log(max(log_x_sum, 1e-30f));
            var log_pads_x_peak = (-1e38f);
            for (var k = 6u + tokens_x; k < 12u; k += 1u) {
                log_pads_x_peak = max(log_pads_x_peak, b5[saved + k]);
            }
            var log_pads_x_sum = 0.0f;
            for (var k = 6u + tokens_x; k < 12u; k += 1u) {
                log_pads_x_sum += exp(b5[saved + k] - log_pads_x_peak);
            }
            let log_pads_x = log_pads_x_peak + log(max(log_pads_x_sum, 1e-30f));
            let top_4 = max(log_y, log_pads_y);
            let log_all_y = top_4 + log(exp(log_y - top_4) + exp(log_pads_y - top_4));
            let top_5 = max(log_x, log_pads_x);
            let log_all_x = top_5 + log(exp(log_x - top_5) + exp(log_pads_x - top_5));
            let below_6 = log_pads_y + log_all_x;
            let beside_7 = log_y + log_pads_x;
            let top_8 = max(below_6, beside_7);
            let weight = select(0.0f, exp(base + top_8 + log(exp(below_6 - top_8) + exp(beside_7 - top_8))), start + local < tokens);
            let step = weight * (dp - b4[m]) * 0.25f;
            factors[local] = vec2<f32>(step, weight);
            workgroupBarrier();
            for (var i = first; i < min(128u, tokens - start); i += 16u) {
                let slot_9 = start + i;
                let m_y = u32((f32(slot_9) + 0.5f) * row_share);
                let m_x = slot_9 - m_y * tokens_x;
                let m_t = (top + m_y) * 9u + left + m_x;
                let q_row_10 = (b * 72u + m_t) * 24u + h * 4u;
                let g_row_11 = ((b * 72u + m_t) * 2u + h) * 4u;
                let factor = factors[i];
                sum0 += select(b2[g_row_11 + register0 % 4u], b0[q_row_10 + register0 % 4u], register0 < 4u) * select(factor.y, factor.x, register0 < 4u);
            }
            workgroupBarrier();
        }
        sums[local] = sum0;
        workgroupBarrier();
        if first == 0u {
            b8[(((b * 4u + window) * 2u + register0 / 4u) * 2u + h) * 4u + register0 % 4u] = sums[register0 + 0u] + sums[register0 + 8u] + sums[register0 + 16u] + sums[register0 + 24u] + sums[register0 + 32u] + sums[register0 + 40u] + sums[register0 + 48u] + sums[register0 + 56u] + sums[register0 + 64u] + sums[register0 + 72u] + sums[register0 + 80u] + sums[register0 + 88u] + sums[register0 + 96u] + sums[register0 + 104u] + sums[register0 + 112u] + sums[register0 + 120u];
        }
        return;
    }
    if at % 2u * 64u >= tokens {
        return;
    }
    let first = at % 2u * 64u;
    let slot_12 = min(p, tokens - 1u);
    let n_y = u32((f32(slot_12) + 0.5f) * row_share);
    let n_x = slot_12 - n_y * tokens_x;
    let n_t = (top + n_y) * 9u + left + n_x;
    let strip_a = subgroup * 160u;
    let strip_scores = subgroup * 288u;
    let strip_weights = subgroup * 288u;
    let row_scores = local / 2u * 18u + part;
    let row_weights = local / 2u * 18u + part;
    var zero: coop_mat16x16<f32,C>;
    var k_0: vec4<f32>;
    var k_1: vec4<f32>;
    let copy_13 = local;
    let row_14 = copy_13 / 4u;
    let word_15 = copy_13 % 4u;
    let slot_17 = min(first + row_14, tokens - 1u);
    let m_16_y = u32((f32(slot_17) + 0.5f) * row_share);
    let m_16_x = slot_17 - m_16_y * tokens_x;
    let m_16_t = (top + m_16_y) * 9u + left + m_16_x;
    let k_m_16 = (b * 72u + m_16_t) * 24u + h * 4u + 8u;
    k_0 = b0[k_m_16 + word_15];
    let copy_18 = local + 128u;
    let row_19 = copy_18 / 4u;
    let word_20 = copy_18 % 4u;
    let slot_22 = min(first + row_19, tokens - 1u);
    let m_21_y = u32((f32(slot_22) + 0.5f) * row_share);
    let m_21_x = slot_22 - m_21_y * tokens_x;
    let m_21_t = (top + m_21_y) * 9u + left + m_21_x;
    let k_m_21 = (b * 72u + m_21_t) * 24u + h * 4u + 8u;
    k_1 = b0[k_m_21 + word_20];
    let copy_23 = local;
    let row_24 = copy_23 / 4u;
    let word_25 = copy_23 % 4u;
    tile_a[row_24 * 10u + word_25] = vec4<f16>(k_0);
    let copy_26 = local + 128u;
    let row_27 = copy_26 / 4u;
    let word_28 = copy_26 % 4u;
    tile_a[row_27 * 10u + word_28] = vec4<f16>(k_1);
    let copy_29 = local;
    let row_30 = copy_29 / 4u;
    let word_31 = copy_29 % 4u;
    let slot_33 = min(first + row_30, tokens - 1u);
    let m_32_y = u32((f32(slot_33) + 0.5f) * row_share);
    let m_32_x = slot_33 - m_32_y * tokens_x;
    let m_32_t = (top + m_32_y) * 9u + left + m_32_x;
    let k_34 = vec4<u32>(word_31 * 4u) + vec4<u32>(0u, 1u, 2u, 3u);
    tile_a[row_30 * 10u + 4u + word_31] = vec4<f16>(select(vec4<f32>(), vec4<f32>(1.0f), (k_34 == vec4<u32>(m_32_y)) | (k_34 == vec4<u32>(m_32_x + 6u))));
    let copy_35 = local + 128u;
    let row_36 = copy_35 / 4u;
    let word_37 = copy_35 % 4u;
    let slot_39 = min(first + row_36, tokens - 1u);
    let m_38_y = u32((f32(slot_39) + 0.5f) * row_share);
    let m_38_x = slot_39 - m_38_y * tokens_x;
    let m_38_t = (top + m_38_y) * 9u + left + m_38_x;
    let k_40 = vec4<u32>(word_37 * 4u) + vec4<u32>(0u, 1u, 2u, 3u);
    tile_a[row_36 * 10u + 4u + word_37] = vec4<f16>(select(vec4<f32>(), vec4<f32>(1.0f), (k_40 == vec4<u32>(m_38_y)) | (k_40 == vec4<u32>(m_38_x + 6u))));
    workgroupBarrier();
    let own_a_0 = coopLoadT<coop_mat16x16<f16,A>>(&tile_a[strip_a + 0u], 10u);
    let own_a_1 = coopLoadT<coop_mat16x16<f16,A>>(&tile_a[strip_a + 4u], 10u);
    workgroupBarrier();
    var v_0: vec4<f32>;
    var v_1: vec4<f32>;
    let copy_41 = local;
    let row_42 = copy_41 / 4u;
    let word_43 = copy_41 % 4u;
    let slot_45 = min(first + row_42, tokens - 1u);
    let m_44_y = u32((f32(slot_45) + 0.5f) * row_share);
    let m_44_x = slot_45 - m_44_y * tokens_x;
    let m_44_t = (top + m_44_y) * 9u + left + m_44_x;
    let v_m_44 = (b * 72u + m_44_t) * 24u + h * 4u + 16u;
    v_0 = b0[v_m_44 + word_43];
    let copy_46 = local + 128u;
    let row_47 = copy_46 / 4u;
    let word_48 = copy_46 % 4u;
    let slot_50 = min(first + row_47, tokens - 1u);
    let m_49_y = u32((f32(slot_50) + 0.5f) * row_share);
    let m_49_x = slot_50 - m_49_y * tokens_x;
    let m_49_t = (top + m_49_y) * 9u + left + m_49_x;
    let v_m_49 = (b * 72u + m_49_t) * 24u + h * 4u + 16u;
    v_1 = b0[v_m_49 + word_48];
    let copy_51 = local;
    let row_52 = copy_51 / 4u;
    let word_53 = copy_51 % 4u;
    tile_a[row_52 * 10u + word_53] = vec4<f16>(v_0);
    let copy_54 = local + 128u;
    let row_55 = copy_54 / 4u;
    let word_56 = copy_54 % 4u;
    tile_a[row_55 * 10u + word_56] = vec4<f16>(v_1);
    workgroupBarrier();
    let own_b_0 = coopLoadT<coop_mat16x16<f16,A>>(&tile_a[strip_a + 0u], 10u);
    workgroupBarrier();
    var dk_0: coop_mat16x16<f32,C>;
    var dv_0: coop_mat16x16<f32,C>;
    var q_0: vec4<f32>;
    var q_1: vec4<f32>;
    var g_0: vec4<f32>;
    var g_1: vec4<f32>;
    let copy_57 = local;
    let row_58 = copy_57 / 4u;
    let word_59 = copy_57 % 4u;
    let slot_61 = min(0u + row_58, tokens - 1u);
    let m_60_y = u32((f32(slot_61) + 0.5f) * row_share);
    let m_60_x = slot_61 - m_60_y * tokens_x;
    let m_60_t = (top + m_60_y) * 9u + left + m_60_x;
    let q_m_60 = (b * 72u + m_60_t) * 24u + h * 4u;
    let g_m_60 = ((b * 72u + m_60_t) * 2u + h) * 4u;
    q_0 = b0[q_m_60 + word_59];
    g_0 = b2[g_m_60 + word_59];
    let copy_62 = local + 128u;
    let row_63 = copy_62 / 4u;
    let word_64 = copy_62 % 4u;
    let slot_66 = min(0u + row_63, tokens - 1u);
    let m_65_y = u32((f32(slot_66) + 0.5f) * row_share);
    let m_65_x = slot_66 - m_65_y * tokens_x;
    let m_65_t = (top + m_65_y) * 9u + left + m_65_x;
    let q_m_65 = (b * 72u + m_65_t) * 24u + h * 4u;
    let g_m_65 = ((b * 72u + m_65_t) * 2u + h) * 4u;
    q_1 = b0[q_m_65 + word_64];
    g_1 = b2[g_m_65 + word_64];
    let whole = 0u;
    if whole < tokens {
        let start = whole;
        let copy_67 = local;
        let row_68 = copy_67 / 4u;
        let word_69 = copy_67 % 4u;
        tile_a[row_68 * 10u + word_69] = vec4<f16>(vec4<f32>(q_0) * 0.25f);
        tile_b[row_68 * 6u + word_69] = vec4<f16>(g_0);
        let copy_70 = local + 128u;
        let row_71 = copy_70 / 4u;
        let word_72 = copy_70 % 4u;
        tile_a[row_71 * 10u + word_72] = vec4<f16>(vec4<f32>(q_1) * 0.25f);
        tile_b[row_71 * 6u + word_72] = vec4<f16>(g_1);
        let copy_73 = local;
        let row_74 = copy_73 / 4u;
        let word_75 = copy_73 % 4u;
        let slot_77 = min(start + row_74, tokens - 1u);
        let m_76_y = u32((f32(slot_77) + 0.5f) * row_share);
        let m_76_x = slot_77 - m_76_y * tokens_x;
        let m_76_t = (top + m_76_y) * 9u + left + m_76_x;
        let saved_78 = ((b * 2u + h) * 72u + m_76_t) * 12u;
        let k_79 = word_75 * 4u;
        tile_a[row_74 * 10u + 4u + word_75] = vec4<f16>(vec4<f32>(b5[saved_78 + min(k_79 + 0u, 11u)], b5[saved_78 + min(k_79 + 1u, 11u)], b5[saved_78 + min(k_79 + 2u, 11u)], b5[saved_78 + min(k_79 + 3u, 11u)]));
        let copy_80 = local + 128u;
        let row_81 = copy_80 / 4u;
        let word_82 = copy_80 % 4u;
        let slot_84 = min(start + row_81, tokens - 1u);
        let m_83_y = u32((f32(slot_84) + 0.5f) * row_share);
        let m_83_x = slot_84 - m_83_y * tokens_x;
        let m_83_t = (top + m_83_y) * 9u + left + m_83_x;
        let saved_85 = ((b * 2u + h) * 72u + m_83_t) * 12u;
        let k_86 = word_82 * 4u;
        tile_a[row_81 * 10u + 4u + word_82] = vec4<f16>(vec4<f32>(b5[saved_85 + min(k_86 + 0u, 11u)], b5[saved_85 + min(k_86 + 1u, 11u)], b5[saved_85 + min(k_86 + 2u, 11u)], b5[saved_85 + min(k_86 + 3u, 11u)]));
        if local < 16u {
            let slot_88 = min(start + local * 4u, tokens - 1u);
            let m_87_y = u32((f32(slot_88) + 0.5f) * row_share);
            let m_87_x = slot_88 - m_87_y * tokens_x;
            let m_87_t = (top + m_87_y) * 9u + left + m_87_x;
            let row_89 = (b * 2u + h) * 72u + m_87_t;
            let slot_91 = min(start + local * 4u + 1u, tokens - 1u);
            let m_90_y = u32((f32(slot_91) + 0.5f) * row_share);
            let m_90_x = slot_91 - m_90_y * tokens_x;
            let m_90_t = (top + m_90_y) * 9u + left + m_90_x;
            let row_92 = (b * 2u + h) * 72u + m_90_t;
            let slot_94 = min(start + local * 4u + 2u, tokens - 1u);
            let m_93_y = u32((f32(slot_94) + 0.5f) * row_share);
            let m_93_x = slot_94 - m_93_y * tokens_x;
            let m_93_t = (top + m_93_y) * 9u + left + m_93_x;
            let row_95 = (b * 2u + h) * 72u + m_93_t;
            let slot_97 = min(start + local * 4u + 3u, tokens - 1u);
            let m_96_y = u32((f32(slot_97) + 0.5f) * row_share);
            let m_96_x = slot_97 - m_96_y * tokens_x;
            let m_96_t = (top + m_96_y) * 9u + left + m_96_x;
            let row_98 = (b * 2u + h) * 72u + m_96_t;
            column_a[local] = vec4<f32>(select(1e38f, b3[row_89], start + local * 4u < tokens), select(1e38f, b3[row_92], start + local * 4u + 1u < tokens), select(1e38f, b3[row_95], start + local * 4u + 2u < tokens), select(1e38f, b3[row_98], start + local * 4u + 3u < tokens));
            column_b[local] = vec4<f32>(b4[row_89], b4[row_92], b4[row_95], b4[row_98]);
        }
        workgroupBarrier();
        let right_99 = coopLoad<coop_mat16x16<f16,B>>(&tile_a[0u], 10u);
        let sum_100 = coopMultiplyAdd(own_a_0, right_99, zero);
        let right_101 = coopLoad<coop_mat16x16<f16,B>>(&tile_a[4u], 10u);
        let sum_102 = coopMultiplyAdd(own_a_1, right_101, sum_100);
        let at_103 = strip_scores + 0u;
        coopStoreT(sum_102, &scores[at_103], 18u);
        if whole + 16u < tokens {
            let right_104 = coopLoad<coop_mat16x16<f16,B>>(&tile_a[160u], 10u);
            let sum_105 = coopMultiplyAdd(own_a_0, right_104, zero);
            let right_106 = coopLoad<coop_mat16x16<f16,B>>(&tile_a[164u], 10u);
            let sum_107 = coopMultiplyAdd(own_a_1, right_106, sum_105);
            let at_108 = strip_scores + 4u;
            coopStoreT(sum_107, &scores[at_108], 18u);
        }
        if whole + 32u < tokens {
            let right_109 = coopLoad<coop_mat16x16<f16,B>>(&tile_a[320u], 10u);
            let sum_110 = coopMultiplyAdd(own_a_0, right_109, zero);
            let right_111 = coopLoad<coop_mat16x16<f16,B>>(&tile_a[324u], 10u);
            let sum_112 = coopMultiplyAdd(own_a_1, right_111, sum_110);
            let at_113 = strip_scores + 8u;
            coopStoreT(sum_112, &scores[at_113], 18u);
        }
        if whole + 48u < tokens {
            let right_114 = coopLoad<coop_mat16x16<f16,B>>(&tile_a[480u], 10u);
            let sum_115 = coopMultiplyAdd(own_a_0, right_114, zero);
            let right_116 = coopLoad<coop_mat16x16<f16,B>>(&tile_a[484u], 10u);
            let sum_117 = coopMultiplyAdd(own_a_1, right_116, sum_115);
            let at_118 = strip_scores + 12u;
            coopStoreT(sum_117, &scores[at_118], 18u);
        }
        workgroupBarrier();
        let score_119 = scores[row_scores + 0u];
        let weight_0 = exp(score_119 - column_a[0u + part]);
        weights[row_weights + 0u] = vec4<f16>(weight_0);
        let score_120 = scores[row_scores + 2u];
        let weight_1 = exp(score_120 - column_a[2u + part]);
        weights[row_weights + 2u] = vec4<f16>(weight_1);
        let score_121 = scores[row_scores + 4u];
        let weight_2 = exp(score_121 - column_a[4u + part]);
        weights[row_weights + 4u] = vec4<f16>(weight_2);
        let score_122 = scores[row_scores + 6u];
        let weight_3 = exp(score_122 - column_a[6u + part]);
        weights[row_weights + 6u] = vec4<f16>(weight_3);
        let score_123 = scores[row_scores + 8u];
        let weight_4 = exp(score_123 - column_a[8u + part]);
        weights[row_weights + 8u] = vec4<f16>(weight_4);
        let score_124 = scores[row_scores + 10u];
        let weight_5 = exp(score_124 - column_a[10u + part]);
        weights[row_weights + 10u] = vec4<f16>(weight_5);
        let score_125 = scores[row_scores + 12u];
        let weight_6 = exp(score_125 - column_a[12u + part]);
        weights[row_weights + 12u] = vec4<f16>(weight_6);
        let score_126 = scores[row_scores + 14u];
        let weight_7 = exp(score_126 - column_a[14u + part]);
        weights[row_weights + 14u] = vec4<f16>(weight_7);
        workgroupBarrier();
        let right_127 = coopLoad<coop_mat16x16<f16,B>>(&tile_b[0u], 6u);
        let sum_128 = coopMultiplyAdd(own_b_0, right_127, zero);
        let at_129 = strip_scores + 0u;
        coopStoreT(sum_128, &scores[at_129], 18u);
        if whole + 16u < tokens {
            let right_130 = coopLoad<coop_mat16x16<f16,B>>(&tile_b[96u], 6u);
            let sum_131 = coopMultiplyAdd(own_b_0, right_130, zero);
            let at_132 = strip_scores + 4u;
            coopStoreT(sum_131, &scores[at_132], 18u);
        }
        if whole + 32u < tokens {
            let right_133 = coopLoad<coop_mat16x16<f16,B>>(&tile_b[192u], 6u);
            let sum_134 = coopMultiplyAdd(own_b_0, right_133, zero);
            let at_135 = strip_scores + 8u;
            coopStoreT(sum_134, &scores[at_135], 18u);
        }
        if whole + 48u < tokens {
            let right_136 = coopLoad<coop_mat16x16<f16,B>>(&tile_b[288u], 6u);
            let sum_137 = coopMultiplyAdd(own_b_0, right_136, zero);
            let at_138 = strip_scores + 12u;
            coopStoreT(sum_137, &scores[at_138], 18u);
        }
        let left_139 = coopLoadT<coop_mat16x16<f16,A>>(&weights[strip_weights + 0u], 18u);
        let right_140 = coopLoadT<coop_mat16x16<f16,B>>(&tile_b[0u], 6u);
        dv_0 = coopMultiplyAdd(left_139, right_140, dv_0);
        if whole + 16u < tokens {
            let left_141 = coopLoadT<coop_mat16x16<f16,A>>(&weights[strip_weights + 4u], 18u);
            let right_142 = coopLoadT<coop_mat16x16<f16,B>>(&tile_b[96u], 6u);
            dv_0 = coopMultiplyAdd(left_141, right_142, dv_0);
        }
        if whole + 32u < tokens {
            let left_143 = coopLoadT<coop_mat16x16<f16,A>>(&weights[strip_weights + 8u], 18u);
            let right_144 = coopLoadT<coop_mat16x16<f16,B>>(&tile_b[192u], 6u);
            dv_0 = coopMultiplyAdd(left_143, right_144, dv_0);
        }
        if whole + 48u < tokens {
            let left_145 = coopLoadT<coop_mat16x16<f16,A>>(&weights[strip_weights + 12u], 18u);
            let right_146 = coopLoadT<coop_mat16x16<f16,B>>(&tile_b[288u], 6u);
            dv_0 = coopMultiplyAdd(left_145, right_146, dv_0);
        }
        workgroupBarrier();
        let score_147 = scores[row_scores + 0u];
        weights[row_weights + 0u] = vec4<f16>(weight_0 * (score_147 - column_b[0u + part]));
        let score_148 = scores[row_scores + 2u];
        weights[row_weights + 2u] = vec4<f16>(weight_1 * (score_148 - column_b[2u + part]));
        let score_149 = scores[row_scores + 4u];
        weights[row_weights + 4u] = vec4<f16>(weight_2 * (score_149 - column_b[4u + part]));
        let score_150 = scores[row_scores + 6u];
        weights[row_weights + 6u] = vec4<f16>(weight_3 * (score_150 - column_b[6u + part]));
        let score_151 = scores[row_scores + 8u];
        weights[row_weights + 8u] = vec4<f16>(weight_4 * (score_151 - column_b[8u + part]));
        let score_152 = scores[row_scores + 10u];
        weights[row_weights + 10u] = vec4<f16>(weight_5 * (score_152 - column_b[10u + part]));
        let score_153 = scores[row_scores + 12u];
        weights[row_weights + 12u] = vec4<f16>(weight_6 * (score_153 - column_b[12u + part]));
        let score_154 = scores[row_scores + 14u];
        weights[row_weights + 14u] = vec4<f16>(weight_7 * (score_154 - column_b[14u + part]));
        workgroupBarrier();
        let left_155 = coopLoadT<coop_mat16x16<f16,A>>(&weights[strip_weights + 0u], 18u);
        let right_156 = coopLoadT<coop_mat16x16<f16,B>>(&tile_a[0u], 10u);
        dk_0 = coopMultiplyAdd(left_155, right_156, dk_0);
        if whole + 16u < tokens {
            let left_157 = coopLoadT<coop_mat16x16<f16,A>>(&weights[strip_weights + 4u], 18u);
            let right_158 = coopLoadT<coop_mat16x16<f16,B>>(&tile_a[160u], 10u);
            dk_0 = coopMultiplyAdd(left_157, right_158, dk_0);
        }
        if whole + 32u < tokens {
            let left_159 = coopLoadT<coop_mat16x16<f16,A>>(&weights[strip_weights + 8u], 18u);
            let right_160 = coopLoadT<coop_mat16x16<f16,B>>(&tile_a[320u], 10u);
            dk_0 = coopMultiplyAdd(left_159, right_160, dk_0);
        }
        if whole + 48u < tokens {
            let left_161 = coopLoadT<coop_mat16x16<f16,A>>(&weights[strip_weights + 12u], 18u);
            let right_162 = coopLoadT<coop_mat16x16<f16,B>>(&tile_a[480u], 10u);
            dk_0 = coopMultiplyAdd(left_161, right_162, dk_0);
        }
        workgroupBarrier();
    }
    let row_163 = ((b * 72u + n_t) * 2u + h) * 4u + part;
    let sum_164 = dk_0;
    let at_165 = strip_scores + 0u;
    coopStoreT(sum_164, &scores[at_165], 18u);
    workgroupBarrier();
    if p < tokens {
        let score_166 = scores[row_scores + 0u];
        b6[row_163 + 0u] = score_166;
        let score_167 = scores[row_scores + 2u];
        b6[row_163 + 2u] = score_167;
    }
    workgroupBarrier();
    let row_168 = ((b * 72u + n_t) * 2u + h) * 4u + part;
    let sum_169 = dv_0;
    let at_170 = strip_scores + 0u;
    coopStoreT(sum_169, &scores[at_170], 18u);
    workgroupBarrier();
    if p < tokens {
        let score_171 = scores[row_scores + 0u];
        b7[row_168 + 0u] = score_171;
        let score_172 = scores[row_scores + 2u];
        b7[row_168 + 2u] = score_172;
    }
    workgroupBarrier();
}
