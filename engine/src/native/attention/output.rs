//! Buffers that several threads write, each element by one of them.

use std::sync::atomic::{AtomicU32, Ordering};

/// A buffer of f32. Pieces write single elements that are scattered over it.
#[derive(Clone, Copy)]
pub(super) struct Output<'a>(&'a [AtomicU32]);

impl<'a> Output<'a> {
    pub(super) fn new(numbers: &'a mut [f32]) -> Self {
        let words: &mut [u32] = bytemuck::cast_slice_mut(numbers);
        let (start, len) = (words.as_mut_ptr().cast::<AtomicU32>(), words.len());
        // SAFETY: `AtomicU32` has the size and, as `Self::ALIGNED` asserts, the alignment of `u32`, and
        // the borrow is exclusive for as long as the result lives.
        #[allow(unsafe_code)]
        let words = unsafe {
            let () = Self::ALIGNED;
            std::slice::from_raw_parts(start, len)
        };
        Self(words)
    }

    const ALIGNED: () = assert!(align_of::<AtomicU32>() == align_of::<u32>());

    /// Writes numbers that follow each other.
    #[inline(always)]
    pub(super) fn write(self, at: usize, numbers: impl ExactSizeIterator<Item = f32>) {
        let to = &self.0[at..][..numbers.len()];
        for (to, number) in to.iter().zip(numbers) {
            to.store(number.to_bits(), Ordering::Relaxed);
        }
    }
}
