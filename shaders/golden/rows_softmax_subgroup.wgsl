@group(0) @binding(0) var<storage, read> b0: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read_write> b1: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> b2: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(subgroup_id) subgroup: u32, @builtin(num_subgroups) subgroups: u32, @builtin(subgroup_invocation_id) lane: u32, @builtin(subgroup_size) lanes: u32) {
    let first = (group.x) * 2u;
    let c_1 = lane * 4u;
    let c_2 = min(c_1, 764u);
    let c_3 = lane * 4u + lanes * 4u;
    let c_4 = min(c_3, 764u);
    let c_5 = lane * 4u + lanes * 8u;
    let c_6 = min(c_5, 764u);
    let c_7 = lane * 4u + lanes * 12u;
    let c_8 = min(c_7, 764u);
    let c_9 = lane * 4u + lanes * 16u;
    let c_10 = min(c_9, 764u);
    let c_11 = lane * 4u + lanes * 20u;
    let c_12 = min(c_11, 764u);
    for (var row = first + subgroup; row < first + 2u; row += subgroups) {
        let base = row * 768u;
        let i_13 = base + c_2;
        let x_14 = b0[i_13 / 4u];
        let i_15 = base + c_4;
        let x_16 = b0[i_15 / 4u];
        let i_17 = base + c_6;
        let x_18 = b0[i_17 / 4u];
        let i_19 = base + c_8;
        let x_20 = b0[i_19 / 4u];
        let i_21 = base + c_10;
        let x_22 = b0[i_21 / 4u];
        let i_23 = base + c_12;
        let x_24 = b0[i_23 / 4u];
        var part_25 = vec4<f32>((-3e38f));
        if c_1 <= 764u {
            part_25 = max(part_25, x_14);
        }
        if c_3 <= 764u {
            part_25 = max(part_25, x_16);
        }
        if c_5 <= 764u {
            part_25 = max(part_25, x_18);
        }
        if c_7 <= 764u {
            part_25 = max(part_25, x_20);
        }
        if c_9 <= 764u {
            part_25 = max(part_25, x_22);
        }
        if c_11 <= 764u {
            part_25 = max(part_25, x_24);
        }
        let part_26 = max(max(part_25.x, part_25.y), max(part_25.z, part_25.w));
        let reduced_27 = subgroupMax(part_26);
        let reduced_28 = vec4<f32>(reduced_27);
        var part_29 = vec4<f32>(0.0f);
        if c_1 <= 764u {
            let v_30 = x_14 - reduced_28;
            let v_31 = exp(v_30);
            part_29 += v_31;
        }
        if c_3 <= 764u {
            let v_32 = x_16 - reduced_28;
            let v_33 = exp(v_32);
            part_29 += v_33;
        }
        if c_5 <= 764u {
            let v_34 = x_18 - reduced_28;
            let v_35 = exp(v_34);
            part_29 += v_35;
        }
        if c_7 <= 764u {
            let v_36 = x_20 - reduced_28;
            let v_37 = exp(v_36);
            part_29 += v_37;
        }
        if c_9 <= 764u {
            let v_38 = x_22 - reduced_28;
            let v_39 = exp(v_38);
            part_29 += v_39;
        }
        if c_11 <= 764u {
            let v_40 = x_24 - reduced_28;
            let v_41 = exp(v_40);
            part_29 += v_41;
        }
        let part_42 = (part_29.x + part_29.y) + (part_29.z + part_29.w);
        let reduced_43 = subgroupAdd(part_42);
        let reduced_44 = vec4<f32>(reduced_43);
        if c_1 <= 764u {
            let v_45 = x_14 - reduced_28;
            let v_46 = exp(v_45);
            let v_47 = v_46 / reduced_44;
            b1[i_13 / 4u] = v_47;
        }
        if c_3 <= 764u {
            let v_48 = x_16 - reduced_28;
            let v_49 = exp(v_48);
            let v_50 = v_49 / reduced_44;
            b1[i_15 / 4u] = v_50;
        }
        if c_5 <= 764u {
            let v_51 = x_18 - reduced_28;
            let v_52 = exp(v_51);
            let v_53 = v_52 / reduced_44;
            b1[i_17 / 4u] = v_53;
        }
        if c_7 <= 764u {
            let v_54 = x_20 - reduced_28;
            let v_55 = exp(v_54);
            let v_56 = v_55 / reduced_44;
            b1[i_19 / 4u] = v_56;
        }
        if c_9 <= 764u {
            let v_57 = x_22 - reduced_28;
            let v_58 = exp(v_57);
            let v_59 = v_58 / reduced_44;
            b1[i_21 / 4u] = v_59;
        }
        if c_11 <= 764u {
            let v_60 = x_24 - reduced_28;
            let v_61 = exp(v_60);
            let v_62 = v_61 / reduced_44;
            b1[i_23 / 4u] = v_62;
        }
        if lane == 0u {
            let v_63 = log(reduced_43);
            let v_64 = reduced_27 + v_63;
            b2[row] = v_64;
        }
    }
}
