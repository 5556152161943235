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
    {
        let start = 0u;
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
        workgroupBarrier();
        for (var j = 0u; j < 4u; j += 1u) {
            let four = scores[row_scores + j * 2u];
            let row_34 = start + j * 8u + part * 4u + 0u;
            let y_35 = row_34 < 11u;
            let k_36 = select(n_x + 16u - row_34, n_y + 5u - row_34, y_35);
            let inside_37 = k_36 < select(6u, 6u, y_35);
            let at_38 = k_36 + select(6u, 0u, y_35);
            if inside_37 {
                tile_a[row_terms + at_38 / 4u][at_38 % 4u] = f16(four[0]);
            }
            let row_39 = start + j * 8u + part * 4u + 1u;
            let y_40 = row_39 < 11u;
            let k_41 = select(n_x + 16u - row_39, n_y + 5u - row_39, y_40);
            let inside_42 = k_41 < select(6u, 6u, y_40);
            let at_43 = k_41 + select(6u, 0u, y_40);
            if inside_42 {
                tile_a[row_terms + at_43 / 4u][at_43 % 4u] = f16(four[1]);
            }
            let row_44 = start + j * 8u + part * 4u + 2u;
            let y_45 = row_44 < 11u;
            let k_46 = select(n_x + 16u - row_44, n_y + 5u - row_44, y_45);
            let inside_47 = k_46 < select(6u, 6u, y_45);
            let at_48 = k_46 + select(6u, 0u, y_45);
            if inside_47 {
                tile_a[row_terms + at_48 / 4u][at_48 % 4u] = f16(four[2]);
            }
            let row_49 = start + j * 8u + part * 4u + 3u;
            let y_50 = row_49 < 11u;
            let k_51 = select(n_x + 16u - row_49, n_y + 5u - row_49, y_50);
            let inside_52 = k_51 < select(6u, 6u, y_50);
            let at_53 = k_51 + select(6u, 0u, y_50);
            if inside_52 {
                tile_a[row_terms + at_53 / 4u][at_53 % 4u] = f16(four[3]);
            }
        }
    }
    workgroupBarrier();
    let own_a_1 = coopLoadT<coop_mat16x16<f16,A>>(&tile_a[strip_a + 4u], 10u);
    for (var copy = local; copy < 768u; copy += 128u) {
        let row = copy / 12u;
        let k = copy % 12u;
        let slot_54 = min(first + row, tokens - 1u);
        let m_y = u32((f32(slot_54) + 0.5f) * row_share);
        let m_x = slot_54 - m_y * tokens_x;
        let m_t = (top + m_y) * 9u + left + m_x;
        if first + row < tokens {
            b6[((b * 2u + h) * 72u + m_t) * 12u + k] = f32(tile_a[row * 10u + 4u + k / 4u][k % 4u]);
        }
    }
    workgroupBarrier();
    var pads_score = (-1e38f);
    storageBarrier();
    let pad_k = h * 4u + 8u;
    let pad_v = h * 4u + 16u;
    if pads {
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
        let top_55 = max(log_y, log_pads_y);
        let log_all_y = top_55 + log(exp(log_y - top_55) + exp(log_pads_y - top_55));
        let top_56 = max(log_x, log_pads_x);
        let log_all_x = top_56 + log(exp(log_x - top_56) + exp(log_pads_x - top_56));
        let below_57 = log_pads_y + log_all_x;
        let beside_58 = log_y + log_pads_x;
        let top_59 = max(below_57, beside_58);
        pads_score = (product + subgroupShuffleXor(product, 1u)) * 0.25f + top_59 + log(exp(below_57 - top_59) + exp(beside_58 - top_59));
    }
    var peak = (-1e38f);
    var total = 0.0f;
    var out_0: coop_mat16x16<f32,C>;
    var k_0: vec4<f32>;
    var k_1: vec4<f32>;
    var v_0: vec4<f32>;
    var v_1: vec4<f32>;
    let copy_60 = local;
    let row_61 = copy_60 / 4u;
    let word_62 = copy_60 % 4u;
    let slot_64 = min(0u + row_61, tokens - 1u);
    let m_63_y = u32((f32(slot_64) + 0.5f) * row_share);
    let m_63_x = slot_64 - m_63_y * tokens_x;
    let m_63_t = (top + m_63_y) * 9u + left + m_63_x;
    let k_m_63 = (b * 72u + m_63_t) * 24u + h * 4u + 8u;
    let v_m_63 = (b * 72u + m_63_t) * 24u + h * 4u + 16u;
    k_0 = b0[k_m_63 + word_62];
    v_0 = b0[v_m_63 + word_62];
    let copy_65 = local + 128u;
    let row_66 = copy_65 / 4u;
    let word_67 = copy_65 % 4u;
    let slot_69 = min(0u + row_66, tokens - 1u);
    let m_68_y = u32((f32(slot_69) + 0.5f) * row_share);
    let m_68_x = slot_69 - m_68_y * tokens_x;
    let m_68_t = (top + m_68_y) * 9u + left + m_68_x;
    let k_m_68 = (b * 72u + m_68_t) * 24u + h * 4u + 8u;
    let v_m_68 = (b * 72u + m_68_t) * 24u + h * 4u + 16u;
    k_1 = b0[k_m_68 + word_67];
    v_1 = b0[v_m_68 + word_67];
    let whole = 0u;
    if whole < tokens {
        let start = whole;
        let copy_70 = local;
        let row_71 = copy_70 / 4u;
        let word_72 = copy_70 % 4u;
        tile_a[row_71 * 10u + word_72] = vec4<f16>(vec4<f32>(k_0) * 0.25f);
        tile_b[row_71 * 6u + word_72] = vec4<f16>(v_0);
        let copy_73 = local + 128u;
        let row_74 = copy_73 / 4u;
        let word_75 = copy_73 % 4u;
        tile_a[row_74 * 10u + word_75] = vec4<f16>(vec4<f32>(k_1) * 0.25f);
        tile_b[row_74 * 6u + word_75] = vec4<f16>(v_1);
        let copy_76 = local;
        let row_77 = copy_76 / 4u;
        let word_78 = copy_76 % 4u;
        let slot_80 = min(start + row_77, tokens - 1u);
        let m_79_y = u32((f32(slot_80) + 0.5f) * row_share);
        let m_79_x = slot_80 - m_79_y * tokens_x;
        let m_79_t = (top + m_79_y) * 9u + left + m_79_x;
        let k_81 = vec4<u32>(word_78 * 4u) + vec4<u32>(0u, 1u, 2u, 3u);
        tile_a[row_77 * 10u + 4u + word_78] = vec4<f16>(select(vec4<f32>(), vec4<f32>(1.0f), (k_81 == vec4<u32>(m_79_y)) | (k_81 == vec4<u32>(m_79_x + 6u))));
        let copy_82 = local + 128u;
        let row_83 = copy_82 / 4u;
        let word_84 = copy_82 % 4u;
        let slot_86 = min(start + row_83, tokens - 1u);
        let m_85_y = u32((f32(slot_86) + 0.5f) * row_share);
        let m_85_x = slot_86 - m_85_y * tokens_x;
        let m_85_t = (top + m_85_y) * 9u + left + m_85_x;
        let k_87 = vec4<u32>(word_84 * 4u) + vec4<u32>(0u, 1u, 2u, 3u);
        tile_a[row_83 * 10u + 4u + word_84] = vec4<f16>(select(vec4<f32>(), vec4<f32>(1.0f), (k_87 == vec4<u32>(m_85_y)) | (k_87 == vec4<u32>(m_85_x + 6u))));
        if local < 16u {
            let slot_89 = min(start + local * 4u, tokens - 1u);
            let m_88_y = u32((f32(slot_89) + 0.5f) * row_share);
            let m_88_x = slot_89 - m_88_y * tokens_x;
            let m_88_t = (top + m_88_y) * 9u + left + m_88_x;
            let slot_91 = min(start + local * 4u + 1u, tokens - 1u);
            let m_90_y = u32((f32(slot_91) + 0.5f) * row_share);
            let m_90_x = slot_91 - m_90_y * tokens_x;
            let m_90_t = (top + m_90_y) * 9u + left + m_90_x;
            let slot_93 = min(start + local * 4u + 2u, tokens - 1u);
            let m_92_y = u32((f32(slot_93) + 0.5f) * row_share);
            let m_92_x = slot_93 - m_92_y * tokens_x;
            let m_92_t = (top + m_92_y) * 9u + left + m_92_x;
            let slot_95 = min(start + local * 4u + 3u, tokens - 1u);
            let m_94_y = u32((f32(slot_95) + 0.5f) * row_share);
            let m_94_x = slot_95 - m_94_y * tokens_x;
            let m_94_t = (top + m_94_y) * 9u + left + m_94_x;
            column_a[local] = vec4<f32>(select(1.0f, 0.0f, start + local * 4u < tokens), select(1.0f, 0.0f, start + local * 4u + 1u < tokens), select(1.0f, 0.0f, start + local * 4u + 2u < tokens), select(1.0f, 0.0f, start + local * 4u + 3u < tokens));
        }
        workgroupBarrier();
        let right_96 = coopLoad<coop_mat16x16<f16,B>>(&tile_a[0u], 10u);
        let sum_97 = coopMultiplyAdd(own_a_0, right_96, zero);
        let right_98 = coopLoad<coop_mat16x16<f16,B>>(&tile_a[4u], 10u);
        let sum_99 = coopMultiplyAdd(own_a_1, right_98, sum_97);
        let at_100 = strip_scores + 0u;
        coopStoreT(sum_99, &scores[at_100], 18u);
        if whole + 16u < tokens {
            let right_101 = coopLoad<coop_mat16x16<f16,B>>(&tile_a[160u], 10u);
            let sum_102 = coopMultiplyAdd(own_a_0, right_101, zero);
            let right_103 = coopLoad<coop_mat16x16<f16,B>>(&tile_a[164u], 10u);
            let sum_104 = coopMultiplyAdd(own_a_1, right_103, sum_102);
            let at_105 = strip_scores + 4u;
            coopStoreT(sum_104, &scores[at_105], 18u);
        }
        if whole + 32u < tokens {
            let right_106 = coopLoad<coop_mat16x16<f16,B>>(&tile_a[320u], 10u);
            let sum_107 = coopMultiplyAdd(own_a_0, right_106, zero);
            let right_108 = coopLoad<coop_mat16x16<f16,B>>(&tile_a[324u], 10u);
            let sum_109 = coopMultiplyAdd(own_a_1, right_108, sum_107);
            let at_110 = strip_scores + 8u;
            coopStoreT(sum_109, &scores[at_110], 18u);
        }
        if whole + 48u < tokens {
            let right_111 = coopLoad<coop_mat16x16<f16,B>>(&tile_a[480u], 10u);
            let sum_112 = coopMultiplyAdd(own_a_0, right_111, zero);
            let right_113 = coopLoad<coop_mat16x16<f16,B>>(&tile_a[484u], 10u);
            let sum_114 = coopMultiplyAdd(own_a_1, right_113, sum_112);
            let at_115 = strip_scores + 12u;
            coopStoreT(sum_114, &scores[at_115], 18u);
        }
        workgroupBarrier();
        let score_116 = scores[row_scores + 0u];
        let masked_117 = select(vec4<f32>((-1e38f)), score_116, column_a[0u + part] == vec4<f32>());
        let score_118 = scores[row_scores + 2u];
        let masked_119 = select(vec4<f32>((-1e38f)), score_118, column_a[2u + part] == vec4<f32>());
        let score_120 = scores[row_scores + 4u];
        let masked_121 = select(vec4<f32>((-1e38f)), score_120, column_a[4u + part] == vec4<f32>());
        let score_122 = scores[row_scores + 6u];
        let masked_123 = select(vec4<f32>((-1e38f)), score_122, column_a[6u + part] == vec4<f32>());
        let score_124 = scores[row_scores + 8u];
        let masked_125 = select(vec4<f32>((-1e38f)), score_124, column_a[8u + part] == vec4<f32>());
        let score_126 = scores[row_scores + 10u];
        let masked_127 = select(vec4<f32>((-1e38f)), score_126, column_a[10u + part] == vec4<f32>());
        let score_128 = scores[row_scores + 12u];
        let masked_129 = select(vec4<f32>((-1e38f)), score_128, column_a[12u + part] == vec4<f32>());
        let score_130 = scores[row_scores + 14u];
        let masked_131 = select(vec4<f32>((-1e38f)), score_130, column_a[14u + part] == vec4<f32>());
        let largest_132 = max(max(max(max(max(max(max(masked_117, masked_119), masked_121), masked_123), masked_125), masked_127), masked_129), masked_131);
        let own = max(max(largest_132.x, largest_132.y), max(largest_132.z, largest_132.w));
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
            let sum_133 = out_0;
            let at_134 = strip_scores + 0u;
            coopStoreT(sum_133, &scores[at_134], 18u);
            workgroupBarrier();
            scores[row_scores + 0u] = scores[row_scores + 0u] * factor;
            scores[row_scores + 2u] = scores[row_scores + 2u] * factor;
            workgroupBarrier();
            out_0 = coopLoadT<coop_mat16x16<f32,C>>(&scores[strip_scores + 0u], 18u);
            workgroupBarrier();
        }
        let weight_135 = exp(masked_117 - vec4<f32>(peak));
        total += weight_135.x + weight_135.y + weight_135.z + weight_135.w;
        weights[row_weights + 0u] = vec4<f16>(weight_135);
        let weight_136 = exp(masked_119 - vec4<f32>(peak));
        total += weight_136.x + weight_136.y + weight_136.z + weight_136.w;
        weights[row_weights + 2u] = vec4<f16>(weight_136);
        let weight_137 = exp(masked_121 - vec4<f32>(peak));
        total += weight_137.x + weight_137.y + weight_137.z + weight_137.w;
        weights[row_weights + 4u] = vec4<f16>(weight_137);
        let weight_138 = exp(masked_123 - vec4<f32>(peak));
        total += weight_138.x + weight_138.y + weight_138.z + weight_138.w;
        weights[row_weights + 6u] = vec4<f16>(weight_138);
        let weight_139 = exp(masked_125 - vec4<f32>(peak));
        total += weight_139.x + weight_139.y + weight_139.z + weight_139.w;
        weights[row_weights + 8u] = vec4<f16>(weight_139);
        let weight_140 = exp(masked_127 - vec4<f32>(peak));
        total += weight_140.x + weight_140.y + weight_140.z + weight_140.w;
        weights[row_weights + 10u] = vec4<f16>(weight_140);
        let weight_141 = exp(masked_129 - vec4<f32>(peak));
        total += weight_141.x + weight_141.y + weight_141.z + weight_141.w;
        weights[row_weights + 12u] = vec4<f16>(weight_141);
        let weight_142 = exp(masked_131 - vec4<f32>(peak));
        total += weight_142.x + weight_142.y + weight_142.z + weight_142.w;
        weights[row_weights + 14u] = vec4<f16>(weight_142);
        workgroupBarrier();
        let left_143 = coopLoadT<coop_mat16x16<f16,A>>(&weights[strip_weights + 0u], 18u);
        let right_144 = coopLoadT<coop_mat16x16<f16,B>>(&tile_b[0u], 6u);
        out_0 = coopMultiplyAdd(left_143, right_144, out_0);
        if whole + 16u < tokens {
            let left_145 = coopLoadT<coop_mat16x16<f16,A>>(&weights[strip_weights + 4u], 18u);
            let right_146 = coopLoadT<coop_mat16x16<f16,B>>(&tile_b[96u], 6u);
            out_0 = coopMultiplyAdd(left_145, right_146, out_0);
        }
        if whole + 32u < tokens {
            let left_147 = coopLoadT<coop_mat16x16<f16,A>>(&weights[strip_weights + 8u], 18u);
            let right_148 = coopLoadT<coop_mat16x16<f16,B>>(&tile_b[192u], 6u);
            out_0 = coopMultiplyAdd(left_147, right_148, out_0);
        }
        if whole + 48u < tokens {
            let left_149 = coopLoadT<coop_mat16x16<f16,A>>(&weights[strip_weights + 12u], 18u);
            let right_150 = coopLoadT<coop_mat16x16<f16,B>>(&tile_b[288u], 6u);
            out_0 = coopMultiplyAdd(left_149, right_150, out_0);
        }
        workgroupBarrier();
    }
    let sum = total + subgroupShuffleXor(total, 1u);
    let highest = max(peak, pads_score);
    let kept = exp(peak - highest);
    let pads_weight = exp(pads_score - highest);
    let all = sum * kept + pads_weight;
    let row_151 = ((b * 72u + n_t) * 2u + h) * 4u + part;
    let sum_152 = out_0;
    let at_153 = strip_scores + 0u;
    coopStoreT(sum_152, &scores[at_153], 18u);
    workgroupBarrier();
    if p < tokens {
        let score_154 = scores[row_scores + 0u];
        b4[row_151 + 0u] = (score_154 * kept + b3[pad_v + part + 0u] * pads_weight) / all;
        let score_155 = scores[row_scores + 2u];
        b4[row_151 + 2u] = (score_155 * kept + b3[pad_v + part + 2u] * pads_weight) / all;
    }
    workgroupBarrier();
    if p < tokens && part == 0u {
        b5[(b * 2u + h) * 72u + n_t] = highest + log(all);
    }
}
