//! The workloads that engines are compared by.

use std::path::Path;

use samora_engine::{Device, Precision};

use super::growth::grown;
use super::vit_b_lora::{self, Sizes};
use super::{Case, Ceiling, Measured, measure, predict};
use crate::error::{Error, Result};
use crate::pipeline::{Override, Pipeline, Stage, load_without_data};

/// The pipeline whose stages most workloads are, with some fields replaced.
const PIPELINE: &str = "pipelines/synapse_fewshot.ron";
/// What replaces fields for a [`Size::Small`] workload: the encoders' and the teachers' widths stay, their
/// depths do not.
const SMALL: &[&str] = &["encoder.depth=2", "encoder.global_blocks=[1]"];
const SMALL_SAM2: &[&str] = &["encoder.depths=(1, 1, 2, 1)", "encoder.global_blocks=[3]"];
const SMALL_TEACHERS: &[&str] = &[
    "stages.simclr.objective.network.blocks=[1, 1, 1, 1]",
    "stages.mae.objective.network.depth=2",
];
const SAMED: &[&str] = &["adapter=Lora"];
const HSAM: &[&str] = &["adapter=Lora", "decoder=HSam"];
const HSAMORA: &[&str] = &["decoder=HSam"];
const SAM2_BASE_PLUS: &[&str] = &[r#"encoder=include("fragments/sam2_base_plus.ron")"#];
const SAM2_LARGE: &[&str] = &[r#"encoder=include("fragments/sam2_large.ron")"#];

/// A fixed amount of work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
#[value(rename_all = "snake_case")]
pub enum Workload {
    /// Twelve frozen blocks of ViT-B on 1024 tokens, LoRA and a head trained by mean squared error
    VitBLora,
    /// SAM ViT-B with LoRA, neck and mask decoder at 512 and 1024 pixels, as SAMed trains it
    SamVitBSamed,
    /// Stage 2 of SAMora: ViT-B with three experts and HL-Attn
    SamoraStage2,
    /// Stage 1 of SAMora: each expert at 224 pixels with teachers of full size
    SamoraStage1,
    /// H-SAM and H-SAMora: ViT-B with LoRA, or with three experts and HL-Attn, and both decoders
    Hsam,
    /// Stage 2 of SAMora on SAM 2's Hiera, base+ and large at 512 pixels
    Sam2,
    /// A volume of 512×512×128, NIfTI in, NIfTI out, with ViT-B at 512 pixels
    Predict,
    /// `vit_b_lora` with more images, tokens and blocks, and stage 2 without and with experts
    Scaling,
}

/// How large a workload is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Size {
    /// As published
    Full,
    /// Two blocks and small batches, for processors
    Small,
}

/// What a workload is made of.
enum Work {
    Network(Sizes),
    /// A stage of [`PIPELINE`] with these fields replaced.
    Stage(&'static str, Vec<String>),
    /// A volume of this shape, segmented by [`PIPELINE`] with these fields replaced.
    Volume([usize; 3], Vec<String>),
}

impl Workload {
    /// Measures its cases one after the other and appends their figures to `rows`.
    ///
    /// # Errors
    /// `pipelines/synapse_fewshot.ron` is not there, or the device fails.
    pub fn measure(
        self,
        size: Size,
        (device, ceiling): (&Device, &mut Ceiling<'_>),
        (fuse, rounds, profile): (bool, usize, bool),
        rows: &mut Vec<Measured>,
    ) -> Result<()> {
        let precision = device.precision();
        for (name, work) in self.works(size) {
            let on = (device, &mut *ceiling);
            rows.push(match work {
                Work::Network(sizes) => {
                    let case = vit_b_lora::case(name, sizes, precision)?;
                    measure(&case, on, fuse, rounds, profile)?
                }
                Work::Stage(stage, sets) => {
                    let pipeline = pipeline(Path::new(PIPELINE), precision, &sets)?;
                    let case = Case::of_stage(name, &pipeline, called(&pipeline, stage)?)?;
                    measure(&case, on, fuse, rounds, profile)?
                }
                Work::Volume(shape, sets) => {
                    let pipeline = pipeline(Path::new(PIPELINE), precision, &sets)?;
                    predict(name, &pipeline, shape, on, fuse, rounds)?
                }
            });
        }
        Ok(())
    }

    fn works(self, size: Size) -> Vec<(String, Work)> {
        let small = size == Size::Small;
        let step = |stage: &'static str, pixels: usize, batch: usize, sets: &[&str]| {
            let mut sets: Vec<String> = sets.iter().map(|set| (*set).to_string()).collect();
            sets.extend(of_size(pixels));
            sets.push("recompute=None".into());
            sets.push(format!("stages.{stage}.batch={batch}"));
            Work::Stage(stage, sets)
        };
        let stage = |stage, pixels, batch, sets: &[&str]| {
            let shrunk = if small { SMALL } else { &[] };
            let work = step(stage, pixels, batch, &[sets, shrunk].concat());
            (format!("{stage}, {pixels} px"), work)
        };
        let variant = |name: &str, pixels, batch, sets| {
            let (_, work) = stage("finetune", pixels, batch, sets);
            (format!("{name}, {pixels} px"), work)
        };
        let (blocks, tokens) = match size {
            Size::Full => (12, 1024),
            Size::Small => (2, 196),
        };
        let vit_b = |batch, blocks, tokens| {
            Work::Network(Sizes {
                blocks,
                tokens,
                dim: 768,
                heads: 12,
                batch,
            })
        };
        match (self, size) {
            (Self::VitBLora, _) => {
                let batches: &[usize] = if small { &[1] } else { &[1, 4, 12] };
                let name = format!("{blocks} blocks, {tokens} tokens");
                let case = |batch: &usize| (name.clone(), vit_b(*batch, blocks, tokens));
                batches.iter().map(case).collect()
            }
            (Self::Scaling, _) => {
                let images = [1, 2, 4].map(|n| (grown("images", n), vit_b(n, blocks, tokens)));
                let longer = [1, 2, 4].map(|n| n * tokens);
                let longer = longer.map(|n| (grown("tokens", n), vit_b(1, blocks, n)));
                let deeper = [1, 2, 4].map(|n| n * blocks / 2);
                let deeper = deeper.map(|n| (grown("blocks", n), vit_b(1, n, tokens)));
                // Every block computes the frozen signal, and one for each expert.
                let fused = [(1, SAMED), (4, &[])].map(|(n, sets)| {
                    let (_, work) = stage("finetune", 224, 1, sets);
                    (grown("signals", n), work)
                });
                let cases = [images, longer, deeper].into_iter().flatten();
                cases.chain(fused).collect()
            }
            (Self::SamVitBSamed, Size::Full) => {
                let cases = [(512, 1), (512, 4), (512, 12), (1024, 1), (1024, 4)];
                let case = |(pixels, batch)| stage("finetune", pixels, batch, SAMED);
                cases.map(case).into()
            }
            (Self::SamVitBSamed, Size::Small) => vec![stage("finetune", 224, 1, SAMED)],
            (Self::SamoraStage2, Size::Full) => [(224, 32), (512, 4)]
                .map(|(pixels, batch)| stage("finetune", pixels, batch, &[]))
                .into(),
            (Self::SamoraStage2, Size::Small) => vec![stage("finetune", 224, 1, &[])],
            (Self::SamoraStage1, _) => {
                let (batch, sets): (_, &[&str]) = match size {
                    Size::Full => (16, &[]),
                    Size::Small => (2, SMALL_TEACHERS),
                };
                ["image", "patch", "pixel"]
                    .map(|level| stage(level, 224, batch, sets))
                    .into()
            }
            (Self::Hsam, _) => {
                let sizes: &[(usize, usize)] = match size {
                    Size::Full => &[(224, 8), (512, 4)],
                    Size::Small => &[(224, 1)],
                };
                let case = |&(pixels, batch)| {
                    [("H-SAM", HSAM), ("H-SAMora", HSAMORA)]
                        .map(|(name, sets)| variant(name, pixels, batch, sets))
                };
                sizes.iter().flat_map(case).collect()
            }
            (Self::Sam2, Size::Full) => [("base+", SAM2_BASE_PLUS), ("large", SAM2_LARGE)]
                .map(|(name, sets)| variant(&format!("SAM 2 {name}"), 512, 4, sets))
                .into(),
            (Self::Sam2, Size::Small) => {
                let sets = [SAM2_BASE_PLUS, SMALL_SAM2].concat();
                vec![("SAM 2, 224 px".into(), step("finetune", 224, 1, &sets))]
            }
            (Self::Predict, Size::Full) => {
                let sets = of_size(512).into();
                vec![(
                    "512×512×128, 512 px".into(),
                    Work::Volume([512, 512, 128], sets),
                )]
            }
            (Self::Predict, Size::Small) => {
                let sets = SMALL.iter().map(|set| (*set).to_string()).collect();
                vec![(
                    "128×128×16, 224 px".into(),
                    Work::Volume([128, 128, 16], sets),
                )]
            }
        }
    }
}

/// What replaces fields for images of another size.
fn of_size(pixels: usize) -> [String; 2] {
    [
        format!("encoder.image_size_px={pixels}"),
        format!("stages.mae.objective.network.image_size_px={pixels}"),
    ]
}

fn pipeline(file: &Path, precision: Precision, sets: &[String]) -> Result<Pipeline> {
    if !file.is_file() {
        return Err(Error::Usage(format!(
            "{} is not here; run `runner bench` in the folder that holds `pipelines`",
            file.display()
        )));
    }
    let sets = sets.iter().map(|set| Override::parse(set));
    let sets = sets.collect::<Result<Vec<_>, _>>()?;
    let pipeline = load_without_data(file, &sets)?;
    Ok(Pipeline {
        precision,
        ..pipeline
    })
}

fn called<'a>(pipeline: &'a Pipeline, name: &str) -> Result<&'a Stage> {
    let missing = || Error::Usage(format!("{PIPELINE} has no stage `{name}`"));
    let mut stages = pipeline.stages.iter();
    stages.find(|s| s.name() == name).ok_or_else(missing)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use clap::ValueEnum;

    use super::*;
    use crate::stage::plan_stage;

    #[test]
    fn workloads_of_both_sizes_can_be_planned() {
        let file = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("..")
            .join(PIPELINE);
        for workload in Workload::value_variants() {
            for size in [Size::Small, Size::Full] {
                for (name, work) in workload.works(size) {
                    let (Work::Stage(_, sets) | Work::Volume(_, sets)) = &work else {
                        continue;
                    };
                    let pipeline = pipeline(&file, Precision::Exact, sets).unwrap();
                    let stage = match work {
                        Work::Stage(stage, _) => called(&pipeline, stage).unwrap(),
                        _ => called(&pipeline, "test").unwrap(),
                    };
                    if size == Size::Small {
                        let planned = plan_stage(&pipeline, stage, true).unwrap();
                        assert!(planned.plan.flops() > 10_000_000_000, "{name}");
                    }
                }
            }
        }
    }

    #[test]
    fn a_missing_pipeline_is_said() {
        let error = pipeline(Path::new("elsewhere.ron"), Precision::Exact, &[]).unwrap_err();
        assert!(error.to_string().contains("elsewhere.ron is not here"));
    }
}
