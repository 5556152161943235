//! Expressions as straight-line code on registers that hold a block of elements each.
//!
//! Nodes that are the same for all elements of a kernel, or of a row, are scalars; the others get registers, which
//! are used again when nothing reads them any more, so that a block of all fits the first-level cache.

use std::collections::HashMap;

use samora_shaders::{Binary, Expr, Id, Scalar, Unary};

/// Bytes of all registers together.
const CACHE_BYTES: usize = 16 << 10;

/// An expression as code.
#[derive(Debug)]
pub(super) struct Code {
    /// Scalar nodes in order: those that need no stage of a reduction, those that need the first one, ….
    pub(super) scalars: Vec<Vec<Id>>,
    /// What is done for each block, and where its results are then, phase by phase.
    pub(super) phases: Vec<Phase>,
    /// Registers used, those of the results of stages included.
    pub(super) registers: usize,
    /// The nodes.
    pub(super) expr: Expr,
}

/// The code of a stage, or of what is stored.
#[derive(Debug)]
pub(super) struct Phase {
    pub(super) steps: Vec<(Op, usize)>,
    pub(super) results: Vec<Arg>,
}

/// What is put into a register.
#[derive(Clone, Copy, Debug)]
pub(super) enum Op {
    Leaf(usize),
    Unary(Unary, Arg),
    Binary(Binary, Arg, Arg),
    Select(Arg, Arg, Arg),
}

/// An operand.
#[derive(Clone, Copy, Debug)]
pub(super) enum Arg {
    /// A register.
    Register(usize),
    /// A scalar node.
    Scalar(Id),
    /// A leaf that is read where it is.
    Leaf(usize),
    /// The result of a product.
    Acc,
}

/// How a leaf is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reading {
    /// It is the same for all elements.
    Same,
    /// Its elements lie as those of a block.
    Direct,
    /// Its elements are put into a register.
    Loaded,
}

/// What code is made of.
pub(super) struct Source<'a> {
    pub(super) expr: &'a Expr,
    pub(super) leaves: &'a [Reading],
    /// Number of stages whose results are in registers, two for each; else they are scalars.
    pub(super) pinned: Option<usize>,
    /// The nodes that each phase ends with.
    pub(super) phases: &'a [Vec<Id>],
    /// Whether a phase finds the registers of the phases before it.
    pub(super) kept: bool,
}

impl Code {
    pub(super) fn new(source: &Source<'_>) -> Self {
        let levels = levels(source);
        let last = levels.iter().flatten().max().map_or(0, |level| level + 1);
        let mut scalars = vec![Vec::new(); last];
        for (id, level) in levels.iter().enumerate() {
            if let Some(level) = level {
                scalars[*level].push(id);
            }
        }
        let first = source.pinned.map_or(0, |stages| 2 * stages);
        let mut code = Self {
            scalars,
            phases: Vec::new(),
            registers: first,
            expr: source.expr.clone(),
        };
        let whole = [source.phases];
        let each: Vec<&[Vec<Id>]> = source.phases.chunks(1).collect();
        for phases in if source.kept { &whole[..] } else { &each[..] } {
            code.allocate(source, &levels, phases, first);
        }
        code
    }

    /// Elements of a block: as many as let the registers stay in the cache.
    pub(super) fn block(&self) -> usize {
        (CACHE_BYTES / 4 / self.registers.max(4) / 64 * 64).clamp(128, 1024)
    }

