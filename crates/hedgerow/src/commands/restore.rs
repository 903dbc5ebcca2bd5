//! `hedgerow restore`: an empty data folder becomes what a backup holds.

use crate::console::KEY_FILE;
use crate::{backup, cli, output, server};

/// Restores and says what has to be known before the console is started.
pub(crate) fn run(arguments: &cli::Restore) -> anyhow::Result<()> {
    let (file, data) = (&arguments.file, &arguments.data);
    let restored = server::block_on(backup::restore(file, data))
        .map_err(|error| error.context(format!("cannot restore {}", file.display())))?;
    let folder = data.display();
    let mut text = format!(
        "restored the backup of {} into {folder}; fabrics: {}\n\n\
         - Operations that were under way then and are interrupted now: {}. Sessions that are ended: {}. \
         API tokens that are revoked: {}.\n",
        restored.manifest.created_at.strftime("%Y-%m-%d %H:%M:%S UTC"),
        restored.manifest.fabrics.len(),
        restored.operations,
        restored.sessions,
        restored.api_tokens,
    );
    if !restored.suspended.is_empty() {
        text.push_str(&format!(
            "- Automatic syncs are suspended until somebody has looked: {}.\n",
            restored.suspended.join(", ")
        ));
    }
    text.push_str(&match restored.manifest.with_key {
        true => format!("- The key of the credentials is {folder}/{KEY_FILE}.\n"),
        false => format!(
            "- The key of the credentials was not in it: copy {KEY_FILE} into {folder} (mode 0600) before the start.\n"
        ),
    });
    text.push_str(&format!("\nStart it with: hedgerow serve --data {folder}\n"));
    Ok(output::text(&text)?)
}
