enable f16;
@group(0) @binding(0) var<storage, read> b0: array<vec4<f16>>;
@group(0) @binding(1) var<storage, read_write> b1: array<vec4<f16>>;

fn erf(x: f32) -> f32 {
    let t = min(abs(x), 4.0f);
    let s = t * t;
    var inner = fma(-5.96761703e-4f, s, 4.99119423e-3f);
    inner = fma(inner, s, -2.67681349e-2f);
    inner = fma(inner, s, 1.12819925e-1f);
    inner = fma(inner, s, -3.76125336e-1f);
    inner = fma(inner, s, 1.28379166e-1f);
    inner = fma(inner, t, t);
    var outer = fma(fma(-1.72853470e-5f, t, 3.83197126e-4f), s, fma(-3.88396438e-3f, t, 2.42546219e-2f));
    outer = fma(outer, t, -1.06777877e-1f);
    outer = fma(outer, t, -6.34846687e-1f);
    outer = fma(outer, t, -1.28717512e-1f);
    outer = 1.0f - exp(fma(outer, t, -t));
    let magnitude = select(inner, outer, t > 0.927734375f);
    return select(magnitude, -magnitude, x < 0.0f);
}

fn erf_quad(x: vec4<f32>) -> vec4<f32> {
    return vec4<f32>(erf(x.x), erf(x.y), erf(x.z), erf(x.w));
}

@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let quad = id.x;
    let i = quad * 4u;
    let x_1 = vec4<f32>(b0[i / 4u]);
    let v_2 = x_1 * vec4<f32>(0.70710677f);
    let v_3 = erf_quad(v_2);
    let v_4 = v_3 + vec4<f32>(1.0f);
    let v_5 = x_1 * vec4<f32>(0.5f);
    let v_6 = v_4 * v_5;
    b1[i / 4u] = vec4<f16>(v_6);
}
