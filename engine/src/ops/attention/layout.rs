//! What the passes of an attention share, and which inputs there are beside queries, keys and values.

use samora_shaders::Tokens;

use crate::Type;

/// What all passes share.
#[derive(Clone, Copy, Debug)]
pub(super) struct Layout {
    pub(super) heads: usize,
    pub(super) tokens: Tokens,
    pub(super) scale: f32,
    pub(super) tables: bool,
    pub(super) biased: bool,
    pub(super) pads: bool,
}

impl Layout {
    /// Whether some key is a pad with its own gradient.
    pub(super) fn pads_overhang(&self) -> bool {
        self.pads && self.tokens.overhang()
    }

    /// Index of the distance bias among the inputs.
    pub(super) fn bias_input(&self) -> usize {
        3 + 2 * usize::from(self.tables)
    }

    /// Index of the first input after the operands of the forward pass.
    pub(super) fn saved(&self) -> usize {
        self.bias_input() + usize::from(self.biased) + 2 * usize::from(self.pads)
    }

    /// What is wrong with the operands, if anything.
    pub(super) fn validate(&self, inputs: &[Type]) -> Result<(), String> {
        let shapes: Vec<&[usize]> = inputs.iter().map(|t| &t.shape[..]).collect();
        let (queries, keys) = self.tokens.counts();
        let batch = batch(inputs);
        for (name, shape, count) in [
            ("q", shapes[0], queries),
            ("k", shapes[1], keys),
            ("v", shapes[2], keys),
        ] {
            match *shape {
                [b, n, c]
                    if n == count && c == channels(inputs) && b > 0 && batch.is_multiple_of(b) => {}
                _ => {
                    return Err(format!(
                        "{name} is {shape:?}; expected {count} tokens of {} channels and a batch \
                         that divides {batch}",
                        channels(inputs)
                    ));
                }
            }
        }
        if self.heads == 0 || !channels(inputs).is_multiple_of(self.heads) {
            let c = channels(inputs);
            return Err(format!(
                "{c} channels do not divide into {} heads",
                self.heads
            ));
        }
        let (wh, ww) = self.tokens.window();
        let grid = matches!(self.tokens, Tokens::Grid { .. });
        if (grid && wh * ww == 0) || (!grid && (self.tables || self.biased || self.pads)) {
            return Err(format!("{:?} has no such windows", self.tokens));
        }
        let width = channels(inputs) / self.heads;
        let tables = [[2 * wh.max(1) - 1, width], [2 * ww.max(1) - 1, width]];
        if self.tables && (shapes[3] != tables[0] || shapes[4] != tables[1]) {
            return Err(format!(
                "relative position tables are {:?} and {:?}; expected {tables:?}",
                shapes[3], shapes[4]
            ));
        }
        let biases = [self.heads, wh * ww];
        if self.biased
            && (shapes[self.bias_input()] != biases || self.tokens.overhang() || self.tables)
        {
            return Err(format!(
                "the distance bias is {:?}; expected {biases:?}, windows that tile the grid, and no \
                 relative position tables",
                shapes[self.bias_input()]
            ));
        }
        let pads = &shapes[self.bias_input() + usize::from(self.biased)..];
        if self.pads && pads[..2].iter().any(|s| *s != [channels(inputs)]) {
            return Err(format!("key and value of padding tokens are {pads:?}"));
        }
        Ok(())
    }
}

/// The largest batch of `q`, `k` and `v`.
pub(super) fn batch(inputs: &[Type]) -> usize {
    let batches = inputs.iter().take(3).filter_map(|t| t.shape.first());
    batches.copied().max().unwrap_or(0)
}

/// Channels of `q`.
pub(super) fn channels(inputs: &[Type]) -> usize {
    inputs[0].shape.last().copied().unwrap_or(0)
}
