//! Attention kernels. An invocation owns queries (forward, gradient of queries) or keys (gradient of
//! keys and values), or with its neighbours a part of the width of some ([`Share`]), and walks the
//! other side of its window with everything it accumulates in registers.

mod backward;
mod cooperative;
mod emitter;
mod forward;
mod geometry;
mod owned;
mod pads;
mod relative;
mod shape;
mod share;
mod walk;

use self::cooperative::Cooperative;
use self::emitter::Emitter;
use self::shape::windows;
use self::share::Share;
use super::shader::Shader;
use crate::{Attention, AttentionPass, Caps};

/// Invocations per workgroup where lanes share rows.
const SHARED_WORKGROUP: usize = 128;
/// Pairs of query and key of an attention that is worth trying other sizes for.
const WORTH_TRYING: usize = 1 << 20;

/// Emits an attention kernel.
pub(crate) fn attention(kernel: &Attention, caps: &Caps) -> Shader {
    match Cooperative::all(kernel, caps).into_iter().next() {
        Some(cooperative) => cooperative.emit(),
        None => emit(kernel, Emitter::new(kernel, caps, SHARED_WORKGROUP, None)),
    }
}

/// The kernel that [`attention`] emits, then for large attention others that may be faster.
pub(crate) fn variants(kernel: &Attention, caps: &Caps) -> Vec<Shader> {
    let by_rule = Emitter::new(kernel, caps, SHARED_WORKGROUP, None);
    let windows = kernel.batch * kernel.heads * windows(kernel);
    if windows * by_rule.owned * by_rule.walked < WORTH_TRYING {
        return vec![attention(kernel, caps)];
    }
    let tried: &[(usize, usize)] = match by_rule.share.lanes > 1 {
        true => &[(64, 2), (256, 2), (128, 1), (128, 4)],
        false => &[],
    };
    let cooperative = Cooperative::all(kernel, caps).into_iter();
    let mut all: Vec<Shader> = cooperative.map(Cooperative::emit).collect();
    all.push(emit(kernel, by_rule));
    for &(workgroup, rows) in tried {
        let shader = emit(kernel, Emitter::new(kernel, caps, workgroup, Some(rows)));
        if all.iter().all(|other| other.variant != shader.variant) {
            all.push(shader);
        }
    }
    all
}

fn emit(kernel: &Attention, mut e: Emitter<'_>) -> Shader {
    let pass = match kernel.pass {
        AttentionPass::Forward { out, lse, rel } => {
            e.forward(out, lse, rel);
            "attention"
        }
        AttentionPass::BackwardQ { saved, dq, drel } => {
            e.backward_q(&saved, dq, drel);
            "attention dq"
        }
        AttentionPass::BackwardKv {
            saved,
            dk,
            dv,
            dpad,
        } => {
            e.backward_kv(&saved, [dk, dv], dpad);
            "attention dkv"
        }
    };
    let Share { lanes, rows } = e.share;
    let variant = format!("workgroups of {} {lanes}x{rows}", e.workgroup);
    e.finish(pass, variant)
}