    /// Appends phases that share registers.
    fn allocate(
        &mut self,
        source: &Source<'_>,
        levels: &[Option<usize>],
        phases: &[Vec<Id>],
        first: usize,
    ) {
        let nodes = &source.expr.nodes;
        let mut place: HashMap<Id, Arg> = HashMap::new();
        for (id, node) in nodes.iter().enumerate() {
            let known = match (levels[id], node) {
                (Some(_), _) => Some(Arg::Scalar(id)),
                (None, Scalar::Acc) => Some(Arg::Acc),
                (None, Scalar::Reduced(k)) => Some(Arg::Register(2 * k)),
                (None, Scalar::ReducedAt(k)) => Some(Arg::Register(2 * k + 1)),
                (None, Scalar::Leaf(k)) if source.leaves[*k] == Reading::Direct => {
                    Some(Arg::Leaf(*k))
                }
                _ => None,
            };
            place.extend(known.map(|arg| (id, arg)));
        }
        // Which nodes each phase adds, and the position after which nothing needs a node.
        let mut added = vec![Vec::new(); phases.len()];
        let mut made: Vec<bool> = (0..nodes.len()).map(|id| place.contains_key(&id)).collect();
        let mut last = vec![0; nodes.len()];
        let mut at = 0;
        for (phase, wanted) in phases.iter().enumerate() {
            let mut needed = vec![false; nodes.len()];
            wanted.iter().for_each(|&id| needed[id] = true);
            for id in (0..nodes.len()).rev() {
                if needed[id] && !made[id] {
                    operands(&nodes[id]).for_each(|a| needed[a] = true);
                }
            }
            for id in (0..nodes.len()).filter(|&id| needed[id] && !made[id]) {
                at += 1;
                operands(&nodes[id]).for_each(|a| last[a] = at);
                added[phase].push(id);
            }
            added[phase].iter().for_each(|&id| made[id] = true);
            at += 1;
            wanted.iter().for_each(|&id| last[id] = at);
        }
        let (mut free, mut next, mut at): (Vec<usize>, _, _) = (Vec::new(), first, 0);
        for (wanted, added) in phases.iter().zip(added) {
            let mut steps = Vec::new();
            for &id in &added {
                at += 1;
                let register = free.pop().unwrap_or_else(|| {
                    next += 1;
                    next - 1
                });
                let arg = |id: &Id| place[id];
                let op = match &nodes[id] {
                    Scalar::Unary(f, a) => Op::Unary(*f, arg(a)),
                    Scalar::Binary(f, a, b) => Op::Binary(*f, arg(a), arg(b)),
                    Scalar::Select(c, a, b) => Op::Select(arg(c), arg(a), arg(b)),
                    Scalar::Leaf(k) => Op::Leaf(*k),
                    // All of these have their places.
                    Scalar::Acc | Scalar::Const(_) | Scalar::Reduced(_) | Scalar::ReducedAt(_) => {
                        continue;
                    }
                };
                steps.push((op, register));
                place.insert(id, Arg::Register(register));
                let mut ended: Vec<Id> = operands(&nodes[id]).collect();
                ended.sort_unstable();
                ended.dedup();
                release(&ended, &last, at, first, &place, &mut free);
            }
            at += 1;
            let results = wanted.iter().map(|id| place[id]).collect();
            self.phases.push(Phase { steps, results });
            let mut ended = wanted.clone();
            ended.sort_unstable();
            ended.dedup();
            release(&ended, &last, at, first, &place, &mut free);
        }
        self.registers = self.registers.max(next);
    }
}

/// Frees the registers of nodes that nothing needs after position `at`.
fn release(
    ended: &[Id],
    last: &[usize],
    at: usize,
    first: usize,
    place: &HashMap<Id, Arg>,
    free: &mut Vec<usize>,
) {
    for id in ended.iter().filter(|id| last[**id] == at) {
        if let Some(Arg::Register(register)) = place.get(id)
            && *register >= first
        {
            free.push(*register);
        }
    }
}

/// Of each scalar node, after how many stages it is known.
fn levels(source: &Source<'_>) -> Vec<Option<usize>> {
    let mut levels: Vec<Option<usize>> = Vec::new();
    for node in &source.expr.nodes {
        let level = match node {
            Scalar::Const(_) => Some(0),
            Scalar::Leaf(k) => (source.leaves[*k] == Reading::Same).then_some(0),
            Scalar::Acc => None,
            Scalar::Reduced(k) | Scalar::ReducedAt(k) => source.pinned.is_none().then_some(k + 1),
            node => operands(node)
                .map(|a| levels[a])
                .try_fold(0, |most, level| level.map(|level: usize| level.max(most))),
        };
        levels.push(level);
    }
    levels
}

fn operands(node: &Scalar) -> impl Iterator<Item = Id> {
    let operands = match *node {
        Scalar::Unary(_, a) => [Some(a), None, None],
        Scalar::Binary(_, a, b) => [Some(a), Some(b), None],
        Scalar::Select(c, a, b) => [Some(c), Some(a), Some(b)],
        Scalar::Leaf(_)
        | Scalar::Acc
        | Scalar::Const(_)
        | Scalar::Reduced(_)
        | Scalar::ReducedAt(_) => [None; 3],
    };
    operands.into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn registers_are_used_again_and_scalars_have_none() {
        let mut expr = Expr::default();
        let x = expr.push(Scalar::Leaf(0));
        let two = expr.push(Scalar::Const(2.0));
        let root = expr.push(Scalar::Unary(Unary::Sqrt, two));
        let mut y = x;
        for f in [Unary::Exp, Unary::Tanh, Unary::Sin, Unary::Cos] {
            y = expr.push(Scalar::Unary(f, y));
        }
        let y = expr.push(Scalar::Binary(Binary::Mul, y, root));
        let code = Code::new(&Source {
            expr: &expr,
            leaves: &[Reading::Direct],
            pinned: None,
            phases: &[vec![y, x]],
            kept: true,
        });
        assert_eq!(code.scalars, [vec![two, root]]);
        assert_eq!(code.registers, 2);
        assert_eq!(code.phases[0].steps.len(), 5);
        assert!(matches!(code.phases[0].results[1], Arg::Leaf(0)));
    }
}
