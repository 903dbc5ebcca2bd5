//! `hedgerow key rotate`: another key for the credentials in the database, also while servers run. Each step leaves
//! something whole behind: ended in the middle, the command goes on where it was.

use super::deed::Deed;
use crate::console::key_file;
use crate::settings::Settings;
use crate::{cli, data_dir, database, output, server};
use anyhow::{Context as _, bail};
use auth::{MasterKey, Place, Sealer};
use jiff::Timestamp;
use std::path::{Path, PathBuf};
use store::fabrics::{FabricFilter, SecretKind};
use store::{Fabric, Page, Scope, Store};

/// Fabrics that are read at once.
const AT_ONCE: u32 = 200;

/// How often it is looked for secrets that somebody entered meanwhile.
const ROUNDS: u32 = 10;

/// Runs one of the commands.
pub(crate) fn run(command: &cli::Key) -> anyhow::Result<()> {
    let cli::Key::Rotate(arguments) = command;
    let settings = super::settings(&arguments.source)?;
    server::block_on(rotate(&settings, arguments.begin))
}

async fn rotate(settings: &Settings, only_begin: bool) -> anyhow::Result<()> {
    // A mistyped folder is none that a key could be in.
    if !key_file(settings, &settings.data).exists() {
        bail!(
            "there is no key at {}; is {} the console's data folder?",
            key_file(settings, &settings.data).display(),
            settings.data.display()
        );
    }
    let folder = data_dir::open(&settings.data)?;
    let store = database::open_in(settings, &folder).await?;
    let file = key_file(settings, &folder);
    let deed = Deed { action: "key_rotate", command: "hedgerow key rotate", subject: "" };
    let done = deed.record(&store, async || exchange(&store, &file, only_begin).await).await;
    store.close().await;
    done
}

async fn exchange(store: &Store, file: &Path, only_begin: bool) -> anyhow::Result<()> {
    let key = MasterKey::begin_exchange(store, file).await.context("cannot begin to exchange the key")?;
    output::text(&format!("{} holds a new key, and the one before until nothing needs it\n", file.display()))?;
    if only_begin {
        output::text("copy it to every other server of this database, then run `hedgerow key rotate` again\n")?;
        return Ok(());
    }
    let sealer = Sealer::new(&key);
    let mut sealed = 0;
    for round in 1.. {
        let (done, failed) = all_fabrics(store, &sealer).await?;
        sealed += done;
        if !failed.is_empty() {
            bail!(
                "{} sealed anew; these cannot be opened with either key, so both stay in {}: {}. Enter them again in the \
                 fabric's settings, then run the command again",
                count(sealed),
                file.display(),
                failed.join(", ")
            );
        }
        // What a server sealed with the old key before it saw the new one is found in the next round.
        if done == 0 {
            break;
        }
        if round == ROUNDS {
            bail!("servers go on to seal with the old key; restart them, then run the command again");
        }
    }
    let forgotten = store.kept_forms().clear().await.context("cannot forget the kept forms")?;
    let kept = beside(file);
    key.end_exchange(store, file, &kept).await.context("cannot end the exchange of the key")?;
    let mut words = format!("{} sealed with the new key\n", count(sealed));
    if forgotten > 0 {
        let forms = if forgotten == 1 { "1 form that was".to_owned() } else { format!("{forgotten} forms that were") };
        words.push_str(&format!("forgot {forms} sent after a session had ended\n"));
    }
    words.push_str(&format!(
        "the key before is in {}: keep it with the backups from before, which it opens, and delete it with them\n",
        kept.display()
    ));
    Ok(output::text(&words)?)
}

fn count(sealed: u64) -> String {
    if sealed == 1 { "1 credential is".to_owned() } else { format!("{sealed} credentials are") }
}

/// A file beside, named by the day.
fn beside(file: &Path) -> PathBuf {
    let name = file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    file.with_file_name(format!("{name}.until-{}", Timestamp::now().strftime("%Y%m%dT%H%M%SZ")))
}

/// Seals what is sealed with a key before; how many, and which cannot be opened.
async fn all_fabrics(store: &Store, sealer: &Sealer) -> anyhow::Result<(u64, Vec<String>)> {
    let (mut done, mut failed) = (0, Vec::new());
    for page in 0.. {
        let rows = Page::new(AT_ONCE, u64::from(AT_ONCE) * page);
        let listed = store.fabrics().list(&Scope::System, &FabricFilter::default(), rows).await;
        let listed = listed.context("cannot list the fabrics")?;
        for fabric in &listed.rows {
            done += one(store, sealer, fabric, &mut failed).await?;
        }
        if listed.rows.len() < AT_ONCE as usize {
            break;
        }
    }
    Ok((done, failed))
}

async fn one(store: &Store, sealer: &Sealer, fabric: &Fabric, failed: &mut Vec<String>) -> anyhow::Result<u64> {
    let secrets = store.fabrics().secrets(fabric.id).await;
    let secrets = secrets.with_context(|| format!("cannot read the credentials of fabric {}", fabric.name))?;
    let mut done = 0;
    for kind in SecretKind::ALL {
        let Some(old) = secrets.of(kind) else { continue };
        let place = kind.place(fabric);
        match sealer.reseal(Place::fabric(place, fabric.id), old) {
            Ok(None) => {}
            Ok(Some(new)) => {
                let stored = store.fabrics().reseal(fabric.id, kind, old, &new).await;
                stored.with_context(|| format!("cannot store the {place} of fabric {}", fabric.name))?;
                done += 1;
            }
            Err(error) => failed.push(format!("{place} of fabric {} ({error})", fabric.name)),
        }
    }
    Ok(done)
}
