//! Memory that the pieces of a kernel share. All that is unsafe about threads is here.

use std::cell::Cell;

use crate::Place;

/// Words of one allocation; u32 are kept by their bits.
///
/// Pieces of a kernel write disjoint elements, and none reads what another writes; kernels run one after another.
#[derive(Debug)]
pub(super) struct Words(Box<[Cell<f32>]>);

// SAFETY: threads meet only inside a kernel, whose pieces touch disjoint elements of what any of them writes.
#[allow(unsafe_code)]
unsafe impl Sync for Words {}

impl Words {
    /// So many zeros.
    pub(super) fn zeros(len: usize) -> Self {
        Self(vec![Cell::new(0.0); len].into())
    }

    /// How many they are.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// The cells from `first` on.
    pub(super) fn cells(&self, first: usize, len: usize) -> Cells<'_> {
        Cells(&self.0[first..first + len])
    }

    /// Everything, for reading.
    ///
    /// # Safety
    /// Nothing writes while the slice lives.
    #[allow(unsafe_code)]
    pub(super) unsafe fn read(&self) -> &[f32] {
        // SAFETY: `Cell<f32>` has the layout of `f32`, and the caller promises that nothing writes.
        unsafe { &*(&raw const *self.0 as *const [f32]) }
    }
}

/// Elements that a kernel writes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cells<'a>(&'a [Cell<f32>]);

// SAFETY: as for [`Words`].
#[allow(unsafe_code)]
unsafe impl Sync for Cells<'_> {}
// SAFETY: as for [`Words`].
#[allow(unsafe_code)]
unsafe impl Send for Cells<'_> {}

impl Cells<'_> {
    /// Writes element `i`.
    pub(super) fn set(self, i: usize, value: f32) {
        self.0[i].set(value);
    }

    /// Writes elements `first`, `first + step`, ….
    pub(super) fn store(self, first: usize, step: usize, values: &[f32]) {
        match step {
            1 => {
                let to = &self.0[first..first + values.len()];
                to.iter().zip(values).for_each(|(to, x)| to.set(*x));
            }
            _ => (0..)
                .zip(values)
                .for_each(|(k, x)| self.set(first + k * step, *x)),
        }
    }

    /// Writes what other cells hold.
    pub(super) fn copy(self, from: Self) {
        self.0
            .iter()
            .zip(from.0)
            .for_each(|(to, from)| to.set(from.get()));
    }

    /// Reads elements `first`, `first + step`, ….
    pub(super) fn load(self, first: usize, step: usize, out: &mut [f32]) {
        let from = self.0[first..].iter().step_by(step);
        out.iter_mut()
            .zip(from)
            .for_each(|(x, from)| *x = from.get());
    }
}

/// Sources and slots of a program, each an allocation.
#[derive(Debug)]
pub(super) struct Memory {
    pub(super) sources: Vec<Words>,
    pub(super) slots: Vec<Words>,
}

impl Memory {
    /// The first `len` words of a place.
    pub(super) fn cells(&self, place: Place, len: usize) -> Cells<'_> {
        match place {
            Place::Source(i) => self.sources[i].cells(0, len),
            Place::Slot { slot, first } => self.slots[slot].cells(first, len),
        }
    }
}

/// What a kernel is bound to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bound<'a> {
    memory: &'a Memory,
    bound: &'a [crate::Bound],
    writes: &'a [bool],
}

impl<'a> Bound<'a> {
    /// The buffers of a kernel, and which of them it writes.
    ///
    /// # Safety
    /// As long as it lives only the pieces of this kernel write, and what they write overlaps nothing that is bound
    /// for reading alone.
    #[allow(unsafe_code)]
    pub(super) unsafe fn new(
        memory: &'a Memory,
        bound: &'a [crate::Bound],
        writes: &'a [bool],
    ) -> Self {
        Self {
            memory,
            bound,
            writes,
        }
    }

    /// Whether the kernel writes a binding.
    pub(super) fn writes(&self, binding: usize) -> bool {
        self.writes[binding]
    }

    /// A binding that is only read; empty for one that is written.
    #[allow(unsafe_code)]
    pub(super) fn read(&self, binding: usize) -> &'a [f32] {
        if self.writes[binding] {
            return &[];
        }
        let crate::Bound { place, len } = self.bound[binding];
        let (words, first) = match place {
            Place::Source(i) => (&self.memory.sources[i], 0),
            Place::Slot { slot, first } => (&self.memory.slots[slot], first),
        };
        let cells = &words.0[first..first + len];
        // SAFETY: `Cell<f32>` has the layout of `f32`, and by the contract of `new` nothing writes them.
        unsafe { &*(&raw const *cells as *const [f32]) }
    }

    /// A binding of u32 that is only read.
    pub(super) fn ids(&self, binding: usize) -> &'a [u32] {
        bytemuck::cast_slice(self.read(binding))
    }

    /// A binding that is written, as a whole.
    ///
    /// # Safety
    /// Nothing else reads or writes it while the slice lives.
    #[allow(unsafe_code)]
    pub(super) unsafe fn whole(&self, binding: usize) -> &'a mut [f32] {
        let cells = self.cells(binding).0;
        let first = cells.as_ptr().cast::<f32>().cast_mut();
        // SAFETY: `Cell<f32>` has the layout of `f32` and may change behind a shared reference, and the caller
        // promises that nothing else does so.
        unsafe { std::slice::from_raw_parts_mut(first, cells.len()) }
    }

    /// A binding that is written.
    pub(super) fn cells(&self, binding: usize) -> Cells<'a> {
        let crate::Bound { place, len } = self.bound[binding];
        self.memory.cells(place, len)
    }
}
