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
    let h = at / 4u % 2u;
    let b = at / 8u;
    let first = 0u;
    let slot_1 = min(p, 35u);
    let n_y = slot_1 / 6u;
    let n_x = slot_1 % 6u;
    let n_t = (min(top + n_y, 7u)) * 9u + min(left + n_x, 8u);
    let strip_a = subgroup * 160u;
    let strip_scores = subgroup * 288u;
    let strip_weights = subgroup * 288u;
    let row_scores = local / 2u * 18u + part;
    let row_weights = local / 2u * 18u + part;
    var zero: coop_mat16x16<f32,C>;
    let copy_2 = local;
    let row_3 = copy_2 / 4u;
    let word_4 = copy_2 % 4u;
    let slot_6 = min(first + row_3, 35u);
    let m_5_y = slot_6 / 6u;
    let m_5_x = slot_6 % 6u;
    let m_5_t = (min(top + m_5_y, 7u)) * 9u + min(left + m_5_x, 8u);
    let q_m_5 = (b * 72u + m_5_t) * 24u + h * 4u;
    let four_7 = b0[q_m_5 + word_4];
    let copy_8 = local + 128u;
    let row_9 = copy_8 / 4u;
    let word_10 = copy_8 % 4u;
    let slot_12 = min(first + row_9, 35u);
    let m_11_y = slot_12 / 6u;
    let m_11_x = slot_12 % 6u;
    let m_11_t = (min(top + m_11_y, 7u)) * 9u + min(left + m_11_x, 8u);
    let q_m_11 = (b * 72u + m_11_t) * 24u + h * 4u;
    let four_13 = b0[q_m_11 + word_10];
    tile_a[row_3 * 10u + word_4] = vec4<f16>(four_7);
    tile_a[row_9 * 10u + word_10] = vec4<f16>(four_13);
    workgroupBarrier();
    let own_a_0 = coopLoadT<coop_mat16x16<f16,A>>(&tile_a[strip_a + 0u], 10u);
    workgroupBarrier();
    let row_terms = local / 2u * 10u + 4u;
    let saved = ((b * 2u + h) * 72u + n_t) * 12u;
    tile_a[row_terms + 0u + part] = vec4<f16>();
    tile_a[row_terms + 2u + part] = vec4<f16>();
    for (var start = 0u; start < 22u; start += 64u) {
        let copy_14 = local;
        let row_15 = copy_14 / 4u;
        let word_16 = copy_14 % 4u;
        let at_17 = start + row_15;
        let four_18 = select(b2[min(max(at_17, 11u) - 11u, 10u) * 4u + word_16], b1[min(at_17, 10u) * 4u + word_16], at_17 < 11u);
        let copy_19 = local + 128u;
        let row_20 = copy_19 / 4u;
        let word_21 = copy_19 % 4u;
        let at_22 = start + row_20;
        let four_23 = select(b2[min(max(at_22, 11u) - 11u, 10u) * 4u + word_21], b1[min(at_22, 10u) * 4u + word_21], at_22 < 11u);
        tile_a[row_15 * 10u + word_16] = vec4<f16>(four_18);
        tile_a[row_20 * 10u + word_21] = vec4<f16>(four_23);
        workgroupBarrier();
        let right_24 = coopLoad<coop_mat16x16<f16,B>>(&tile_a[0u], 10u);
        let sum_25 = coopMultiplyAdd(own_a_0, right_24, zero);
        let at_26 = strip_scores + 0u;
        coopStoreT(sum_25, &scores[at_26], 18u);
        let right_27 = coopLoad<coop_mat16x16<f16,B>>(&tile_a[160u], 10u);
        let sum_28 = coopMultiplyAdd(own_a_0, right_27, zero);
        let at_29 = strip_scores + 4u;
        coopStoreT(sum_28, &scores[at_29], 18u);
        let right_30 = coopLoad<coop_mat16x16<f16,B>>(&tile_a[320u], 10u);
        let sum_31 = coopMultiplyAdd(own_a_0, right_30, zero);
        let at_32 = strip_scores + 8u;
        coopStoreT(sum_31, &scores[at_32], 18u);
        let right_33 = coopLoad<coop_mat16x16<f16,B>>(&tile_a[480u], 10u);
        let sum_34 = coopMultiplyAdd(own_a_0, right_33, zero);
        let at_35 = strip_scores + 12u;
        coopStoreT(sum_34, &scores[at_35], 18u);
        workgroupBarrier();
        for (var j = 0u; j < 8u; j += 1u) {
            let four = scores[row_scores + j * 2u];
            let row_36 = start + j * 8u + part * 4u + 0u;
            let y_37 = row_36 < 11u;
            let k_38 = select(n_x + 16u - row_36, n_y + 5u - row_36, y_37);
            let inside_39 = k_38 < select(6u, 6u, y_37);
            let at_40 = k_38 + select(6u, 0u, y_37);
            if inside_39 {
                tile_a[row_terms + at_40 / 4u][at_40 % 4u] = f16(four[0]);
                if p < 36u && top + n_y < 8u && left + n_x < 9u {
                    b6[saved + at_40] = four[0];
                }
            }
            let row_41 = start + j * 8u + part * 4u + 1u;
            let y_42 = row_41 < 11u;
            let k_43 = select(n_x + 16u - row_41, n_y + 5u - row_41, y_42);
            let inside_44 = k_43 < select(6u, 6u, y_42);
            let at_45 = k_43 + select(6u, 0u, y_42);
            if inside_44 {
                tile_a[row_terms + at_45 / 4u][at_45 % 4u] = f16(four[1]);
                if p < 36u && top + n_y < 8u && left + n_x < 9u {
                    b6[saved + at_45] = four[1];
                }
            }
            let row_46 = start + j * 8u + part * 4u + 2u;
            let y_47 = row_46 < 11u;
            let k_48 = select(n_x + 16u - row_46, n_y + 5u - row_46, y_47);
            let inside_49 = k_48 < select(6u, 6u, y_47);
            let at_50 = k_48 + select(6u, 0u, y_47);
            if inside_49 {
                tile_a[row_terms + at_50 / 4u][at_50 % 4u] = f16(four[2]);
                if p < 36u && top + n_y < 8u && left + n_x < 9u {
                    b6[saved + at_50] = four[2];
                }
            }
            let row_51 = start + j * 8u + part * 4u + 3u;
            let y_52 = row_51 < 11u;
            let k_53 = select(n_x + 16u - row_51, n_y + 5u - row_51, y_52);
            let inside_54 = k_53 < select(6u, 6u, y_52);
            let at_55 = k_53 + select(6u, 0u, y_52);
            if inside_54 {
                tile_a[row_terms + at_55 / 4u][at_55 % 4u] = f16(four[3]);
                if p < 36u && top + n_y < 8u && left + n_x < 9u {
                    b6[saved + at_55] = four[3];
                }
            }
        }
    }
    workgroupBarrier();
    let own_a_1 = coopLoadT<coop_mat16x16<f16,A>>(&tile_a[strip_a + 4u], 10u);
    workgroupBarrier();
    var peak = (-1e38f);
    var total = 0.0f;
    var out_0: coop_mat16x16<f32,C>;
    for (var start = 0u; start < 36u; start += 64u) {
        let copy_56 = local;
        let row_57 = copy_56 / 4u;
        let word_58 = copy_56 % 4u;
        let slot_60 = min(start + row_57, 35u);
        let m_59_y = slot_60 / 6u;
        let m_59_x = slot_60 % 6u;
        let m_59_t = (min(top + m_59_y, 7u)) * 9u + min(left + m_59_x, 8u);
        let m_59_real = top + m_59_y < 8u && left + m_59_x < 9u;
        let k_m_59 = (b * 72u + m_59_t) * 24u + h * 4u + 8u;
        let v_m_59 = (b * 72u + m_59_t) * 24u + h * 4u + 16u;
        let four_61 = select(b3[h * 4u + 8u + word_58], b0[k_m_59 + word_58], m_59_real);
        let four_62 = select(b3[h * 4u + 16u + word_58], b0[v_m_59 + word_58], m_59_real);
        let copy_63 = local + 128u;
        let row_64 = copy_63 / 4u;
        let word_65 = copy_63 % 4u;
        let slot_67 = min(start + row_64, 35u);
        let m_66_y = slot_67 / 6u;
        let m_66_x = slot_67 % 6u;
        let m_66_t = (min(top + m_66_y, 7u)) * 9u + min(left + m_66_x, 8u);
        let m_66_real = top + m_66_y < 8u && left + m_66_x < 9u;
        let k_m_66 = (b * 72u + m_66_t) * 24u + h * 4u + 8u;
        let v_m_66 = (b * 72u + m_66_t) * 24u + h * 4u + 16u;
        let four_68 = select(b3[h * 4u + 8u + word_65], b0[k_m_66 + word_65], m_66_real);
        let four_69 = select(b3[h * 4u + 16u + word_65], b0[v_m_66 + word_65], m_66_real);
        tile_a[row_57 * 10u + word_58] = vec4<f16>(four_61 * 0.25f);
        tile_b[row_57 * 6u + word_58] = vec4<f16>(four_62);
        tile_a[row_64 * 10u + word_65] = vec4<f16>(four_68 * 0.25f);
        tile_b[row_64 * 6u + word_65] = vec4<f16>(four_69);
        let copy_70 = local;
        let row_71 = copy_70 / 4u;
        let word_72 = copy_70 % 4u;
        let slot_74 = min(start + row_71, 35u);
        let m_73_y = slot_74 / 6u;
        let m_73_x = slot_74 % 6u;
        let m_73_t = (min(top + m_73_y, 7u)) * 9u + min(left + m_73_x, 8u);
        let k_75 = vec4<u32>(word_72 * 4u) + vec4<u32>(0u, 1u, 2u, 3u);
        tile_a[row_71 * 10u + 4u + word_72] = vec4<f16>(select(vec4<f32>(), vec4<f32>(1.0f), (k_75 == vec4<u32>(m_73_y)) | (k_75 == vec4<u32>(m_73_x + 6u))));
        let copy_76 = local + 128u;
        let row_77 = copy_76 / 4u;
        let word_78 = copy_76 % 4u;
        let slot_80 = min(start + row_77, 35u);
        let m_79_y = slot_80 / 6u;
        let m_79_x = slot_80 % 6u;
        let m_79_t = (min(top + m_79_y, 7u)) * 9u + min(left + m_79_x, 8u);
        let k_81 = vec4<u32>(word_78 * 4u) + vec4<u32>(0u, 1u, 2u, 3u);
        tile_a[row_77 * 10u + 4u + word_78] = vec4<f16>(select(vec4<f32>(), vec4<f32>(1.0f), (k_81 == vec4<u32>(m_79_y)) | (k_81 == vec4<u32>(m_79_x + 6u))));
        if local < 16u {
            let slot_83 = min(start + local * 4u, 35u);
            let m_82_y = slot_83 / 6u;
            let m_82_x = slot_83 % 6u;
            let m_82_t = (min(top + m_82_y, 7u)) * 9u + min(left + m_82_x, 8u);
            let slot_85 = min(start + local * 4u + 1u, 35u);
            let m_84_y = slot_85 / 6u;
            let m_84_x = slot_85 % 6u;
            let m_84_t = (min(top + m_84_y, 7u)) * 9u + min(left + m_84_x, 8u);
            let slot_87 = min(start + local * 4u + 2u, 35u);
            let m_86_y = slot_87 / 6u;
            let m_86_x = slot_87 % 6u;
            let m_86_t = (min(top + m_86_y, 7u)) * 9u + min(left + m_86_x, 8u);
            let slot_89 = min(start + local * 4u + 3u, 35u);
            let m_88_y = slot_89 / 6u;
            let m_88_x = slot_89 % 6u;
            let m_88_t = (min(top + m_88_y, 7u)) * 9u + min(left + m_88_x, 8u);
            column_a[local] = vec4<f32>(select((-1e38f), 0.0f, start + local * 4u < 36u), select((-1e38f), 0.0f, start + local * 4u + 1u < 36u), select((-1e38f), 0.0f, start + local * 4u + 2u < 36u), select((-1e38f), 0.0f, start + local * 4u + 3u < 36u));
        }
        workgroupBarrier();
        let right_90 = coopLoad<coop_mat16x16<f16,B>>(&tile_a[0u], 10u);
        let sum_91 = coopMultiplyAdd(own_a_0, right_90, zero);
        let right_92 = coopLoad<coop_mat16x16<f16,B>>(&tile_a[4u], 10u);
        let sum_93 = coopMultiplyAdd(own_a_1, right_92, sum_91);
        let at_94 = strip_scores + 0u;
        coopStoreT(sum_93, &scores[at_94], 18u);
        let right_95 = coopLoad<coop_mat16x16<f16,B>>(&tile_a[160u], 10u);
        let sum_96 = coopMultiplyAdd(own_a_0, right_95, zero);
        let right_97 = coopLoad<coop_mat16x16<f16,B>>(&tile_a[164u], 10u);
        let sum_98 = coopMultiplyAdd(own_a_1, right_97, sum_96);
        let at_99 = strip_scores + 4u;
        coopStoreT(sum_98, &scores[at_99], 18u);
        let right_100 = coopLoad<coop_mat16x16<f16,B>>(&tile_a[320u], 10u);
        let sum_101 = coopMultiplyAdd(own_a_0, right_100, zero);
        let right_102 = coopLoad<coop_mat16x16<f16,B>>(&tile_a[324u], 10u);
        let sum_103 = coopMultiplyAdd(own_a_1, right_102, sum_101);
        let at_104 = strip_scores + 8u;
        coopStoreT(sum_103, &scores[at_104], 18u);
        let right_105 = coopLoad<coop_mat16x16<f16,B>>(&tile_a[480u], 10u);
        let sum_106 = coopMultiplyAdd(own_a_0, right_105, zero);
        let right_107 = coopLoad<coop_mat16x16<f16,B>>(&tile_a[484u], 10u);
        let sum_108 = coopMultiplyAdd(own_a_1, right_107, sum_106);
        let at_109 = strip_scores + 12u;
        coopStoreT(sum_108, &scores[at_109], 18u);
        workgroupBarrier();
        let score_110 = scores[row_scores + 0u];
        let masked_111 = score_110 + column_a[0u + part];
        let score_112 = scores[row_scores + 2u];
        let masked_113 = score_112 + column_a[2u + part];
        let score_114 = scores[row_scores + 4u];
        let masked_115 = score_114 + column_a[4u + part];
        let score_116 = scores[row_scores + 6u];
        let masked_117 = score_116 + column_a[6u + part];
        let score_118 = scores[row_scores + 8u];
        let masked_119 = score_118 + column_a[8u + part];
        let score_120 = scores[row_scores + 10u];
        let masked_121 = score_120 + column_a[10u + part];
        let score_122 = scores[row_scores + 12u];
        let masked_123 = score_122 + column_a[12u + part];
        let score_124 = scores[row_scores + 14u];
        let masked_125 = score_124 + column_a[14u + part];
        let largest_126 = max(max(max(max(max(max(max(masked_111, masked_113), masked_115), masked_117), masked_119), masked_121), masked_123), masked_125);
        let own = max(max(largest_126.x, largest_126.y), max(largest_126.z, largest_126.w));
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
            let sum_127 = out_0;
            let at_128 = strip_scores + 0u;
            coopStoreT(sum_127, &scores[at_128], 18u);
            workgroupBarrier();
            scores[row_scores + 0u] = scores[row_scores + 0u] * factor;
            scores[row_scores + 2u] = scores[row_scores + 2u] * factor;
            workgroupBarrier();
            out_0 = coopLoadT<coop_mat16x16<f32,C>>(&scores[strip_scores + 0u], 18u);
            workgroupBarrier();
        }
        let weight_129 = exp(masked_111 - vec4<f32>(peak));
        total += weight_129.x + weight_129.y + weight_129.z + weight_129.w;
        weights[row_weights + 0u] = vec4<f16>(weight_129);
        let weight_130 = exp(masked_113 - vec4<f32>(peak));
        total += weight_130.x + weight_130.y + weight_130.z + weight_130.w;
        weights[row_weights + 2u] = vec4<f16>(weight_130);
        let weight_131 = exp(masked_115 - vec4<f32>(peak));
        total += weight_131.x + weight_131.y + weight_131.z + weight_131.w;
        weights[row_weights + 4u] = vec4<f16>(weight_131);
        let weight_132 = exp(masked_117 - vec4<f32>(peak));
        total += weight_132.x + weight_132.y + weight_132.z + weight_132.w;
        weights[row_weights + 6u] = vec4<f16>(weight_132);
        let weight_133 = exp(masked_119 - vec4<f32>(peak));
        total += weight_133.x + weight_133.y + weight_133.z + weight_133.w;
        weights[row_weights + 8u] = vec4<f16>(weight_133);
        let weight_134 = exp(masked_121 - vec4<f32>(peak));
        total += weight_134.x + weight_134.y + weight_134.z + weight_134.w;
        weights[row_weights + 10u] = vec4<f16>(weight_134);
        let weight_135 = exp(masked_123 - vec4<f32>(peak));
        total += weight_135.x + weight_135.y + weight_135.z + weight_135.w;
        weights[row_weights + 12u] = vec4<f16>(weight_135);
        let weight_136 = exp(masked_125 - vec4<f32>(peak));
        total += weight_136.x + weight_136.y + weight_136.z + weight_136.w;
        weights[row_weights + 14u] = vec4<f16>(weight_136);
        workgroupBarrier();
        let left_137 = coopLoadT<coop_mat16x16<f16,A>>(&weights[strip_weights + 0u], 18u);
        let right_138 = coopLoadT<coop_mat16x16<f16,B>>(&tile_b[0u], 6u);
        out_0 = coopMultiplyAdd(left_137, right_138, out_0);
        let left_139 = coopLoadT<coop_mat16x16<f16,A>>(&weights[strip_weights + 4u], 18u);
        let right_140 = coopLoadT<coop_mat16x16<f16,B>>(&tile_b[96u], 6u);
        out_0 = coopMultiplyAdd(left_139, right_140, out_0);
        let left_141 = coopLoadT<coop_mat16x16<f16,A>>(&weights[strip_weights + 8u], 18u);
        let right_142 = coopLoadT<coop_mat16x16<f16,B>>(&tile_b[192u], 6u);
        out_0 = coopMultiplyAdd(left_141, right_142, out_0);
        let left_143 = coopLoadT<coop_mat16x16<f16,A>>(&weights[strip_weights + 12u], 18u);
        let right_144 = coopLoadT<coop_mat16x16<f16,B>>(&tile_b[288u], 6u);
        out_0 = coopMultiplyAdd(left_143, right_144, out_0);
        workgroupBarrier();
    }
    let sum = total + subgroupShuffleXor(total, 1u);
    let share = 1.0f / sum;
    let row_145 = ((b * 72u + n_t) * 2u + h) * 4u + part;
    let sum_146 = out_0;
    let at_147 = strip_scores + 0u;
    coopStoreT(sum_146, &scores[at_147], 18u);
    workgroupBarrier();
    if p < 36u && top + n_y < 8u && left + n_x < 9u {
        let score_148 = scores[row_scores + 0u];
        b4[row_145 + 0u] = score_148 * share;
        let score_149 = scores[row_scores + 2u];
        b4[row_145 + 2u] = score_149 * share;
    }
    workgroupBarrier();
    if p < 36u && top + n_y < 8u && left + n_x < 9u && part == 0u {
        b5[(b * 2u + h) * 72u + n_t] = peak + log(sum);
    }
}
