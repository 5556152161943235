@group(0) @binding(0) var<storage, read> b0: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read> b1: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> b2: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> b3: array<vec4<f32>>;
var<workgroup> tiles: array<vec4<f32>, 320>;

@compute @workgroup_size(32)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let tile = group.x;
    let row = tile / 3u * 16u;
    let col = tile % 3u * 16u;
    let batch = 0u;
    let local_row = local / 4u % 4u;
    let local_col = local % 4u;
    let part = local / 16u;
    let a_start = 0u;
    let b_start = 0u;
    var acc_0_0 = vec4<f32>();
    var acc_1_0 = vec4<f32>();
    var acc_2_0 = vec4<f32>();
    var acc_3_0 = vec4<f32>();
    var held_0_0: vec4<f32>;
    var held_0_1: vec4<f32>;
    var held_0_2: vec4<f32>;
    var held_0_3: vec4<f32>;
    var held_1_0: vec4<f32>;
    var held_1_1: vec4<f32>;
    var held_1_2: vec4<f32>;
    var held_1_3: vec4<f32>;
    let unit_1 = local;
    let step_2 = 0u + unit_1 % 8u * 4u;
    let place_3 = row + unit_1 / 8u * 4u;
    held_0_0 = b0[(a_start + place_3 * 32u + step_2) / 4u];
    held_0_1 = b0[(a_start + (place_3 + 1u) * 32u + step_2) / 4u];
    held_0_2 = b0[(a_start + (place_3 + 2u) * 32u + step_2) / 4u];
    held_0_3 = b0[(a_start + (place_3 + 3u) * 32u + step_2) / 4u];
    let unit_4 = local;
    let step_5 = 0u + unit_4 % 8u * 4u;
    let place_6 = col + unit_4 / 8u * 4u;
    held_1_0 = b1[(b_start + place_6 * 32u + step_5) / 4u];
    held_1_1 = b1[(b_start + (place_6 + 1u) * 32u + step_5) / 4u];
    held_1_2 = b1[(b_start + (place_6 + 2u) * 32u + step_5) / 4u];
    held_1_3 = b1[(b_start + (place_6 + 3u) * 32u + step_5) / 4u];
    for (var k = 0u; k < 32u; k += 32u) {
        let unit_7 = local;
        let at_8 = 0u + unit_7 % 8u * 4u * 5u + unit_7 / 8u;
        tiles[at_8] = vec4<f32>(held_0_0.x, held_0_1.x, held_0_2.x, held_0_3.x);
        tiles[at_8 + 5u] = vec4<f32>(held_0_0.y, held_0_1.y, held_0_2.y, held_0_3.y);
        tiles[at_8 + 10u] = vec4<f32>(held_0_0.z, held_0_1.z, held_0_2.z, held_0_3.z);
        tiles[at_8 + 15u] = vec4<f32>(held_0_0.w, held_0_1.w, held_0_2.w, held_0_3.w);
        let unit_9 = local;
        let at_10 = 160u + unit_9 % 8u * 4u * 5u + unit_9 / 8u;
        tiles[at_10] = vec4<f32>(held_1_0.x, held_1_1.x, held_1_2.x, held_1_3.x);
        tiles[at_10 + 5u] = vec4<f32>(held_1_0.y, held_1_1.y, held_1_2.y, held_1_3.y);
        tiles[at_10 + 10u] = vec4<f32>(held_1_0.z, held_1_1.z, held_1_2.z, held_1_3.z);
        tiles[at_10 + 15u] = vec4<f32>(held_1_0.w, held_1_1.w, held_1_2.w, held_1_3.w);
        workgroupBarrier();
        for (var step = part; step < 32u; step += 16u) {
            let a = 0u + step * 5u + local_row;
            let b = 160u + step * 5u + local_col;
            let a_0_0 = tiles[a];
            let b_0_0 = tiles[b];
            acc_0_0 = fma(vec4<f32>(a_0_0.x), b_0_0, acc_0_0);
            acc_1_0 = fma(vec4<f32>(a_0_0.y), b_0_0, acc_1_0);
            acc_2_0 = fma(vec4<f32>(a_0_0.z), b_0_0, acc_2_0);
            acc_3_0 = fma(vec4<f32>(a_0_0.w), b_0_0, acc_3_0);
            let a_1_0 = tiles[a + 10u];
            let b_1_0 = tiles[b + 10u];
            acc_0_0 = fma(vec4<f32>(a_1_0.x), b_1_0, acc_0_0);
            acc_1_0 = fma(vec4<f32>(a_1_0.y), b_1_0, acc_1_0);
            acc_2_0 = fma(vec4<f32>(a_1_0.z), b_1_0, acc_2_0);
            acc_3_0 = fma(vec4<f32>(a_1_0.w), b_1_0, acc_3_0);
            let a_2_0 = tiles[a + 20u];
            let b_2_0 = tiles[b + 20u];
            acc_0_0 = fma(vec4<f32>(a_2_0.x), b_2_0, acc_0_0);
            acc_1_0 = fma(vec4<f32>(a_2_0.y), b_2_0, acc_1_0);
            acc_2_0 = fma(vec4<f32>(a_2_0.z), b_2_0, acc_2_0);
            acc_3_0 = fma(vec4<f32>(a_2_0.w), b_2_0, acc_3_0);
            let a_3_0 = tiles[a + 30u];
            let b_3_0 = tiles[b + 30u];
            acc_0_0 = fma(vec4<f32>(a_3_0.x), b_3_0, acc_0_0);
            acc_1_0 = fma(vec4<f32>(a_3_0.y), b_3_0, acc_1_0);
            acc_2_0 = fma(vec4<f32>(a_3_0.z), b_3_0, acc_2_0);
            acc_3_0 = fma(vec4<f32>(a_3_0.w), b_3_0, acc_3_0);
            let a_4_0 = tiles[a + 40u];
            let b_4_0 = tiles[b + 40u];
            acc_0_0 = fma(vec4<f32>(a_4_0.x), b_4_0, acc_0_0);
            acc_1_0 = fma(vec4<f32>(a_4_0.y), b_4_0, acc_1_0);
            acc_2_0 = fma(vec4<f32>(a_4_0.z), b_4_0, acc_2_0);
            acc_3_0 = fma(vec4<f32>(a_4_0.w), b_4_0, acc_3_0);
            let a_5_0 = tiles[a + 50u];
            let b_5_0 = tiles[b + 50u];
            acc_0_0 = fma(vec4<f32>(a_5_0.x), b_5_0, acc_0_0);
            acc_1_0 = fma(vec4<f32>(a_5_0.y), b_5_0, acc_1_0);
            acc_2_0 = fma(vec4<f32>(a_5_0.z), b_5_0, acc_2_0);
            acc_3_0 = fma(vec4<f32>(a_5_0.w), b_5_0, acc_3_0);
            let a_6_0 = tiles[a + 60u];
            let b_6_0 = tiles[b + 60u];
            acc_0_0 = fma(vec4<f32>(a_6_0.x), b_6_0, acc_0_0);
            acc_1_0 = fma(vec4<f32>(a_6_0.y), b_6_0, acc_1_0);
            acc_2_0 = fma(vec4<f32>(a_6_0.z), b_6_0, acc_2_0);
            acc_3_0 = fma(vec4<f32>(a_6_0.w), b_6_0, acc_3_0);
            let a_7_0 = tiles[a + 70u];
            let b_7_0 = tiles[b + 70u];
            acc_0_0 = fma(vec4<f32>(a_7_0.x), b_7_0, acc_0_0);
            acc_1_0 = fma(vec4<f32>(a_7_0.y), b_7_0, acc_1_0);
            acc_2_0 = fma(vec4<f32>(a_7_0.z), b_7_0, acc_2_0);
            acc_3_0 = fma(vec4<f32>(a_7_0.w), b_7_0, acc_3_0);
        }
        workgroupBarrier();
    }
    for (var half = 1u; half > 0u; half /= 2u) {
        if part >= half && part < half * 2u {
            tiles[local - half * 16u + 0u] = acc_0_0;
            tiles[local - half * 16u + 16u] = acc_1_0;
            tiles[local - half * 16u + 32u] = acc_2_0;
            tiles[local - half * 16u + 48u] = acc_3_0;
        }
        workgroupBarrier();
        if part < half {
            acc_0_0 += tiles[local];
            acc_1_0 += tiles[local + 16u];
            acc_2_0 += tiles[local + 32u];
            acc_3_0 += tiles[local + 48u];
        }
        workgroupBarrier();
    }
    if part == 0u {
        let first_row = row + local_row * 4u;
        let first_col = col + local_col * 4u;
        let at_row_11 = first_row;
        let at_col_12 = first_col;
        let i_13 = at_row_11 * 48u + at_col_12;
        let acc_14 = acc_0_0;
        let x_15 = b2[(i_13 % 48u) / 4u];
        let v_16 = acc_14 + x_15;
        b3[i_13 / 4u] = v_16;
        let at_row_17 = first_row + 1u;
        let at_col_18 = first_col;
        let i_19 = at_row_17 * 48u + at_col_18;
        let acc_20 = acc_1_0;
        let x_21 = b2[(i_19 % 48u) / 4u];
        let v_22 = acc_20 + x_21;
        b3[i_19 / 4u] = v_22;
        let at_row_23 = first_row + 2u;
        let at_col_24 = first_col;
        let i_25 = at_row_23 * 48u + at_col_24;
        let acc_26 = acc_2_0;
        let x_27 = b2[(i_25 % 48u) / 4u];
        let v_28 = acc_26 + x_27;
        b3[i_25 / 4u] = v_28;
        let at_row_29 = first_row + 3u;
        let at_col_30 = first_col;
        let i_31 = at_row_29 * 48u + at_col_30;
        let acc_32 = acc_3_0;
        let x_33 = b2[(i_31 % 48u) / 4u];
        let v_34 = acc_32 + x_33;
        b3[i_31 / 4u] = v_34;
    }
}
