//! `runner convert`: weight files from one format into another.

use std::path::Path;
use std::slice::from_ref;

use samora_engine::weights::{
    Decoder, Import, Item, Weights, hsam, samed_lora, samora, samora_payload, write_torch,
};

use super::expect_ending;
use crate::cli::{ConvertArgs, Target};
use crate::error::{Error, Result};
use crate::outputs;

/// Reads all files but the last and writes them into the last, whose extension says the format. With a
/// target, tensors get the names that its users know.
///
/// # Errors
/// A file that cannot be read or written, an output that is read or exists, tensors that two files give, an unknown extension, or weights
/// the target has no place for.
pub fn convert(args: &ConvertArgs) -> Result<()> {
    let Some((output, inputs)) = args.files.split_last() else {
        return Err(Error::Usage(
            "give the files to read and the one to write".into(),
        ));
    };
    let extension = output.extension().unwrap_or_default().to_string_lossy();
    let extension = extension.to_ascii_lowercase();
    expect_ending(output, &[".safetensors", ".pth", ".pt"])?;
    outputs::prepare(inputs, from_ref(output), args.overwrite)?;
    let mut weights = Weights::default();
    for input in inputs {
        merge(&mut weights, read(input, args.to)?, input)?;
    }
    let weights = match args.to {
        None => weights,
        Some(Target::SamedLora) => samed_lora(&weights)?,
        Some(Target::Hsam) => match args.size {
            Some(size) => hsam(&weights, size)?,
            None => {
                let message =
                    "H-SAM's files differ by the size of the images: give --size 224 or 512";
                return Err(Error::Usage(message.into()));
            }
        },
        Some(Target::Samora) => samora(&weights)?,
    };
    match (extension.as_str(), args.to) {
        ("safetensors", _) => weights.write(output)?,
        (_, Some(Target::Samora)) => write_torch(output, &samora_payload(&weights))?,
        _ => write_torch(output, &Item::Tensors(&weights.tensors))?,
    }
    eprintln!("{}: {} tensors", output.display(), weights.tensors.len());
    Ok(())
}

/// The tensors under the file's names, or for a target under the engine's.
fn read(path: &Path, target: Option<Target>) -> Result<Weights> {
    Ok(match target {
        None => Weights::read(path)?,
        Some(_) => Import::read(path, Decoder::Prompted)?.weights,
    })
}

fn merge(weights: &mut Weights, read: Weights, path: &Path) -> Result<()> {
    for (name, tensor) in read.tensors {
        if weights.tensors.contains_key(&name) {
            let path = path.display();
            return Err(Error::Usage(format!(
                "{path}: {name} is in an earlier file as well; leave one of them out"
            )));
        }
        weights.tensors.insert(name, tensor);
    }
    weights.metadata.extend(read.metadata);
    Ok(())
}
