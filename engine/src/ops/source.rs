//! Sources: graph inputs, parameters, state and constants. Their tensors come from outside.

use crate::{Gradient, Graph, Lowering, Op, Tensor, Type, Value};

/// A buffer of the given type.
#[derive(Debug)]
pub(crate) struct SourceOp(pub(crate) Type);

impl Op for SourceOp {
    fn name(&self) -> &'static str {
        "source"
    }

    fn infer(&self, _: &[Type]) -> Result<Vec<Type>, String> {
        Ok(vec![self.0.clone()])
    }

    /// The executor looks sources up before it evaluates any op.
    fn cpu(&self, _: &[&Tensor]) -> Vec<Tensor> {
        Vec::new()
    }

    fn lower(&self, _: &[Type], _: &[Type]) -> Lowering {
        Lowering::Source
    }

    fn grad(&self, _: &mut Graph, _: &Gradient) -> Vec<Option<Value>> {
        Vec::new()
    }
}
