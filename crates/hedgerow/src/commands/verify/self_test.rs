//! `hedgerow verify --self-test`: this program starts itself as lab and as console, and proves that verify finds what is
//! planted. What is planted and how it is judged is the crate `verify`; here it gets the program and the lab's manifests.

use super::{drivers, folder, misuse, signing_key};
use crate::client::complain;
use crate::{cli, output, server};
use anyhow::Context as _;
use std::process::ExitCode;
use verify::evidence;
use verify::selftest::faults::{self, Fault};
use verify::selftest::{Ingredients, Planted, SelfTest};
use verify::site::DriverKind;

/// Runs it to its end.
pub(super) fn run(arguments: &cli::Verify) -> anyhow::Result<ExitCode> {
    let faults = chosen(&arguments.fault)?;
    let [driver] = drivers(arguments)[..] else {
        return Err(misuse("--self-test walks with one driver"));
    };
    let key = signing_key(arguments)?;
    if key.is_some() && arguments.output.is_none() {
        return Err(misuse("--sign signs the evidence, and without --output there is none"));
    }
    let folder = arguments.output.as_deref().map(folder).transpose()?;
    let files = lab::demo::west().files.iter();
    let ingredients = Ingredients {
        program: std::env::current_exe().context("cannot find this program")?,
        files: files.map(|file| (file.path.to_owned(), file.text.to_owned())).collect(),
        profile: verify::profile::load("hedgerow").context("cannot read the profile of this product")?,
        driver,
        // Who asks for no driver wants everything tried that can be.
        browser: match driver {
            DriverKind::Http => arguments.driver.is_empty().then_some(DriverKind::Chromium),
            browser => Some(browser),
        },
        folder: folder.clone(),
    };
    let Some(result) = server::block_on(walk(ingredients, faults, arguments.fault.is_empty()))? else {
        complain("The self-test was ended from outside before it was over.\n");
        return Ok(ExitCode::from(130));
    };
    if let Some(folder) = &folder {
        evidence::write_self_test(&result, folder, key.as_ref()).context("cannot write the evidence down")?;
    }
    if arguments.json {
        output::json(&result)?;
    } else {
        output::text(&result.to_text())?;
    }
    Ok(ExitCode::from(result.exit_code))
}

/// The faults that were named; all, where none was.
fn chosen(names: &[String]) -> anyhow::Result<Vec<Fault>> {
    let all = faults::all();
    if let Some(unknown) = names.iter().find(|name| !all.iter().any(|fault| fault.name == **name)) {
        let known: Vec<&str> = all.iter().map(|fault| fault.name).collect();
        return Err(misuse(format!("there is no fault {unknown}; there are {}", known.join(", "))));
    }
    Ok(all.into_iter().filter(|fault| names.is_empty() || names.iter().any(|name| name == fault.name)).collect())
}

/// `None` when it was ended from outside. What was started ends with it, and its folders go.
async fn walk(ingredients: Ingredients, faults: Vec<Fault>, all_journeys: bool) -> anyhow::Result<Option<SelfTest>> {
    let stop = server::stop_on_signal()?;
    let told = |planted: &Planted| complain(&format!("{}\n", planted.line()));
    tokio::select! {
        result = verify::selftest::run(&ingredients, &faults, all_journeys, &told) => Ok(Some(result?)),
        () = stop.cancelled() => Ok(None),
    }
}
