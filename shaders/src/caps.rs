//! What an adapter allows.

/// What an adapter allows, as far as emission depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Caps {
    /// A CPU adapter: barriers and shared memory cost more than they save.
    pub cpu: bool,
    /// Smallest and largest subgroup size, when subgroup operations are offered.
    pub subgroups: Option<(u32, u32)>,
    /// Whether buffers that are only read are better read through textures.
    pub texels: bool,
    /// Bytes of workgroup memory.
    pub workgroup_memory: u32,
    /// Invocations per workgroup.
    pub workgroup_size: u32,
    /// Workgroups per grid dimension.
    pub grid: u32,
    /// Storage buffers that a kernel binds, also where textures stand for them.
    pub bindings: u32,
    /// Bytes of each.
    pub binding_bytes: u64,
    /// How large matrix products and attention are computed.
    pub products: Products,
}

/// How large matrix products are computed: cooperative matrices are `size` rows and columns of f16, and
/// their products are summed in f32.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Products {
    /// In f32, without cooperative matrices.
    Exact,
    /// From operands rounded to f16, attention too if `size` is 16.
    Half {
        /// 8 or 16.
        size: u32,
    },
    /// Near the precision of f32: each operand is split into the sum of two f16 numbers.
    Split {
        /// 8 or 16.
        size: u32,
    },
}

impl Caps {
    /// The WebGPU defaults without optional features: every adapter offers at least this.
    pub fn portable() -> Self {
        Self {
            cpu: false,
            subgroups: None,
            texels: false,
            workgroup_memory: 16384,
            workgroup_size: 256,
            grid: 65535,
            bindings: 8,
            binding_bytes: 128 << 20,
            products: Products::Exact,
        }
    }

    /// A software adapter as lavapipe reports itself: subgroups of 8.
    pub fn software() -> Self {
        Self {
            cpu: true,
            subgroups: Some((8, 8)),
            texels: true,
            workgroup_memory: 32768,
            bindings: 32,
            ..Self::portable()
        }
    }

    /// Invocations per subgroup, 1 where that is not known.
    pub(crate) fn lanes(&self) -> usize {
        match self.subgroups {
            Some((smallest, largest)) if smallest == largest => smallest as usize,
            _ => 1,
        }
    }
}
