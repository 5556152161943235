enable wgpu_cooperative_matrix;
enable f16;
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
var<workgroup> tile_a: array<vec4<f16>, 640>;
var<workgroup> tile_b: array<vec4<f16>, 384>;
var<workgroup> scores: array<vec4<f32>, 1152>;
var<workgroup> weights: array<vec4<f16>, 1152>;
var<workgroup> column_a: array<vec4<f32>, 16>;
var<workgroup> column_b: array<vec4<f32>, 16>;

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
    let n = (b * 2u + h) * 72u + n_t;
    let lse = vec4<f32>(b5[n]);
    let delta = vec4<f32>(b6[n]);
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
    let copy_18 = local;
    let row_19 = copy_18 / 4u;
    let word_20 = copy_18 % 4u;
    let slot_22 = min(first + row_19, tokens - 1u);
    let m_21_y = u32((f32(slot_22) + 0.5f) * row_share);
    let m_21_x = slot_22 - m_21_y * tokens_x;
    let m_21_t = (top + m_21_y) * 9u + left + m_21_x;
    let saved_23 = ((b * 2u + h) * 72u + m_21_t) * 12u;
    let k_24 = word_20 * 4u;
    tile_a[row_19 * 10u + 4u + word_20] = vec4<f16>(vec4<f32>(b7[saved_23 + min(k_24 + 0u, 11u)], b7[saved_23 + min(k_24 + 1u, 11u)], b7[saved_23 + min(k_24 + 2u, 11u)], b7[saved_23 + min(k_24 + 3u, 11u)]));
    let copy_25 = local + 128u;
    let row_26 = copy_25 / 4u;
    let word_27 = copy_25 % 4u;
    let slot_29 = min(first + row_26, tokens - 1u);
    let m_28_y = u32((f32(slot_29) + 0.5f) * row_share);
    let m_28_x = slot_29 - m_28_y * tokens_x;
    let m_28_t = (top + m_28_y) * 9u + left + m_28_x;
    let saved_30 = ((b * 2u + h) * 72u + m_28_t) * 12u;
    let k_31 = word_27 * 4u;
    tile_a[row_26 * 10u + 4u + word_27] = vec4<f16>(vec4<f32>(b7[saved_30 + min(k_31 + 0u, 11u)], b7[saved_30 + min(k_31 + 1u, 11u)], b7[saved_30 + min(k_31 + 2u, 11u)], b7[saved_30 + min(k_31 + 3u, 11u)]));
    workgroupBarrier();
    let own_a_1 = coopLoadT<coop_mat16x16<f16,A>>(&tile_a[strip_a + 4u], 10u);
    workgroupBarrier();
    var g_0: vec4<f32>;
    var g_1: vec4<f32>;
    let copy_32 = local;
    let row_33 = copy_32 / 4u;
    let word_34 = copy_32 % 4u;
    let slot_36 = min(first + row_33, tokens - 1u);
    let m_35_y = u32((f32(slot_36) + 0.5f) * row_share);
    let m_35_x = slot_36 - m_35_y * tokens_x;
    let m_35_t = (top + m_35_y) * 9u + left + m_35_x;
    let g_m_35 = ((b * 72u + m_35_t) * 2u + h) * 4u;
    g_0 = b4[g_m_35 + word_34];
    let copy_37 = local + 128u;
    let row_38 = copy_37 / 4u;
    let word_39 = copy_37 % 4u;
    let slot_41 = min(first + row_38, tokens - 1u);
    let m_40_y = u32((f32(slot_41) + 0.5f) * row_share);
    let m_40_x = slot_41 - m_40_y * tokens_x;
    let m_40_t = (top + m_40_y) * 9u + left + m_40_x;
    let g_m_40 = ((b * 72u + m_40_t) * 2u + h) * 4u;
    g_1 = b4[g_m_40 + word_39];
    let copy_42 = local;
    let row_43 = copy_42 / 4u;
    let word_44 = copy_42 % 4u;
    tile_a[row_43 * 10u + word_44] = vec4<f16>(g_0);
    let copy_45 = local + 128u;
    let row_46 = copy_45 / 4u;
    let word_47 = copy_45 % 4u;
    tile_a[row_46 * 10u + word_47] = vec4<f16>(g_1);
    workgroupBarrier();
    let own_b_0 = coopLoadT<coop_mat16x16<f16,A>>(&tile_a[strip_a + 0u], 10u);
    workgroupBarrier();
    var dq_0: coop_mat16x16<f32,C>;
    var dq_1: coop_mat16x16<f32,C>;
    var k_0: vec4<f32>;
    var k_1: vec4<f32>;
    var v_0: vec4<f32>;
    var v_1: vec4<f32>;
    let copy_48 = local;
    let row_49 = copy_48 / 4u;
    let word_50 = copy_48 % 4u;
    let slot_52 = min(0u + row_49, tokens - 1u);
    let m_51_y = u32((f32(slot_52) + 0.5f) * row_share);
    let m_51_x = slot_52 - m_51_y * tokens_x;
    let m_51_t = (top + m_51_y) * 9u + left + m_51_x;
    let k_m_51 = (b * 72u + m_51_t) * 24u + h * 4u + 8u;
    let v_m_51 = (b * 72u + m_51_t) * 24u + h * 4u + 16u;
    k_0 = b0[k_m_51 + word_50];
    v_0 = b0[v_m_51 + word_50];
    let copy_53 = local + 128u;
    let row_54 = copy_53 / 4u;
    let word_55 = copy_53 % 4u;
    let slot_57 = min(0u + row_54, tokens - 1u);
    let m_56_y = u32((f32(slot_57) + 0.5f) * row_share);
    let m_56_x = slot_57 - m_56_y * tokens_x;
    let m_56_t = (top + m_56_y) * 9u + left + m_56_x;
    let k_m_56 = (b * 72u + m_56_t) * 24u + h * 4u + 8u;
    let v_m_56 = (b * 72u + m_56_t) * 24u + h * 4u + 16u;
    k_1 = b0[k_m_56 + word_55];
    v_1 = b0[v_m_56 + word_55];
    let whole = 0u;
    if whole < tokens {
        let start = whole;
        let copy_58 = local;
        let row_59 = copy_58 / 4u;
        let word_60 = copy_58 % 4u;
        tile_a[row_59 * 10u + word_60] = vec4<f16>(vec4<f32>(k_0) * 0.25f);
        tile_b[row_59 * 6u + word_60] = vec4<f16>(v_0);
        let copy_61 = local + 128u;
        let row_62 = copy_61 / 4u;
        let word_63 = copy_61 % 4u;
        tile_a[row_62 * 10u + word_63] = vec4<f16>(vec4<f32>(k_1) * 0.25f);
        tile_b[row_62 * 6u + word_63] = vec4<f16>(v_1);
        let copy_64 = local;
        let row_65 = copy_64 / 4u;
        let word_66 = copy_64 % 4u;
        let slot_68 = min(start + row_65, tokens - 1u);
        let m_67_y = u32((f32(slot_68) + 0.5f) * row_share);
        let m_67_x = slot_68 - m_67_y * tokens_x;
        let m_67_t = (top + m_67_y) * 9u + left + m_67_x;
        let k_69 = vec4<u32>(word_66 * 4u) + vec4<u32>(0u, 1u, 2u, 3u);
        tile_a[row_65 * 10u + 4u + word_66] = vec4<f16>(select(vec4<f32>(), vec4<f32>(1.0f), (k_69 == vec4<u32>(m_67_y)) | (k_69 == vec4<u32>(m_67_x + 6u))));
        let copy_70 = local + 128u;
        let row_71 = copy_70 / 4u;
        let word_72 = copy_70 % 4u;
        let slot_74 = min(start + row_71, tokens - 1u);
        let m_73_y = u32((f32(slot_74) + 0.5f) * row_share);
        let m_73_x = slot_74 - m_73_y * tokens_x;
        let m_73_t = (top + m_73_y) * 9u + left + m_73_x;
        let k_75 = vec4<u32>(word_72 * 4u) + vec4<u32>(0u, 1u, 2u, 3u);
        tile_a[row_71 * 10u + 4u + word_72] = vec4<f16>(select(vec4<f32>(), vec4<f32>(1.0f), (k_75 == vec4<u32>(m_73_y)) | (k_75 == vec4<u32>(m_73_x + 6u))));
        if local < 16u {
            let slot_77 = min(start + local * 4u, tokens - 1u);
            let m_76_y = u32((f32(slot_77) + 0.5f) * row_share);
            let m_76_x = slot_77 - m_76_y * tokens_x;
            let m_76_t = (top + m_76_y) * 9u + left + m_76_x;
            let slot_79 = min(start + local * 4u + 1u, tokens - 1u);
            let m_78_y = u32((f32(slot_79) + 0.5f) * row_share);
            let m_78_x = slot_79 - m_78_y * tokens_x;
            let m_78_t = (top + m_78_y) * 9u + left + m_78_x;
            let slot_81 = min(start + local * 4u + 2u, tokens - 1u);
            let m_80_y = u32((f32(slot_81) + 0.5f) * row_share);
            let m_80_x = slot_81 - m_80_y * tokens_x;
            let m_80_t = (top + m_80_y) * 9u + left + m_80_x;
            let slot_83 = min(start + local * 4u + 3u, tokens - 1u);
            let m_82_y = u32((f32(slot_83) + 0.5f) * row_share);
            let m_82_x = slot_83 - m_82_y * tokens_x;
            let m_82_t = (top + m_82_y) * 9u + left + m_82_x;
            column_a[local] = vec4<f32>(select(1.0f, 0.0f, start + local * 4u < tokens), select(1.0f, 0.0f, start + local * 4u + 1u < tokens), select(1.0f, 0.0f, start + local * 4u + 2u < tokens), select(1.0f, 0.0f, start + local * 4u + 3u < tokens));
        }
        workgroupBarrier();
        let right_84 = coopLoad<coop_mat16x16<f16,B>>(&tile_a[0u], 10u);
        let sum_85 = coopMultiplyAdd(own_a_0, right_84, zero);
        let right_86 = coopLoad<coop_mat16x16<f16,B>>(&tile_a[4u], 10u);
        let sum_87 = coopMultiplyAdd(own_a_1, right_86, sum_85);
        let at_88 = strip_scores + 0u;
        coopStoreT(sum_87, &scores[at_88], 18u);
        if whole + 16u < tokens {
            let right_89 = coopLoad<coop_mat16x16<f16,B>>(&tile_a[160u], 10u);
            let sum_90 = coopMultiplyAdd(own_a_0, right_89, zero);
            let right_91 = coopLoad<coop_mat16x16<f16,B>>(&tile_a[164u], 10u);
            let sum_92 = coopMultiplyAdd(own_a_1, right_91, sum_90);
            let at_93 = strip_scores + 4u;
            coopStoreT(sum_92, &scores[at_93], 18u);
        }
        if whole + 32u < tokens {
            let right_94 = coopLoad<coop_mat16x16<f16,B>>(&tile_a[320u], 10u);
            let sum_95 = coopMultiplyAdd(own_a_0, right_94, zero);
            let right_96 = coopLoad<coop_mat16x16<f16,B>>(&tile_a[324u], 10u);
            let sum_97 = coopMultiplyAdd(own_a_1, right_96, sum_95);
            let at_98 = strip_scores + 8u;
            coopStoreT(sum_97, &scores[at_98], 18u);
        }
        if whole + 48u < tokens {
            let right_99 = coopLoad<coop_mat16x16<f16,B>>(&tile_a[480u], 10u);
            let sum_100 = coopMultiplyAdd(own_a_0, right_99, zero);
            let right_101 = coopLoad<coop_mat16x16<f16,B>>(&tile_a[484u], 10u);
            let sum_102 = coopMultiplyAdd(own_a_1, right_101, sum_100);
            let at_103 = strip_scores + 12u;
            coopStoreT(sum_102, &scores[at_103], 18u);
        }
        workgroupBarrier();
        let score_104 = scores[row_scores + 0u];
        let masked_105 = select(vec4<f32>((-1e38f)), score_104, column_a[0u + part] == vec4<f32>());
        let weight_0 = exp(masked_105 - lse);
        let score_106 = scores[row_scores + 2u];
        let masked_107 = select(vec4<f32>((-1e38f)), score_106, column_a[2u + part] == vec4<f32>());
        let weight_1 = exp(masked_107 - lse);
        let score_108 = scores[row_scores + 4u];
        let masked_109 = select(vec4<f32>((-1e38f)), score_108, column_a[4u + part] == vec4<f32>());
        let weight_2 = exp(masked_109 - lse);
        let score_110 = scores[row_scores + 6u];
        let masked_111 = select(vec4<f32>((-1e38f)), score_110, column_a[6u + part] == vec4<f32>());
        let weight_3 = exp(masked_111 - lse);
        let score_112 = scores[row_scores + 8u];
        let masked_113 = select(vec4<f32>((-1e38f)), score_112, column_a[8u + part] == vec4<f32>());
        let weight_4 = exp(masked_113 - lse);
        let score_114 = scores[row_scores + 10u];
        let masked_115 = select(vec4<f32>((-1e38f)), score_114, column_a[10u + part] == vec4<f32>());
        let weight_5 = exp(masked_115 - lse);
        let score_116 = scores[row_scores + 12u];
        let masked_117 = select(vec4<f32>((-1e38f)), score_116, column_a[12u + part] == vec4<f32>());
        let weight_6 = exp(masked_117 - lse);
        let score_118 = scores[row_scores + 14u];
        let masked_119 = select(vec4<f32>((-1e38f)), score_118, column_a[14u + part] == vec4<f32>());
        let weight_7 = exp(masked_119 - lse);
        workgroupBarrier();
        let right_120 = coopLoad<coop_mat16x16<f16,B>>(&tile_b[0u], 6u);
        let sum_121 = coopMultiplyAdd(own_b_0, right_120, zero);
        let at_122 = strip_scores + 0u;
        coopStoreT(sum_121, &scores[at_122], 18u);
        if whole + 16u < tokens {
            let right_123 = coopLoad<coop_mat16x16<f16,B>>(&tile_b[96u], 6u);
            let sum_124 = coopMultiplyAdd(own_b_0, right_123, zero);
            let at_125 = strip_scores + 4u;
            coopStoreT(sum_124, &scores[at_125], 18u);
        }
        if whole + 32u < tokens {
            let right_126 = coopLoad<coop_mat16x16<f16,B>>(&tile_b[192u], 6u);
            let sum_127 = coopMultiplyAdd(own_b_0, right_126, zero);
            let at_128 = strip_scores + 8u;
            coopStoreT(sum_127, &scores[at_128], 18u);
        }
        if whole + 48u < tokens {
            let right_129 = coopLoad<coop_mat16x16<f16,B>>(&tile_b[288u], 6u);
            let sum_130 = coopMultiplyAdd(own_b_0, right_129, zero);
            let at_131 = strip_scores + 12u;
            coopStoreT(sum_130, &scores[at_131], 18u);
        }
        workgroupBarrier();
        let score_132 = scores[row_scores + 0u];
        weights[row_weights + 0u] = vec4<f16>(weight_0 * (score_132 - delta));
        let score_133 = scores[row_scores + 2u];
        weights[row_weights + 2u] = vec4<f16>(weight_1 * (score_133 - delta));
        let score_134 = scores[row_scores + 4u];
        weights[row_weights + 4u] = vec4<f16>(weight_2 * (score_134 - delta));
        let score_135 = scores[row_scores + 6u];
        weights[row_weights + 6u] = vec4<f16>(weight_3 * (score_135 - delta));
        let score_136 = scores[row_scores + 8u];
        weights[row_weights + 8u] = vec4<f16>(weight_4 * (score_136 - delta));
        let score_137 = scores[row_scores + 10u];
        weights[row_weights + 10u] = vec4<f16>(weight_5 * (score_137 - delta));
        let score_138 = scores[row_scores + 12u];
        weights[row_weights + 12u] = vec4<f16>(weight_6 * (score_138 - delta));
        let score_139 = scores[row_scores + 14u];
        weights[row_weights + 14u] = vec4<f16>(weight_7 * (score_139 - delta));
        workgroupBarrier();
        let left_140 = coopLoadT<coop_mat16x16<f16,A>>(&weights[strip_weights + 0u], 18u);
        let right_141 = coopLoadT<coop_mat16x16<f16,B>>(&tile_a[0u], 10u);
        dq_0 = coopMultiplyAdd(left_140, right_141, dq_0);
        let right_142 = coopLoadT<coop_mat16x16<f16,B>>(&tile_a[4u], 10u);
        dq_1 = coopMultiplyAdd(left_140, right_142, dq_1);
        if whole + 16u < tokens {
            let left_143 = coopLoadT<coop_mat16x16<f16,A>>(&weights[strip_weights + 4u], 18u);
            let right_144 = coopLoadT<coop_mat16x16<f16,B>>(&tile_a[160u], 10u);
            dq_0 = coopMultiplyAdd(left_143, right_144, dq_0);
            let right_145 = coopLoadT<coop_mat16x16<f16,B>>(&tile_a[164u], 10u);
            dq_1 = coopMultiplyAdd(left_143, right_145, dq_1);
        }
        if whole + 32u < tokens {
            let left_146 = coopLoadT<coop_mat16x16<f16,A>>(&weights[strip_weights + 8u], 18u);
            let right_147 = coopLoadT<coop_mat16x16<f16,B>>(&tile_a[320u], 10u);
            dq_0 = coopMultiplyAdd(left_146, right_147, dq_0);
            let right_148 = coopLoadT<coop_mat16x16<f16,B>>(&tile_a[324u], 10u);
            dq_1 = coopMultiplyAdd(left_146, right_148, dq_1);
        }
        if whole + 48u < tokens {
            let left_149 = coopLoadT<coop_mat16x16<f16,A>>(&weights[strip_weights + 12u], 18u);
            let right_150 = coopLoadT<coop_mat16x16<f16,B>>(&tile_a[480u], 10u);
            dq_0 = coopMultiplyAdd(left_149, right_150, dq_0);
            let right_151 = coopLoadT<coop_mat16x16<f16,B>>(&tile_a[484u], 10u);
            dq_1 = coopMultiplyAdd(left_149, right_151, dq_1);
        }
        workgroupBarrier();
    }
    let row_terms = local / 2u * 10u + 4u;
    let saved = ((b * 2u + h) * 72u + n_t) * 12u;
    let sum_152 = dq_1;
    let at_153 = strip_scores + 0u;
    coopStoreT(sum_152, &scores[at_153], 18u);
    workgroupBarrier();
    if p < tokens {
        let score_154 = scores[row_scores + 0u];
        tile_a[row_terms + 0u + part] = vec4<f16>(score_154);
        let k_155 = part * 4u + 0u;
        if k_155 + 0u < 12u {
            b9[saved + k_155 + 0u] = score_154[0];
        }
        if k_155 + 1u < 12u {
            b9[saved + k_155 + 1u] = score_154[1];
        }
        if k_155 + 2u < 12u {
            b9[saved + k_155 + 2u] = score_154[2];
        }
        if k_155 + 3u < 12u {
            b9[saved + k_155 + 3u] = score_154[3];
        }
        let score_156 = scores[row_scores + 2u];
        tile_a[row_terms + 2u + part] = vec4<f16>(score_156);
        let k_157 = part * 4u + 8u;
        if k_157 + 0u < 12u {
            b9[saved + k_157 + 0u] = score_156[0];
        }
        if k_157 + 1u < 12u {
            b9[saved + k_157 + 1u] = score_156[1];
        }
        if k_157 + 2u < 12u {
            b9[saved + k_157 + 2u] = score_156[2];
        }
        if k_157 + 3u < 12u {
            b9[saved + k_157 + 3u] = score_156[3];
        }
    }
    workgroupBarrier();
    let pad_k = h * 4u + 8u;
    let pad_v = h * 4u + 16u;
    var pads_step = 0.0f;
    if pads {
        let q_row_158 = (b * 72u + n_t) * 24u + h * 4u;
        let g_row_159 = ((b * 72u + n_t) * 2u + h) * 4u;
        var product = 0.0f;
        var dp = 0.0f;
        for (var r = part; r < 4u; r += 2u) {
            product += dot(b0[q_row_158 + r], b3[pad_k + r]);
            dp += dot(b4[g_row_159 + r], b3[pad_v + r]);
        }
        let base = (product + subgroupShuffleXor(product, 1u)) * 0.25f - lse.x;
        let excess = dp + subgroupShuffleXor(dp, 1u) - delta.x;
        var log_y_peak = (-1e38f);
        for (var k = 0u; k < tokens_y; k += 1u) {
            log_y_peak = max(log_y_peak, b7[saved + k]);
        }
        var log_y_sum = 0.0f;
        for (var k = 0u; k < tokens_y; k += 1u) {
            log_y_sum += exp(b7[saved + k] - log_y_peak);
        }
        let log_y = log_y_peak + log(max(log_y_sum, 1e-30f));
        var log_pads_y_peak = (-1e38f);
        for (var k = tokens_y; k < 6u; k += 1u) {
            log_pads_y_peak = max(log_pads_y_peak, b7[saved + k]);
        }
        var log_pads_y_sum = 0.0f;
        for (var k = tokens_y; k < 6u; k += 1u) {
            log_pads_y_sum += exp(b7[saved + k] - log_pads_y_peak);
        }
        let log_pads_y = log_pads_y_peak + log(max(log_pads_y_sum, 1e-30f));
        var log_x_peak = (-1e38f);
        for (var k = 6u; k < 6u + tokens_x; k += 1u) {
            log_x_peak = max(log_x_peak, b7[saved + k]);
        }
        var log_x_sum = 0.0f;
        for (var k = 6u; k < 6u + tokens_x; k += 1u) {
            log_x_sum += exp(b7[saved + k] - log_x_peak);
        }
        let log_x = log_x_peak + log(max(log_x_sum, 1e-30f));
        var log_pads_x_peak = (-1e38f);
        for (var k = 6u + tokens_x; k < 12u; k += 1u) {
            log_pads_x_peak = max(log_pads_x_peak, b7[saved + k]);
        }
        var log_pads_x_sum = 0.0f;
        for (var k = 6u + tokens_x; k < 12u; k += 1u) {
            log_pads_x_sum += exp(b7[saved + k] - log_pads_x_peak);
        }
        let log_pads_x = log_pads_x_peak + log(max(log_pads_x_sum, 1e-30f));
        let top_160 = max(log_y, log_pads_y);
        let log_all_y = top_160 + log(exp(log_y - top_160) + exp(log_pads_y - top_160));
        let top_161 = max(log_x, log_pads_x);
        let log_all_x = top_161 + log(exp(log_x - top_161) + exp(log_pads_x - top_161));
        let below_162 = log_pads_y + log_all_x;
        let beside_163 = log_y + log_pads_x;
        let top_164 = max(below_162, beside_163);
        pads_step = exp(base + top_164 + log(exp(below_162 - top_164) + exp(beside_163 - top_164))) * excess * 0.25f;
        for (var w = part; w < 3u; w += 2u) {
            let k_165 = w * 4u + 0u;
            if p < tokens && k_165 < 12u {
                let term = exp(base + b7[saved + k_165] + select(select(log_all_y, log_pads_y, k_165 < 6u + tokens_x), select(log_all_x, log_pads_x, k_165 < tokens_y), k_165 < 6u)) * excess;
                b9[saved + k_165] += term;
                tile_a[row_terms + w][0u] += f16(term);
            }
            let k_166 = w * 4u + 1u;
            if p < tokens && k_166 < 12u {
                let term = exp(base + b7[saved + k_166] + select(select(log_all_y, log_pads_y, k_166 < 6u + tokens_x), select(log_all_x, log_pads_x, k_166 < tokens_y), k_166 < 6u)) * excess;
                b9[saved + k_166] += term;
                tile_a[row_terms + w][1u] += f16(term);
            }
            let k_167 = w * 4u + 2u;
            if p < tokens && k_167 < 12u {
                let term = exp(base + b7[saved + k_167] + select(select(log_all_y, log_pads_y, k_167 < 6u + tokens_x), select(log_all_x, log_pads_x, k_167 < tokens_y), k_167 < 6u)) * excess;
                b9[saved + k_167] += term;
                tile_a[row_terms + w][2u] += f16(term);
            }
            let k_168 = w * 4u + 3u;
            if p < tokens && k_168 < 12u {
                let term = exp(base + b7[saved + k_168] + select(select(log_all_y, log_pads_y, k_168 < 6u + tokens_x), select(log_all_x, log_pads_x, k_168 < tokens_y), k_168 < 6u)) * excess;
                b9[saved + k_168] += term;
                tile_a[row_terms + w][3u] += f16(term);
            }
        }
    }
    {
        let start = 0u;
        let copy_169 = local;
        let row_170 = copy_169 / 4u;
        let word_171 = copy_169 % 4u;
        let at_172 = start + row_170;
        let four_173 = select(b2[min(max(at_172, 11u) - 11u, 10u) * 4u + word_171], b1[min(at_172, 10u) * 4u + word_171], at_172 < 11u);
        let copy_174 = local + 128u;
        let row_175 = copy_174 / 4u;
        let word_176 = copy_174 % 4u;
        let at_177 = start + row_175;
        let four_178 = select(b2[min(max(at_177, 11u) - 11u, 10u) * 4u + word_176], b1[min(at_177, 10u) * 4u + word_176], at_177 < 11u);
        tile_a[row_170 * 10u + word_171] = vec4<f16>(four_173);
        tile_a[row_175 * 10u + word_176] = vec4<f16>(four_178);
        for (var j = 0u; j < 4u; j += 1u) {
            let row_179 = start + j * 8u + part * 4u + 0u;
            let y_180 = row_179 < 11u;
            let k_181 = select(n_x + 16u - row_179, n_y + 5u - row_179, y_180);
            let inside_182 = k_181 < select(6u, 6u, y_180);
            let at_183 = k_181 + select(6u, 0u, y_180);
            let at_184 = min(at_183, 11u);
            let row_185 = start + j * 8u + part * 4u + 1u;
            let y_186 = row_185 < 11u;
            let k_187 = select(n_x + 16u - row_185, n_y + 5u - row_185, y_186);
            let inside_188 = k_187 < select(6u, 6u, y_186);
            let at_189 = k_187 + select(6u, 0u, y_186);
            let at_190 = min(at_189, 11u);
            let row_191 = start + j * 8u + part * 4u + 2u;
            let y_192 = row_191 < 11u;
            let k_193 = select(n_x + 16u - row_191, n_y + 5u - row_191, y_192);
            let inside_194 = k_193 < select(6u, 6u, y_192);
            let at_195 = k_193 + select(6u, 0u, y_192);
            let at_196 = min(at_195, 11u);
            let row_197 = start + j * 8u + part * 4u + 3u;
            let y_198 = row_197 < 11u;
            let k_199 = select(n_x + 16u - row_197, n_y + 5u - row_197, y_198);
            let inside_200 = k_199 < select(6u, 6u, y_198);
            let at_201 = k_199 + select(6u, 0u, y_198);
            let at_202 = min(at_201, 11u);
            weights[row_weights + j * 2u] = vec4<f16>(vec4<f32>(select(0.0f, f32(tile_a[row_terms + at_184 / 4u][at_184 % 4u]), inside_182), select(0.0f, f32(tile_a[row_terms + at_190 / 4u][at_190 % 4u]), inside_188), select(0.0f, f32(tile_a[row_terms + at_196 / 4u][at_196 % 4u]), inside_194), select(0.0f, f32(tile_a[row_terms + at_202 / 4u][at_202 % 4u]), inside_200)));
        }
        workgroupBarrier();
        let left_203 = coopLoadT<coop_mat16x16<f16,A>>(&weights[strip_weights + 0u], 18u);
        let right_204 = coopLoadT<coop_mat16x16<f16,B>>(&tile_a[0u], 10u);
        dq_0 = coopMultiplyAdd(left_203, right_204, dq_0);
        let left_205 = coopLoadT<coop_mat16x16<f16,A>>(&weights[strip_weights + 4u], 18u);
        let right_206 = coopLoadT<coop_mat16x16<f16,B>>(&tile_a[160u], 10u);
        dq_0 = coopMultiplyAdd(left_205, right_206, dq_0);
        workgroupBarrier();
    }
    let row_207 = ((b * 72u + n_t) * 2u + h) * 4u + part;
    let sum_208 = dq_0;
    let at_209 = strip_scores + 0u;
    coopStoreT(sum_208, &scores[at_209], 18u);
    workgroupBarrier();
    if p < tokens {
        let score_210 = scores[row_scores + 0u];
        b8[row_207 + 0u] = score_210 + b3[pad_k + part + 0u] * pads_step;
        let score_211 = scores[row_scores + 2u];
        b8[row_207 + 2u] = score_211 + b3[pad_k + part + 2u] * pads_step;
    }
    workgroupBarrier();
}
