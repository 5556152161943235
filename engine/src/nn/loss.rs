//! Losses, each a scalar.

use crate::cases::{Case, operand, positive};
use crate::{Graph, Tensor, Value};

/// Smoothing term of both Dice losses.
const SMOOTH: f32 = 1e-5;

/// Mean over rows of `−log softmax(logits)[label]`, for `logits [rows, classes]` and u32
/// `labels [rows]`.
pub fn cross_entropy(g: &mut Graph, logits: Value, labels: Value) -> Value {
    let [rows, classes] = g.dims::<2>(logits);
    let truth = one_hot(g, labels, classes);
    let log = g.log_softmax(logits);
    let chosen = g.mul(log, truth);
    let total = g.sum(chosen, &[0, 1]);
    g.scale(total, -1.0 / rows as f32)
}

/// SAMed's Dice loss (utils.py, `DiceLoss`) for `logits [rows, classes]` and u32 `labels [rows]`:
/// with softmax probabilities p and one-hot truth t, the mean over classes, background included, of
/// `1 − (2Σpt + s)/(Σp² + Σt² + s)`, sums taken over all rows.
pub fn dice_loss(g: &mut Graph, logits: Value, labels: Value) -> Value {
    let [_, classes] = g.dims::<2>(logits);
    let truth = one_hot(g, labels, classes);
    let p = g.softmax(logits);
    let common = g.mul(p, truth);
    let common = g.sum(common, &[0]);
    let squares = g.square(p);
    let squares = g.sum(squares, &[0]);
    // A one-hot vector is its own square.
    let size = g.sum(truth, &[0]);
    let denominator = g.add(squares, size);
    one_minus_dice(g, common, denominator)
}

/// SAMed's loss of class `logits [.., classes]` against u32 labels of all their pixels, `[pixels]`: the sum
/// of [`cross_entropy`] and [`dice_loss`] with these weights.
pub fn segmentation(
    g: &mut Graph,
    logits: Value,
    labels: Value,
    (cross_entropy_weight, dice_weight): (f32, f32),
) -> Value {
    let [pixels] = g.dims::<1>(labels);
    let classes = g.shape(logits).last().copied().unwrap_or(1);
    let logits = g.reshape(logits, &[pixels, classes]);
    let ce = cross_entropy(g, logits, labels);
    let dice = dice_loss(g, logits, labels);
    let ce = g.scale(ce, cross_entropy_weight);
    let dice = g.scale(dice, dice_weight);
    g.add(ce, dice)
}

/// Soft Dice loss of SAMora's denoiser for `prediction` and `target [b, …]` in [0, 1]: the mean over
/// samples of `1 − (2Σpt + s)/(Σp + Σt + s)`.
pub fn soft_dice(g: &mut Graph, prediction: Value, target: Value) -> Value {
    let shape = g.shape(prediction).to_vec();
    let samples = shape.first().copied().unwrap_or(1);
    let flat = [samples, shape.iter().product::<usize>() / samples.max(1)];
    let p = g.reshape(prediction, &flat);
    let t = g.reshape(target, &flat);
    let common = g.mul(p, t);
    let common = g.sum(common, &[1]);
    let both = g.add(p, t);
    let denominator = g.sum(both, &[1]);
    one_minus_dice(g, common, denominator)
}

/// Mean squared difference of two tensors of one shape.
pub fn mse(g: &mut Graph, a: Value, b: Value) -> Value {
    let difference = g.sub(a, b);
    let squared = g.square(difference);
    let axes: Vec<usize> = (0..g.shape(squared).len()).collect();
    g.mean(squared, &axes)
}

/// NT-Xent as SimCLR's code computes it (objective.py, `add_contrastive_loss`): rows `0..n` and
/// `n..2n` of `hidden [2n, d]` are two views of the same images. Rows are normalised, each is
/// classified among the other `2n − 1` by similarity over `temperature`, and the mean cross-entropies
/// of both views are summed.
pub fn nt_xent(g: &mut Graph, hidden: Value, temperature: f32) -> Value {
    let [rows, _] = g.dims::<2>(hidden);
    let h = g.l2_normalize(hidden, 1e-12);
    let columns = g.transpose(h);
    let similarity = g.matmul(h, columns);
    let logits = g.scale(similarity, 1.0 / temperature);
    let shape = [rows, rows];
    let (i, j) = (g.coord(&shape, 0), g.coord(&shape, 1));
    let itself = g.eq(i, j);
    let excluded = g.scale(itself, -1e9);
    let logits = g.add(logits, excluded);
    let apart = g.sub(i, j);
    let apart = g.abs(apart);
    let half = g.scalar((rows / 2) as f32);
    let other_view = g.eq(apart, half);
    let log = g.log_softmax(logits);
    let chosen = g.mul(log, other_view);
    let total = g.sum(chosen, &[0, 1]);
    g.scale(total, -2.0 / rows as f32)
}

/// Mean of `1 − (2·common + s)/(denominator + s)`.
fn one_minus_dice(g: &mut Graph, common: Value, denominator: Value) -> Value {
    let twice = g.scale(common, 2.0);
    let numerator = g.offset(twice, SMOOTH);
    let denominator = g.offset(denominator, SMOOTH);
    let dice = g.div(numerator, denominator);
    let mean = g.mean(dice, &[0]);
    let negative = g.neg(mean);
    g.offset(negative, 1.0)
}

/// `[rows, classes]` with 1 where the class is the row's label, from u32 labels `[rows]`.
fn one_hot(g: &mut Graph, labels: Value, classes: usize) -> Value {
    let [rows] = g.dims::<1>(labels);
    let column = g.reshape(labels, &[rows, 1]);
    let class = g.coord(&[rows, classes], 1);
    g.eq(class, column)
}

/// Test cases.
pub(crate) const CASES: &[Case] = &[
    Case {
        name: "cross-entropy",
        build: |g| {
            let (x, labels) = logits(g);
            vec![cross_entropy(g, x, labels)]
        },
    },
    Case {
        name: "dice loss",
        build: |g| {
            let (x, labels) = logits(g);
            vec![dice_loss(g, x, labels)]
        },
    },
    Case {
        name: "soft dice and mean squared error",
        build: |g| {
            let (a, b) = (positive(g, "a", &[2, 3, 5]), positive(g, "b", &[2, 3, 5]));
            vec![soft_dice(g, a, b), mse(g, a, b)]
        },
    },
    Case {
        name: "nt-xent",
        build: |g| {
            let x = operand(g, "x", &[6, 5]);
            vec![nt_xent(g, x, 0.5)]
        },
    },
];

fn logits(g: &mut Graph) -> (Value, Value) {
    let labels = Tensor::u32(&[7], vec![0, 3, 1, 1, 0, 3, 1]);
    (operand(g, "x", &[7, 4]), g.constant("labels", labels))
}
