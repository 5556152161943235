//! All cases there are.

use super::case::Case;
use crate::models::sam2;
use crate::nn;
use crate::ops::{
    affine, attention, batch_norm, conv, gather, l2_normalize, layer_norm, matmul, pointwise,
    random, reduce, resize, softmax, view,
};

/// Every case of every op, and of what losses and SAM 2 compose of them.
pub fn cases() -> Vec<Case> {
    [
        pointwise::CASES,
        view::CASES,
        matmul::CASES,
        reduce::CASES,
        softmax::CASES,
        layer_norm::CASES,
        l2_normalize::CASES,
        batch_norm::CASES,
        affine::pad::CASES,
        affine::unfold::CASES,
        conv::CASES,
        resize::CASES,
        gather::CASES,
        attention::CASES,
        random::CASES,
        nn::attention::CASES,
        nn::loss::CASES,
        sam2::CASES,
    ]
    .concat()
}
