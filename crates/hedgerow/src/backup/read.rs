//! Reading a backup: what is in it, and a data folder made of it. Everything is unpacked and checked in a folder beside
//! its place before anything is put there; whatever goes wrong, the place is as it was.

use super::{DATABASE, FORMAT, LARGEST_MANIFEST, MANIFEST, Manifest, SEAL, copy_hashed, hex};
use crate::Misuse;
use anyhow::{Context as _, bail, ensure};
use jiff::Timestamp;
use model::policy::Suspension;
use sha2::{Digest as _, Sha256};
use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, BufReader, Read as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Component, Path};
use store::fabrics::FabricFilter;
use store::{Page, Scope, Store};
use tar::{Archive, Entries};
use tempfile::TempDir;

type Reader = BufReader<File>;

/// What came of a restore.
pub(crate) struct Restored {
    /// What was in the backup.
    pub(crate) manifest: Manifest,
    /// Operations that are interrupted now.
    pub(crate) operations: u64,
    /// Sessions that are ended now.
    pub(crate) sessions: u64,
    /// API tokens that are revoked now.
    pub(crate) api_tokens: u64,
    /// Names of the fabrics whose automatic syncs are suspended now.
    pub(crate) suspended: Vec<String>,
}

/// What is in a backup, after every file in it was checked.
pub(crate) fn list(file: &Path) -> anyhow::Result<Manifest> {
    let mut archive = open(file)?;
    let mut entries = archive.entries().context("it is no backup of Hedgerow")?;
    let manifest = manifest(&mut entries)?;
    unpack(&manifest, &mut entries, None)?;
    Ok(manifest)
}

/// Makes the data folder `data` of a backup. It must be empty, or not be there.
pub(crate) async fn restore(file: &Path, data: &Path) -> anyhow::Result<Restored> {
    let mut archive = open(file)?;
    let made = claim(data)?;
    let result = restore_into(&mut archive, data).await;
    if result.is_err() && made {
        // It is empty again; if it cannot be removed it says no less.
        let _ = fs::remove_dir(data);
    }
    result
}

fn open(file: &Path) -> anyhow::Result<Archive<Reader>> {
    let opened = File::open(file).with_context(|| format!("cannot open {}", file.display()))?;
    Ok(Archive::new(BufReader::new(opened)))
}

/// Makes the folder unless it is there and empty; `true` when it was made.
fn claim(data: &Path) -> anyhow::Result<bool> {
    match fs::read_dir(data) {
        Ok(mut entries) => match entries.next() {
            None => Ok(false),
            Some(_) => {
                let text = format!("{} is not empty; name a new folder with --data", data.display());
                Err(Misuse(text).into())
            }
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let mut builder = DirBuilder::new();
            builder
                .recursive(true)
                .mode(0o700)
                .create(data)
                .with_context(|| format!("cannot make {}", data.display()))?;
            Ok(true)
        }
        Err(error) => Err(error).with_context(|| format!("cannot use {} as a data folder", data.display())),
    }
}

async fn restore_into(archive: &mut Archive<Reader>, data: &Path) -> anyhow::Result<Restored> {
    let staged = tempfile::Builder::new()
        .prefix(".restore-")
        .permissions(Permissions::from_mode(0o700))
        .tempdir_in(data)
        .with_context(|| format!("cannot write into {}", data.display()))?;
    let manifest = {
        let mut entries = archive.entries().context("it is no backup of Hedgerow")?;
        let manifest = manifest(&mut entries)?;
        unpack(&manifest, &mut entries, Some(staged.path()))?;
        manifest
    };
    let restored = settle(manifest, staged.path()).await?;
    put_in_place(staged, data).with_context(|| format!("cannot put the files into {}", data.display()))?;
    Ok(restored)
}

/// The manifest, checked against its own hash.
fn manifest(entries: &mut Entries<'_, Reader>) -> anyhow::Result<Manifest> {
    let foreign = "it is no backup of Hedgerow, or its beginning is damaged";
    let mut texts = Vec::new();
    for name in [MANIFEST, SEAL] {
        let entry = entries.next().context(foreign)?.context(foreign)?;
        ensure!(entry.path().is_ok_and(|path| path == Path::new(name)) && entry.size() <= LARGEST_MANIFEST, foreign);
        let mut text = Vec::new();
        entry.take(LARGEST_MANIFEST).read_to_end(&mut text).context(foreign)?;
        texts.push(text);
    }
    let damaged = "the manifest is damaged: its checksum does not match";
    ensure!(texts[1] == hex(&Sha256::digest(&texts[0])).as_bytes(), damaged);
    // The form first: of another one the rest may read otherwise.
    let value: serde_json::Value = serde_json::from_slice(&texts[0]).context("the manifest cannot be read")?;
    let format = value["format"].as_u64();
    if format != Some(u64::from(FORMAT)) {
        let found = format.map_or_else(|| "unknown".to_owned(), |format| format.to_string());
        bail!("the backup has format {found}, this release reads format {FORMAT}; use the release that wrote it");
    }
    serde_json::from_value(value).context("the manifest cannot be read")
}

