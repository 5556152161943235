enable wgpu_cooperative_matrix;
enable f16;
@group(0) @binding(0) var<storage, read> b0: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read> b1: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> b2: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> b3: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read_write> b4: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read_write> b5: array<f32>;
@group(0) @binding(6) var<storage, read_write> b6: array<f32>;
var<workgroup> tile_a: array<vec4<f16>, 640>;
var<workgroup> tile_b: array<vec4<f16>, 384>;
var<workgroup> scores: array<vec4<f32>, 1152>;
var<workgroup> weights: array<vec4<f16>, 1152>;
var<workgroup> column_a: array<vec4<f32>, 16>;
var<workgroup> column_b: array<vec4<f32>, 16>;
var<workgroup> risen: array<u32, 4>;

@compute @workgroup_size(128)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(subgroup_id) subgroup: u32, @builtin(num_subgroups) subgroups: u32, @builtin(subgroup_invocation_id) lane: u32, @builtin(subgroup_size) lanes: u32) {
    let at = group.x;
    let local = subgroup * lanes + lane;
    let part = local % 2u;
    let p = local / 2u;
    let window = at / 1u % 4u;
    let top = window / 2u * 6u;
    let left = window % 2u * 6u;
    let tokens_y = min(6u, 8u - top);
    let tokens_x = min(6u, 9u - left);
    let tokens = tokens_y * tokens_x;
    let row_share = 1.0f / f32(tokens_x);
    let pads = tokens < 36u;
    let h = at / 4u % 2u;
    let b = at / 8u;
    let first = 0u;
    let slot_1 = min(p, tokens - 1u);
    let n_y = u32((f32(slot_1) + 0.5f) * row_share);
    let n_x = slot_1 - n_y * tokens_x;
    let n_t = (top + n_y) * 9u + left + n_x;
    let strip_a = subgroup * 160u;
    let strip_scores = subgroup * 288u;
    let strip_weights = subgroup * 288u;
    let row_scores = local / 2u * 18u + part;
    let row_weights = local / 2u * 18u + part;
    var zero: coop_mat16x16<f32,C>;
    var q_0: vec4<f32>;
    var q_1: vec4<f32>;
    let copy_2 = local;
    let row_3 = copy_2 / 4u;
    let word_4 = copy_2 % 4u;
    let slot_6 = min(first + row_3, tokens - 1u);
    let m_5_y = u32((f32(slot_6) + 0.5f) * row_share);
    let m_5_x = slot_6 - m_5_y * tokens_x;
    let m_5_t = (top + m_5_y) * 9u + left + m_5_x;
    let q_m_5 = (b * 72u + m_5_t) * 24u + h * 4u;
    q_0 = b0[q_m_5 + word_4];
    let copy_7 = local + 128u;
    let row_8 = copy_7 / 4u;
    let word_9 = copy_7 % 4u;
    let slot_11 = min(first + row_8, tokens - 1u);
    let m_10_y = u32((f32(slot_11) + 0.5f) * row_share);
    let m_10_x = slot_11 - m_10_y * tokens_x;
    let m_10_t = (top + m_10_y) * 9u + left + m_10_x;
    let q_m_10 = (b * 72u + m_10_t) * 24u + h * 4u;
    q_1 = b0[q_m_10 + word_9];
    let copy_12 = local;
    let row_13 = copy_12 / 4u;
    let word_14 = copy_12 % 4u;
    tile_a[row_13 * 10u + word_14] = vec4<f16>(q_0);
    let copy_15 = local + 128u;
    let row_16 = copy_15 / 4u;
    let word_17 = copy_15 % 4u;
    tile_a[row_16 * 10u + word_17] = vec4<f16>(q_1);
    workgroupBarrier();
    let own_a_0 = coopLoadT<coop_mat16x16<f16,A>>(&tile_a[strip_a + 0u], 10u);
    workgroupBarrier();
    let row_terms = local / 2u * 10u + 4u;
    let saved = ((b * 2u + h) * 72u + n_t) * 12u;
    tile_a[row_terms + 0u + part] = vec4<f16>();
    tile_a[row_terms + 2u + part] = vec4<f16>();
    for (var start = 0u; start < 22u; start += 64u) {
        let copy_18 = local;
        let row_19 = copy_18 / 4u;
        let word_20 = copy_18 % 4u;
        let at_21 = start + row_19;
        let four_22 = select(b2[min(max(at_21, 11u) - 11u, 10u) * 4u + word_20], b1[min(at_21, 10u) * 4u + word_20], at_21 < 11u);
        let copy_23 = local + 128u;
        let row_24 = copy_23 / 4u;
        let word_25 = copy_23 % 4u;
        let at_26 = start + row_24;
        let four_27 = select(b2[min(max(at_26, 11u) - 11u, 10u) * 4u + word_25], b1[min(at_26, 10u) * 4u + word_25], at_26 < 11u);
        tile_a[row_19 * 10u + word_20] = vec4<f16>(four_22);
        tile_a[row_24 * 10u + word_25] = vec4<f16>(four_27);
        workgroupBarrier();
        let right_28 = coopLoad<coop_mat16x16<f16,B>>(&tile_a[0u], 10u);
        let sum_29 = coopMultiplyAdd(own_a_0, right_28, zero);
        let at_30 = strip_scores + 0u;
        coopStoreT(sum_29, &scores[at_30], 18u);
        let right_31 = coopLoad<coop_mat16x16<f16,B>>(&tile_a[160u], 10u);
        let sum_32 = coopMultiplyAdd(own_a_0, right_31, zero);
        let at_33 = strip_scores + 4u;
        coopStoreT(sum_32, &scores[at_33], 18u);
        let right_34 = coopLoad<coop_mat16x16<f16,B>>(&tile_a[320u], 10u);
        let sum_35 = coopMultiplyAdd(own_a_0, right_34, zero);
        let at_36 = strip_scores + 8u;
        coopStoreT(sum_35, &scores[at_36], 18u);
        let right_37 = coopLoad<coop_mat16x16<f16,B>>(&tile_a[480u], 10u);
        let sum_38 = coopMultiplyAdd(own_a_0, right_37, zero);
        let at_39 = strip_scores + 12u;
        coopStoreT(sum_38, &scores[at_39], 18u);
        workgroupBarrier();
        for (var j = 0u; j < 8u; j += 1u) {
            let four = scores[row_scores + j * 2u];
            let row_40 = start + j * 8u + part * 4u + 0u;
            let y_41 = row_40 < 11u;
            let k_42 = select(n_x + 16u - row_40, n_y + 5u - row_40, y_41);
            let inside_43 = k_42 < select(6u, 6u, y_41);
            let at_44 = k_42 + select(6u, 0u, y_41);
            if inside_43 {
                tile_a[row_terms + at_44 / 4u][at_44 % 4u] = f16(four[0]);
                if p < tokens {
                    b6[saved + at_44] = four[0];
                }
            }
            let row_45 = start + j * 8u + part * 4u + 1u;
            let y_46 = row_45 < 11u;
            let k_47 = select(n_x + 16u - row_45, n_y + 5u - row_45, y_46);
            let inside_48 = k_47 < select(6u, 6u, y_46);
            let at_49 = k_47 + select(6u, 0u, y_46);
            if inside_48 {
                tile_a[row_terms + at_49 / 4u][at_49 % 4u] = f16(four[1]);
                if p < tokens {
                    b6[saved + at_49] = four[1];
                }
            }
            let row_50 = start + j * 8u + part * 4u + 2u;
            let y_51 = row_50 < 11u;
            let k_52 = select(n_x + 16u - row_50, n_y + 5u - row_50, y_51);
            let inside_53 = k_52 < select(6u, 6u, y_51);
            let at_54 = k_52 + select(6u, 0u, y_51);
            if inside_53 {
                tile_a[row_terms + at_54 / 4u][at_54 % 4u] = f16(four[2]);
                if p < tokens {
                    b6[saved + at_54] = four[2];
                }
            }
            let row_55 = start + j * 8u + part * 4u + 3u;
            let y_56 = row_55 < 11u;
            let k_57 = select(n_x + 16u - row_55, n_y + 5u - row_55, y_56);
            let inside_58 = k_57 < select(6u, 6u, y_56);
            let at_59 = k_57 + select(6u, 0u, y_56);
            if inside_58 {
                tile_a[row_terms + at_59 / 4u][at_59 % 4u] = f16(four[3]);
                if p < tokens {
                    b6[saved + at_59] = four[3];
                }
            }
        }
    }
    workgroupBarrier();
    let own_a_1 = coopLoadT<coop_mat16x16<f16,A>>(&tile_a[strip_a + 4u], 10u);
    workgroupBarrier();
    var pads_score = (-1e38f);
    storageBarrier();
    if pads {
        let pad_k = h * 4u + 8u;
        let pad_v = h * 4u + 16u;
        let q_row = (b * 72u + n_t) * 24u + h * 4u;
        var product = 0.0f;
        for (var r = part; r < 4u; r += 2u) {
            product += dot(b0[q_row + r], b3[pad_k + r]);
        }
        var log_y_peak = (-1e38f);
        for (var k = 0u; k < tokens_y; k += 1u) {
            log_y_peak = max(log_y_peak, b6[saved + k]);
        }
        var log_y_sum = 0.0f;
        for (var k = 0u; k < tokens_y; k += 1u) {
            log_y_sum += exp(b6[saved + k] - log_y_peak);
        }
        let log_y = log_y_peak + log(max(log_y_sum, 1e-30f));
        var log_pads_y_peak = (-1e38f);
        for (var k = tokens_y; k < 6u; k += 1u) {
            log_pads_y_peak = max(log_pads_y_peak, b6[saved + k]);
        }
        var log_pads_y_sum = 0.0f;
        for (var k = tokens_y; k < 6u; k += 1u) {
            log_pads_y_sum += exp(b6[saved + k] - log_pads_y_peak);
        }
        let log_pads_y = log_pads_y_peak + log(max(log_pads_y_sum, 1e-30f));
        var log_x_peak = (-1e38f);
        for (var k = 6u; k < 6u + tokens_x; k += 1u) {
            log_x_peak = max(log_x_peak, b6[saved + k]);
        }
        var log_x_sum = 0.0f;
        for (var k = 6u; k < 6u + tokens_x; k += 1u) {
            log_x_sum += exp(b6[saved + k] - log_x_peak);
        }
        let log_x = log_x_peak + log(max(log_x_sum, 1e-30f));
        var log_pads_x_peak = (-1e38f);
        for (var k = 6u + tokens_x; k < 12u; k += 1u) {
            log_pads_x_peak = max(log_pads_x_peak, b6[saved + k]);
        }
        var log_pads_x_sum = 0.0f;
        for (var k = 6u + tokens_x; k < 12u; k += 1u) {
            log_pads_x_sum += exp(b6[saved + k] - log_pads_x_peak);
        }
        let log_pads_x = log_pads_x_peak + log(max(log_pads_x_sum, 1e-30f));
        let top_60 = max(log_y, log_pads_y);
        let log_all_y = top_60 + log(exp(log_y - top_60) + exp(log_pads_y - top_60));
        let top_61 = max(log_x, log_pads_x);
        let log_all_x = top_61 + log(exp(log_x - top_61) + exp(log_pads_x - top_61));
        let below_62 = log_pads_y + log_all_x;
        let beside_63 = log_y + log_pads_x;
        let top_64 = max(below_62, beside_63);
        pads_score = (product + subgroupShuffleXor(product, 1u)) * 0.25f + top_64 + log(exp(below_62 - top_64) + exp(beside_63 - top_64));
    }
    var peak = (-1e38f);
    var total = 0.0f;
    var out_0: coop_mat16x16<f32,C>;
    var k_0: vec4<f32>;
    var k_1: vec4<f32>;
    var v_0: vec4<f32>;
    var v_1: vec4<f32>;
    let copy_65 = local;
    let row_66 = copy_65 / 4u;
    let word_67 = copy_65 % 4u;
    let slot_69 = min(0u + row_66, tokens - 1u);
    let m_68_y = u32((f32(slot_69) + 0.5f) * row_share);
    let m_68_x = slot_69 - m_68_y * tokens_x;
    let m_68_t = (top + m_68_y) * 9u + left + m_68_x;
    let k_m_68 = (b * 72u + m_68_t) * 24u + h * 4u + 8u;
    let v_m_68 = (b * 72u + m_68_t) * 24u + h * 4u + 16u;
    k_0 = b0[k_m_68 + word_67];
    v_0 = b0[v_m_68 + word_67];
    let copy_70 = local + 128u;
    let row_71 = copy_70 / 4u;
    let word_72 = copy_70 % 4u;
    let slot_74 = min(0u + row_71, tokens - 1u);
    let m_73_y = u32((f32(slot_74) + 0.5f) * row_share);
    let m_73_x = slot_74 - m_73_y * tokens_x;
    let m_73_t = (top + m_73_y) * 9u + left + m_73_x;
    let k_m_73 = (b * 72u + m_73_t) * 24u + h * 4u + 8u;
    let v_m_73 = (b * 72u + m_73_t) * 24u + h * 4u + 16u;
    k_1 = b0[k_m_73 + word_72];
    v_1 = b0[v_m_73 + word_72];
    let whole = 0u;
    if whole < tokens {
        let start = whole;
        let copy_75 = local;
        let row_76 = copy_75 / 4u;
        let word_77 = copy_75 % 4u;
        tile_a[row_76 * 10u + word_77] = vec4<f16>(vec4<f32>(k_0) * 0.25f);
        tile_b[row_76 * 6u + word_77] = vec4<f16>(v_0);
        let copy_78 = local + 128u;
        let row_79 = copy_78 / 4u;
        let word_80 = copy_78 % 4u;
        tile_a[row_79 * 10u + word_80] = vec4<f16>(vec4<f32>(k_1) * 0.25f);
        tile_b[row_79 * 6u + word_80] = vec4<f16>(v_1);
        let copy_81 = local;
        let row_82 = copy_81 / 4u;
        let word_83 = copy_81 % 4u;
        let slot_85 = min(start + row_82, tokens - 1u);
        let m_84_y = u32((f32(slot_85) + 0.5f) * row_share);
        let m_84_x = slot_85 - m_84_y * tokens_x;
        let m_84_t = (top + m_84_y) * 9u + left + m_84_x;
        let k_86 = vec4<u32>(word_83 * 4u) + vec4<u32>(0u, 1u, 2u, 3u);
        tile_a[row_82 * 10u + 4u + word_83] = vec4<f16>(select(vec4<f32>(), vec4<f32>(1.0f), (k_86 == vec4<u32>(m_84_y)) | (k_86 == vec4<u32>(m_84_x + 6u))));
        let copy_87 = local + 128u;
        let row_88 = copy_87 / 4u;
        let word_89 = copy_87 % 4u;
        let slot_91 = min(start + row_88, tokens - 1u);
        let m_90_y = u32((f32(slot_91) + 0.5f) * row_share);
        let m_90_x = slot_91 - m_90_y * tokens_x;
        let m_90_t = (top + m_90_y) * 9u + left + m_90_x;
        let k_92 = vec4<u32>(word_89 * 4u) + vec4<u32>(0u, 1u, 2u, 3u);
        tile_a[row_88 * 10u + 4u + word_89] = vec4<f16>(select(vec4<f32>(), vec4<f32>(1.0f), (k_92 == vec4<u32>(m_90_y)) | (k_92 == vec4<u32>(m_90_x + 6u))));
        if local < 16u {
            let slot_94 = min(start + local * 4u, tokens - 1u);
            let m_93_y = u32((f32(slot_94) + 0.5f) * row_share);
            let m_93_x = slot_94 - m_93_y * tokens_x;
            let m_93_t = (top + m_93_y) * 9u + left + m_93_x;
            let slot_96 = min(start + local * 4u + 1u, tokens - 1u);
            let m_95_y = u32((f32(slot_96) + 0.5f) * row_share);
            let m_95_x = slot_96 - m_95_y * tokens_x;
            let m_95_t = (top + m_95_y) * 9u + left + m_95_x;
            let slot_98 = min(start + local * 4u + 2u, tokens - 1u);
            let m_97_y = u32((f32(slot_98) + 0.5f) * row_share);
            let m_97_x = slot_98 - m_97_y * tokens_x;
            let m_97_t = (top + m_97_y) * 9u + left + m_97_x;
            let slot_100 = min(start + local * 4u + 3u, tokens - 1u);
            let m_99_y = u32((f32(slot_100) + 0.5f) * row_share);
            let m_99_x = slot_100 - m_99_y * tokens_x;
            let m_99_t = (top + m_99_y) * 9u + left + m_99_x;
            column_a[local] = vec4<f32>(select(1.0f, 0.0f, start + local * 4u < tokens), select(1.0f, 0.0f, start + local * 4u + 1u < tokens), select(1.0f, 0.0f, start + local * 4u + 2u < tokens), select(1.0f, 0.0f, start + local * 4u + 3u < tokens));
        }
        workgroupBarrier();
        let right_101 = coopLoad<coop_mat16x16<f16,B>>(&tile_a[0u], 10u);
        let sum_102 = coopMultiplyAdd(own_a_0, right_101, zero);
        let right_103 = coopLoad<coop_mat16x16<f16,B>>(&tile_a[4u], 10u);
        let sum_104 = coopMultiplyAdd(own_a_1, right_103, sum_102);
        let at_105 = strip_scores + 0u;
        coopStoreT(sum_104, &scores[at_105], 18u);
        if whole + 16u < tokens {
            let right_106 = coopLoad<coop_mat16x16<f16,B>>(&tile_a[160u], 10u);
            let sum_107 = coopMultiplyAdd(own_a_0, right_106, zero);
            let right_108 = coopLoad<coop_mat16x16<f16,B>>(&tile_a[164u], 10u);
            let sum_109 = coopMultiplyAdd(own_a_1, right_108, sum_107);
            let at_110 = strip_scores + 4u;
            coopStoreT(sum_109, &scores[at_110], 18u);
        }
        if whole + 32u < tokens {
            let right_111 = coopLoad<coop_mat16x16<f16,B>>(&tile_a[320u], 10u);
            let sum_112 = coopMultiplyAdd(own_a_0, right_111, zero);
            let right_113 = coopLoad<coop_mat16x16<f16,B>>(&tile_a[324u], 10u);
            let sum_114 = coopMultiplyAdd(own_a_1, right_113, sum_112);
            let at_115 = strip_scores + 8u;
            coopStoreT(sum_114, &scores[at_115], 18u);
        }
        if whole + 48u < tokens {
            let right_116 = coopLoad<coop_mat16x16<f16,B>>(&tile_a[480u], 10u);
            let sum_117 = coopMultiplyAdd(own_a_0, right_116, zero);
            let right_118 = coopLoad<coop_mat16x16<f16,B>>(&tile_a[484u], 10u);
            let sum_119 = coopMultiplyAdd(own_a_1, right_118, sum_117);
            let at_120 = strip_scores + 12u;
            coopStoreT(sum_119, &scores[at_120], 18u);
        }
        workgroupBarrier();
        let score_121 = scores[row_scores + 0u];
        let masked_122 = select(vec4<f32>((-1e38f)), score_121, column_a[0u + part] == vec4<f32>());
        let score_123 = scores[row_scores + 2u];
        let masked_124 = select(vec4<f32>((-1e38f)), score_123, column_a[2u + part] == vec4<f32>());
        let score_125 = scores[row_scores + 4u];
        let masked_126 = select(vec4<f32>((-1e38f)), score_125, column_a[4u + part] == vec4<f32>());
        let score_127 = scores[row_scores + 6u];
        let masked_128 = select(vec4<f32>((-1e38f)), score_127, column_a[6u + part] == vec4<f32>());
        let score_129 = scores[row_scores + 8u];
        let masked_130 = select(vec4<f32>((-1e38f)), score_129, column_a[8u + part] == vec4<f32>());
        let score_131 = scores[row_scores + 10u];
        let masked_132 = select(vec4<f32>((-1e38f)), score_131, column_a[10u + part] == vec4<f32>());
        let score_133 = scores[row_scores + 12u];
        let masked_134 = select(vec4<f32>((-1e38f)), score_133, column_a[12u + part] == vec4<f32>());
        let score_135 = scores[row_scores + 14u];
        let masked_136 = select(vec4<f32>((-1e38f)), score_135, column_a[14u + part] == vec4<f32>());
        let largest_137 = max(max(max(max(max(max(max(masked_122, masked_124), masked_126), masked_128), masked_130), masked_132), masked_134), masked_136);
        let own = max(max(largest_137.x, largest_137.y), max(largest_137.z, largest_137.w));
        let highest = max(own, subgroupShuffleXor(own, 1u));
        let rises = subgroupAny(highest > peak + 8.0f);
        if lane == 0u {
            risen[subgroup] = select(0u, 1u, rises);
        }
        let any = workgroupUniformLoad(&risen);
        if (any[0] | any[1] | any[2] | any[3]) != 0u {
            let higher = max(peak, highest);
            let factor = exp(peak - higher);
            total *= factor;
            peak = higher;
            let sum_138 = out_0;
            let at_139 = strip_scores + 0u;
            coopStoreT(sum_138, &scores[at_139], 18u);
            workgroupBarrier();
            scores[row_scores + 0u] = scores[row_scores + 0u] * factor;
            scores[row_scores + 2u] = scores[row_scores + 2u] * factor;
            workgroupBarrier();
            out_0 = coopLoadT<coop_mat16x16<f32,C>>(&scores[strip_scores + 0u], 18u);
            workgroupBarrier();
        }
        let weight_140 = exp(masked_122 - vec4<f32>(peak));
        total += weight_140.x + weight_140.y + weight_140.z + weight_140.w;
        weights[row_weights + 0u] = vec4<f16>(weight_140);
        let weight_141 = exp(masked_124 - vec4<f32>(peak));
        total += weight_141.x + weight_141.y + weight_141.z + weight_141.w;
        weights[row_weights + 2u] = vec4<f16>(weight_141);
        let weight_142 = exp(masked_126 - vec4<f32>(peak));
        total += weight_142.x + weight_142.y + weight_142.z + weight_142.w;
        weights[row_weights + 4u] = vec4<f16>(weight_142);
        let weight_143 = exp(masked_128 - vec4<f32>(peak));
        total += weight_143.x + weight_143.y + weight_143.z + weight_143.w;
        weights[row_weights + 6u] = vec4<f16>(weight_143);
        let weight_144 = exp(masked_130 - vec4<f32>(peak));
        total += weight_144.x + weight_144.y + weight_144.z + weight_144.w;
        weights[row_weights + 8u] = vec4<f16>(weight_144);
        let weight_145 = exp(masked_132 - vec4<f32>(peak));
        total += weight_145.x + weight_145.y + weight_145.z + weight_145.w;
        weights[row_weights + 10u] = vec4<f16>(weight_145);
        let weight_146 = exp(masked_134 - vec4<f32>(peak));
        total += weight_146.x + weight_146.y + weight_146.z + weight_146.w;
        weights[row_weights + 12u] = vec4<f16>(weight_146);
        let weight_147 = exp(masked_136 - vec4<f32>(peak));
        total += weight_147.x + weight_147.y + weight_147.z + weight_147.w;
        weights[row_weights + 14u] = vec4<f16>(weight_147);
        workgroupBarrier();
        let left_148 = coopLoadT<coop_mat16x16<f16,A>>(&weights[strip_weights + 0u], 18u);
        let right_149 = coopLoadT<coop_mat16x16<f16,B>>(&tile_b[0u], 6u);
        out_0 = coopMultiplyAdd(left_148, right_149, out_0);
        if whole + 16u < tokens {
            let left_150 = coopLoadT<coop_mat16x16<f16,A>>(&weights[strip_weights + 4u], 18u);
            let right_151 = coopLoadT<coop_mat16x16<f16,B>>(&tile_b[96u], 6u);
            out_0 = coopMultiplyAdd(left_150, right_151, out_0);
        }
        if whole + 32u < tokens {
            let left_152 = coopLoadT<coop_mat16x16<f16,A>>(&weights[strip_weights + 8u], 18u);
            let right_153 = coopLoadT<coop_mat16x16<f16,B>>(&tile_b[192u], 6u);
            out_0 = coopMultiplyAdd(left_152, right_153, out_0);
        }
        if whole + 48u < tokens {
            let left_154 = coopLoadT<coop_mat16x16<f16,A>>(&weights[strip_weights + 12u], 18u);
            let right_155 = coopLoadT<coop_mat16x16<f16,B>>(&tile_b[288u], 6u);
            out_0 = coopMultiplyAdd(left_154, right_155, out_0);
        }
        workgroupBarrier();
    }
    let sum = total + subgroupShuffleXor(total, 1u);
    let highest = max(peak, pads_score);
    let kept = exp(peak - highest);
    let pads_weight = exp(pads_score - highest);
    let all = sum * kept + pads_weight;
    let pad_v = h * 4u + 16u + part;
    let row_156 = ((b * 72u + n_t) * 2u + h) * 4u + part;
    let sum_157 = out_0;
    let at_158 = strip_scores + 0u;
    coopStoreT(sum_157, &scores[at_158], 18u);
    workgroupBarrier();
    if p < tokens {
        let score_159 = scores[row_scores + 0u];
        b4[row_156 + 0u] = (score_159 * kept + b3[pad_v + 0u] * pads_weight) / all;
        let score_160 = scores[row_scores + 2u];
        b4[row_156 + 2u] = (score_160 * kept + b3[pad_v + 2u] * pads_weight) / all;
    }
    workgroupBarrier();
    if p < tokens && part == 0u {
        b5[(b * 2u + h) * 72u + n_t] = highest + log(all);
    }
}
