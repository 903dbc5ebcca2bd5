//! Writing a backup, beside a running server. The database comes first: what Git has beyond it is only newer, and a
//! restored console compares anew anyway.

use super::{DATABASE, FORMAT, FabricEntry, FileEntry, MANIFEST, Manifest, SEAL, SOURCES, copy_hashed, hex};
use crate::console::{KEY_FILE, key_file};
use crate::settings::Settings;
use crate::{Misuse, data_dir, database};
use anyhow::{Context as _, bail};
use jiff::Timestamp;
use sha2::{Digest as _, Sha256};
use std::fs::{self, File, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;
use store::fabrics::FabricFilter;
use store::{Engine, Page, Scope, Store};
use tar::{Builder, EntryType, Header};

/// How long a fetch may hold a repository before the backup gives up.
const PATIENCE: Duration = Duration::from_secs(120);

/// Writes a backup of these settings' console into a new file.
pub(crate) async fn write(settings: &Settings, file: &Path, with_key: bool) -> anyhow::Result<Manifest> {
    if file.exists() {
        return Err(Misuse(format!("{} exists already; name a new file", file.display())).into());
    }
    let (folder, store) = open(settings).await?;
    let parent = file.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let staged = tempfile::Builder::new()
        .prefix(".hedgerow-backup-")
        .permissions(Permissions::from_mode(0o700))
        .tempdir_in(parent)
        .with_context(|| format!("cannot write beside {}", file.display()))?;
    let content = staged.path().join("content");
    fs::create_dir(&content).context("cannot make the backup's folder")?;
    let gathered = gather(settings, &folder, &store, &content, with_key).await;
    store.close().await;
    let manifest = gathered?;
    let archive = staged.path().join("archive");
    pack(&manifest, &content, &archive).context("cannot write the archive")?;
    // Linked, not renamed: a file that came there meanwhile is not replaced. Not every file system has links.
    let placed = match fs::hard_link(&archive, file) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists && !file.exists() => fs::rename(&archive, file),
        other => other,
    };
    placed.with_context(|| format!("cannot write {}", file.display()))?;
    File::open(parent).and_then(|folder| folder.sync_all()).context("cannot make sure that the backup is kept")?;
    Ok(manifest)
}

/// The data folder and its database; neither is made.
async fn open(settings: &Settings) -> anyhow::Result<(PathBuf, Store)> {
    let data = &settings.data;
    if settings.database_url.is_none() && !data.join(database::FILE).is_file() {
        bail!("{} holds no console: there is no {} in it; name its data folder with --data", data.display(), DATABASE);
    }
    let folder = data_dir::open(data)?;
    let store = database::open_as_it_is(settings, &folder).await?;
    if store.engine() == Engine::Postgres {
        store.close().await;
        let text = format!(
            "the database is PostgreSQL, whose own tools make its backups: run pg_dump on 'database.url', and keep \
             beside it the folder {SOURCES} of {} (the desired state of fabrics without a remote repository) and, apart \
             from both, the key {}. A console on a database that was restored of a dump notices that when it starts, and \
             suspends automatic syncs; of a copy of the server's own files it cannot know (see deploy/README.md)",
            folder.display(),
            key_file(settings, &folder).display()
        );
        return Err(Misuse(text).into());
    }
    Ok((folder, store))
}

async fn gather(
    settings: &Settings,
    folder: &Path,
    store: &Store,
    content: &Path,
    with_key: bool,
) -> anyhow::Result<Manifest> {
    let created_at = Timestamp::now();
    let copy = content.join(DATABASE);
    store.copy_into(&copy).await.context("cannot copy the database")?;
    // The fabrics of that very moment: one that comes or goes while this runs is wholly in it or not at all.
    let copied = Store::open_unmigrated(copy.to_str().context("the path of the backup is not UTF-8")?).await;
    let copied = copied.context("cannot open the copy of the database")?;
    let described = describe(&copied).await;
    copied.close().await;
    let (schema, fabrics) = described?;
    let mut entries = Vec::new();
    for (id, name) in fabrics {
        let to = content.join(SOURCES).join(engine::source_dir(Path::new(""), id).file_name().unwrap_or_default());
        let repository = source::copy_repository(&engine::source_dir(folder, id), &to, PATIENCE)
            .await
            .with_context(|| format!("cannot copy the repository of the fabric {name}"))?;
        entries.push(FabricEntry { id, name, repository });
    }
    if with_key {
        let key = key_file(settings, folder);
        fs::copy(&key, content.join(KEY_FILE)).with_context(|| format!("cannot copy the key {}", key.display()))?;
    }
    let files = hash_all(content).context("cannot read what was copied")?;
    let version = env!("CARGO_PKG_VERSION").to_owned();
    Ok(Manifest { format: FORMAT, version, schema, created_at, with_key, fabrics: entries, files })
}

async fn describe(store: &Store) -> anyhow::Result<(i64, Vec<(i64, String)>)> {
    let (schema, known) = store.schema_version().await.context("cannot read the version of the schema")?;
    if schema != known {
        bail!("the database has schema version {schema}, this release has {known}; use the release that serves it");
    }
    let all = store.fabrics().list(&Scope::System, &FabricFilter::default(), Page::all()).await;
    let fabrics = all.context("cannot read the fabrics")?.rows;
    Ok((schema, fabrics.into_iter().map(|fabric| (fabric.id, fabric.name)).collect()))
}

/// Every file below a folder, in the order of their paths.
fn hash_all(content: &Path) -> io::Result<Vec<FileEntry>> {
    let mut found = Vec::new();
    let mut folders = vec![content.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let (size, sha256) = copy_hashed(File::open(&path)?, io::sink())?;
            let inside = path.strip_prefix(content).map_err(io::Error::other)?;
            let path = inside.to_str().ok_or_else(|| io::Error::other("a file's name is not UTF-8"))?.to_owned();
            found.push(FileEntry { path, size, sha256 });
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(found)
}

fn pack(manifest: &Manifest, content: &Path, archive: &Path) -> io::Result<()> {
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(archive)?;
    let mut tar = Builder::new(io::BufWriter::new(file));
    let seconds = u64::try_from(manifest.created_at.as_second()).unwrap_or(0);
    let mut add = |path: &str, size: u64, data: &mut dyn io::Read| {
        let mut header = Header::new_gnu();
        header.set_entry_type(EntryType::Regular);
        header.set_size(size);
        header.set_mode(0o600);
        header.set_mtime(seconds);
        tar.append_data(&mut header, path, data)
    };
    let text = serde_json::to_vec_pretty(manifest).map_err(io::Error::other)?;
    let seal = hex(&Sha256::digest(&text));
    add(MANIFEST, text.len() as u64, &mut text.as_slice())?;
    add(SEAL, seal.len() as u64, &mut seal.as_bytes())?;
    for entry in &manifest.files {
        add(&entry.path, entry.size, &mut File::open(content.join(&entry.path))?)?;
    }
    let file = tar.into_inner()?.into_inner().map_err(io::IntoInnerError::into_error)?;
    file.sync_all()
}
