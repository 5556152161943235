//! `runner phantom`.

use crate::cli::PhantomArgs;
use crate::error::{Error, Result};
use crate::journal::{Progress, print_result};
use crate::outputs::prepare_folder;
use crate::phantom::{Options, generate_counting};

/// Writes phantom volumes with labels, and prints the image files.
///
/// # Errors
/// A shape out of range, or a folder that is not empty or cannot be written.
pub fn phantom(args: &PhantomArgs) -> Result<()> {
    let shape = <[usize; 3]>::try_from(args.shape.as_slice()).map_err(|_| {
        Error::Usage("--shape takes three numbers, such as --shape 112,88,32".into())
    })?;
    let options = Options {
        layout: args.layout,
        cases: args.cases,
        seed: args.seed,
        shape,
    };
    prepare_folder(&args.out, false)?;
    let progress = Progress::through("phantom", args.cases, 0, "cases");
    let paths = generate_counting(&options, &args.out, || progress.step(None))?;
    progress.finish();
    for path in paths {
        print_result(format_args!("{}\n", path.display()));
    }
    Ok(())
}
