enable f16;
@group(0) @binding(0) var<storage, read> b0: array<f16>;
@group(0) @binding(1) var<storage, read> b1: array<f16>;
@group(0) @binding(2) var<storage, read> b2: array<f16>;
@group(0) @binding(3) var<storage, read_write> b3: array<f16>;
var<workgroup> tiles: array<vec4<f32>, 24>;

@compute @workgroup_size(4)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let tile = group.x;
    let row = 0u * 8u;
    let col = 0u * 8u;
    let batch = 0u;
    let local_row = local / 2u;
    let local_col = local % 2u;
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
    if local < 2u {
        let unit_1 = local;
        let step_2 = 0u + unit_1 % 1u * 4u;
        let place_3 = row + unit_1 / 1u * 4u;
        held_0_0 = vec4<f32>(f32(b0[a_start + min(place_3, 4u) * 3u + min(step_2, 2u)]), f32(b0[a_start + min(place_3 + 1u, 4u) * 3u + min(step_2, 2u)]), f32(b0[a_start + min(place_3 + 2u, 4u) * 3u + min(step_2, 2u)]), f32(b0[a_start + min(place_3 + 3u, 4u) * 3u + min(step_2, 2u)]));
        held_0_1 = vec4<f32>(f32(b0[a_start + min(place_3, 4u) * 3u + min(step_2 + 1u, 2u)]), f32(b0[a_start + min(place_3 + 1u, 4u) * 3u + min(step_2 + 1u, 2u)]), f32(b0[a_start + min(place_3 + 2u, 4u) * 3u + min(step_2 + 1u, 2u)]), f32(b0[a_start + min(place_3 + 3u, 4u) * 3u + min(step_2 + 1u, 2u)]));
        held_0_2 = vec4<f32>(f32(b0[a_start + min(place_3, 4u) * 3u + min(step_2 + 2u, 2u)]), f32(b0[a_start + min(place_3 + 1u, 4u) * 3u + min(step_2 + 2u, 2u)]), f32(b0[a_start + min(place_3 + 2u, 4u) * 3u + min(step_2 + 2u, 2u)]), f32(b0[a_start + min(place_3 + 3u, 4u) * 3u + min(step_2 + 2u, 2u)]));
        held_0_3 = vec4<f32>(f32(b0[a_start + min(place_3, 4u) * 3u + min(step_2 + 3u, 2u)]), f32(b0[a_start + min(place_3 + 1u, 4u) * 3u + min(step_2 + 3u, 2u)]), f32(b0[a_start + min(place_3 + 2u, 4u) * 3u + min(step_2 + 3u, 2u)]), f32(b0[a_start + min(place_3 + 3u, 4u) * 3u + min(step_2 + 3u, 2u)]));
    }
    else {
        let unit_4 = local - 2u;
        let step_5 = 0u + unit_4 % 1u * 4u;
        let place_6 = col + unit_4 / 1u * 4u;
        held_0_0 = vec4<f32>(f32(b1[b_start + min(place_6, 6u) * 3u + min(step_5, 2u)]), f32(b1[b_start + min(place_6 + 1u, 6u) * 3u + min(step_5, 2u)]), f32(b1[b_start + min(place_6 + 2u, 6u) * 3u + min(step_5, 2u)]), f32(b1[b_start + min(place_6 + 3u, 6u) * 3u + min(step_5, 2u)]));
        held_0_1 = vec4<f32>(f32(b1[b_start + min(place_6, 6u) * 3u + min(step_5 + 1u, 2u)]), f32(b1[b_start + min(place_6 + 1u, 6u) * 3u + min(step_5 + 1u, 2u)]), f32(b1[b_start + min(place_6 + 2u, 6u) * 3u + min(step_5 + 1u, 2u)]), f32(b1[b_start + min(place_6 + 3u, 6u) * 3u + min(step_5 + 1u, 2u)]));
        held_0_2 = vec4<f32>(f32(b1[b_start + min(place_6, 6u) * 3u + min(step_5 + 2u, 2u)]), f32(b1[b_start + min(place_6 + 1u, 6u) * 3u + min(step_5 + 2u, 2u)]), f32(b1[b_start + min(place_6 + 2u, 6u) * 3u + min(step_5 + 2u, 2u)]), f32(b1[b_start + min(place_6 + 3u, 6u) * 3u + min(step_5 + 2u, 2u)]));
        held_0_3 = vec4<f32>(f32(b1[b_start + min(place_6, 6u) * 3u + min(step_5 + 3u, 2u)]), f32(b1[b_start + min(place_6 + 1u, 6u) * 3u + min(step_5 + 3u, 2u)]), f32(b1[b_start + min(place_6 + 2u, 6u) * 3u + min(step_5 + 3u, 2u)]), f32(b1[b_start + min(place_6 + 3u, 6u) * 3u + min(step_5 + 3u, 2u)]));
    }
    if local < 2u {
        let unit_7 = local;
        let at_8 = 0u + unit_7 % 1u * 4u * 3u + unit_7 / 1u;
        tiles[at_8] = held_0_0;
        tiles[at_8 + 3u] = held_0_1;
        tiles[at_8 + 6u] = held_0_2;
        tiles[at_8 + 9u] = held_0_3;
    }
    else {
        let unit_9 = local - 2u;
        let at_10 = 12u + unit_9 % 1u * 4u * 3u + unit_9 / 1u;
        tiles[at_10] = held_0_0;
        tiles[at_10 + 3u] = held_0_1;
        tiles[at_10 + 6u] = held_0_2;
        tiles[at_10 + 9u] = held_0_3;
    }
    workgroupBarrier();
    for (var step = 0u; step < 3u; step += 1u) {
        let a = 0u + step * 3u + local_row;
        let b = 12u + step * 3u + local_col;
        let a_0_0 = tiles[a];
        let b_0_0 = tiles[b];
        acc_0_0 = fma(vec4<f32>(a_0_0.x), b_0_0, acc_0_0);
        acc_1_0 = fma(vec4<f32>(a_0_0.y), b_0_0, acc_1_0);
        acc_2_0 = fma(vec4<f32>(a_0_0.z), b_0_0, acc_2_0);
        acc_3_0 = fma(vec4<f32>(a_0_0.w), b_0_0, acc_3_0);
    }
    let first_row = row + local_row * 4u;
    let first_col = col + local_col * 4u;
    let at_row_11 = first_row;
    if at_row_11 < 5u {
        let four_12 = acc_0_0;
        for (var c = 0u; c < 4u; c += 1u) {
            let at_col_13 = first_col + c;
            if at_col_13 < 7u {
                let i_14 = at_row_11 * 7u + at_col_13;
                let acc_15 = four_12[c];
                let x_16 = f32(b2[i_14 % 7u]);
                let v_17 = acc_15 + x_16;
                b3[i_14] = f16(v_17);
            }
        }
    }
    let at_row_18 = first_row + 1u;
    if at_row_18 < 5u {
        let four_19 = acc_1_0;
        for (var c = 0u; c < 4u; c += 1u) {
            let at_col_20 = first_col + c;
            if at_col_20 < 7u {
                let i_21 = at_row_18 * 7u + at_col_20;
                let acc_22 = four_19[c];
                let x_23 = f32(b2[i_21 % 7u]);
                let v_24 = acc_22 + x_23;
                b3[i_21] = f16(v_24);
            }
        }
    }
    let at_row_25 = first_row + 2u;
    if at_row_25 < 5u {
        let four_26 = acc_2_0;
        for (var c = 0u; c < 4u; c += 1u) {
            let at_col_27 = first_col + c;
            if at_col_27 < 7u {
                let i_28 = at_row_25 * 7u + at_col_27;
                let acc_29 = four_26[c];
                let x_30 = f32(b2[i_28 % 7u]);
                let v_31 = acc_29 + x_30;
                b3[i_28] = f16(v_31);
            }
        }
    }
    let at_row_32 = first_row + 3u;
    if at_row_32 < 5u {
        let four_33 = acc_3_0;
        for (var c = 0u; c < 4u; c += 1u) {
            let at_col_34 = first_col + c;
            if at_col_34 < 7u {
                let i_35 = at_row_32 * 7u + at_col_34;
                let acc_36 = four_33[c];
                let x_37 = f32(b2[i_35 % 7u]);
                let v_38 = acc_36 + x_37;
                b3[i_35] = f16(v_38);
            }
        }
    }
}