/// Reads every file against the manifest, and writes it below a folder if there is one.
fn unpack(manifest: &Manifest, entries: &mut Entries<'_, Reader>, to: Option<&Path>) -> anyhow::Result<()> {
    let total = manifest.files.len();
    for (done, expected) in manifest.files.iter().enumerate() {
        let path = Path::new(&expected.path);
        let plain = path.components().all(|part| matches!(part, Component::Normal(_)));
        ensure!(plain && !expected.path.is_empty(), "the manifest names a file outside of the data folder");
        let cut = || format!("the backup is cut off: {done} of {total} files are there, {} is missing", expected.path);
        let entry = entries.next().with_context(cut)?.with_context(cut)?;
        let is_it = entry.header().entry_type().is_file() && entry.path().is_ok_and(|found| found == path);
        ensure!(is_it, "the backup is damaged: where {} should be, something else is", expected.path);
        let (size, sha256) = match to {
            None => copy_hashed(entry, io::sink()).with_context(cut)?,
            Some(to) => {
                let target = to.join(path);
                if let Some(folder) = target.parent() {
                    let mut builder = DirBuilder::new();
                    builder.recursive(true).mode(0o700).create(folder).context("cannot make a folder")?;
                }
                let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&target)?;
                let copied = copy_hashed(entry, &mut file).with_context(cut)?;
                file.sync_all().with_context(|| format!("cannot write {}", expected.path))?;
                copied
            }
        };
        ensure!(size >= expected.size, cut());
        ensure!(
            size == expected.size && sha256 == expected.sha256,
            "the backup is damaged: the checksum of {} does not match",
            expected.path
        );
    }
    ensure!(manifest.files.iter().any(|file| file.path == DATABASE), "the backup holds no database");
    ensure!(entries.next().is_none(), "the backup holds more than its manifest says");
    Ok(())
}

/// Brings the unpacked database to this release's schema and puts right what time has passed over.
async fn settle(manifest: Manifest, folder: &Path) -> anyhow::Result<Restored> {
    let file = folder.join(DATABASE);
    let store = Store::open_unmigrated(file.to_str().context("the path of the data folder is not UTF-8")?).await;
    let store = store.context("cannot open the restored database")?;
    let settled = settle_in(&store, &manifest).await;
    store.close().await;
    let (settled, suspended) = settled?;
    let store::backup::Settled { operations, sessions, api_tokens } = settled;
    Ok(Restored { manifest, operations, sessions, api_tokens, suspended })
}

async fn settle_in(store: &Store, manifest: &Manifest) -> anyhow::Result<(store::backup::Settled, Vec<String>)> {
    store.migrate().await.context("cannot bring the restored database up to date")?;
    let now = Timestamp::now();
    let settled = store.settle_restored(now).await.context("cannot put the restored database right")?;
    let made = manifest.created_at.strftime("%Y-%m-%d %H:%M UTC");
    let reason = format!("Restored from the backup of {made}: what Git holds here may be older than the cluster.");
    Ok((settled, suspend(store, &reason, now).await?))
}

/// Suspends automatic syncs wherever there are some, and gives the names of these fabrics.
pub(crate) async fn suspend(store: &Store, reason: &str, now: Timestamp) -> anyhow::Result<Vec<String>> {
    let all = store.fabrics().list(&Scope::System, &FabricFilter::default(), Page::all()).await;
    let mut suspended = Vec::new();
    for fabric in all.context("cannot read the fabrics")?.rows {
        let is_automatic = fabric.policy.sync_interval_seconds.is_some() || fabric.policy.self_heal;
        if is_automatic && fabric.suspension.is_none() {
            let suspension = Suspension { at: now, by: "restore".to_owned(), reason: reason.to_owned() };
            let set = store.fabrics().set_suspension(&Scope::System, fabric.id, Some(&suspension)).await;
            set.with_context(|| format!("cannot suspend the automatic syncs of {}", fabric.name))?;
            suspended.push(fabric.name);
        }
    }
    Ok(suspended)
}

/// Moves what was unpacked to its place; the database comes last, so that without it there is no console.
fn put_in_place(staged: TempDir, data: &Path) -> io::Result<()> {
    let mut names: Vec<_> =
        fs::read_dir(staged.path())?.map(|entry| Ok(entry?.file_name())).collect::<io::Result<_>>()?;
    names.sort_by_key(|name| name == DATABASE);
    let mut moved = Vec::new();
    for name in &names {
        if let Err(error) = fs::rename(staged.path().join(name), data.join(name)) {
            for name in moved {
                let back: &std::ffi::OsString = name;
                // Into the folder that goes; what cannot be moved there stays to be seen.
                let _ = fs::rename(data.join(back), staged.path().join(back));
            }
            return Err(error);
        }
        moved.push(name);
    }
    File::open(data)?.sync_all()?;
    staged.close()
}
