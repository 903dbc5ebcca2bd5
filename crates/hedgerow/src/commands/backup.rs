//! `hedgerow backup`: everything that a console keeps, in one file, while it runs; and what is in such a file.

use crate::backup::{self, Manifest};
use crate::settings::Settings;
use crate::{Misuse, cli, output, server};

/// Writes a backup, or lists one.
pub(crate) fn run(arguments: &cli::Backup) -> anyhow::Result<()> {
    let file = &arguments.file;
    if arguments.list {
        if arguments.with_key {
            return Err(Misuse("--list shows what is there; --with-key has no meaning with it".to_owned()).into());
        }
        let manifest = backup::list(file).map_err(|error| error.context(format!("cannot read {}", file.display())))?;
        return if arguments.json { Ok(output::json(&manifest)?) } else { Ok(output::text(&contents(&manifest))?) };
    }
    let settings: Settings = super::settings(&arguments.source)?;
    let manifest = server::block_on(backup::write(&settings, file, arguments.with_key))?;
    if arguments.json {
        return Ok(output::json(&manifest)?);
    }
    let key = match manifest.with_key {
        true => "It holds the key that opens the stored credentials: keep it as safe as the credentials themselves.",
        false => {
            "It does not hold the key that opens the stored credentials (secret.key): keep that apart. Without it they \
             must be entered again."
        }
    };
    Ok(output::text(&format!("{}\n{key}\n", summary(&manifest, &file.display().to_string())))?)
}

fn summary(manifest: &Manifest, file: &str) -> String {
    let bytes: u64 = manifest.files.iter().map(|file| file.size).sum();
    let repositories = manifest.fabrics.iter().filter(|fabric| fabric.repository).count();
    format!(
        "backed up to {file}: the database, fabrics ({}), their repositories ({repositories}), {bytes} bytes",
        manifest.fabrics.len()
    )
}

fn contents(manifest: &Manifest) -> String {
    let mut text = format!(
        "made      {}\nby        hedgerow {}\nschema    {}\nkey       {}\n\n",
        manifest.created_at.strftime("%Y-%m-%d %H:%M:%S UTC"),
        manifest.version,
        manifest.schema,
        if manifest.with_key { "in it" } else { "not in it" },
    );
    let yes = |is: bool| if is { "yes" } else { "no" }.to_owned();
    let fabrics: Vec<Vec<String>> = manifest
        .fabrics
        .iter()
        .map(|fabric| vec![fabric.id.to_string(), fabric.name.clone(), yes(fabric.repository)])
        .collect();
    text.push_str(&output::table(&["FABRIC", "NAME", "REPOSITORY"], &fabrics));
    text.push('\n');
    let files: Vec<Vec<String>> =
        manifest.files.iter().map(|file| vec![file.size.to_string(), file.path.clone()]).collect();
    text.push_str(&output::table(&["BYTES", "FILE"], &files));
    text.push_str("\nEvery file is there and its checksum matches.\n");
    text
}
