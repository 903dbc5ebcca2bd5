//! The demo's three fabrics, stored as the form stores them: settings, and credentials sealed for their row.

use super::kept::Kept;
use super::labs::{Cluster as LabCluster, Labs};
use crate::console::Opened;
use anyhow::Context as _;
use auth::Place;
use jiff::Timestamp;
use lab::demo::DemoFile;
use secrecy::SecretString;
use source::{Author, Change, Config, Repository};
use store::fabrics::{SecretChange, SecretChanges};
use store::{Cluster, EndpointLogin, FabricSecrets, FabricSpec, NewFabric, Scope};

/// The fabric that cannot be reached.
const UNREACHABLE: &str = "north";

/// Nothing listens on port 1 of any machine that we know of, so that a connection is refused at once.
const NOBODY: &str = "https://127.0.0.1:1";

/// The commits of a demo's repository, oldest first: the files whose path begins so, author, message. What no commit
/// names belongs to the first.
const HISTORY: &[(&[&str], &str, &str)] = &[
    (&[], "Robin Network", "Describe the fabric as it was built"),
    (&["vpcs/analytics.yaml", "attachments/analytics.yaml"], "Sam Platform", "NET-412: a VPC for analytics"),
    (&["vpcs/guest.yaml", "attachments/bench.yaml"], "Kim Lab", "Guests and the lab bench"),
];

/// Ids of the demo's fabrics; of those that a user has not deleted.
pub(super) struct Fabrics {
    pub(super) east: Option<i64>,
    pub(super) west: Option<i64>,
    pub(super) north: Option<i64>,
    /// Whether this is the first start.
    pub(super) are_new: bool,
}

impl Fabrics {
    /// Puts the fabrics in at the first start; later, tells those that are there where their labs listen now.
    pub(super) async fn put(opened: &Opened, labs: &Labs, kept: &mut Kept) -> anyhow::Result<Self> {
        let are_new = kept.fabric(labs.east.fabric.name).is_none();
        Ok(Self {
            east: put_lab(opened, &labs.east, kept).await?,
            west: put_lab(opened, &labs.west, kept).await?,
            north: put_unreachable(opened, kept).await?,
            are_new,
        })
    }
}

async fn put_lab(opened: &Opened, cluster: &LabCluster, kept: &mut Kept) -> anyhow::Result<Option<i64>> {
    let name = cluster.fabric.name;
    let kubeconfig = SecretString::from(cluster.lab.kubeconfig());
    if let Some(id) = kept.fabric(name) {
        return update(opened, id, &kubeconfig).await;
    }
    let fabrics = opened.store.fabrics();
    let id = fabrics.reserve_id().await.context("cannot store a fabric")?;
    seed(opened, id, cluster.fabric.files).await.with_context(|| format!("cannot make the repository of {name}"))?;
    let spec = FabricSpec {
        name: name.to_owned(),
        description: cluster.fabric.description.to_owned(),
        cluster: Cluster::Kubeconfig,
        ..FabricSpec::default()
    };
    let sealed =
        opened.sealer.seal(Place::fabric("kubeconfig", id), &kubeconfig).context("cannot seal a kubeconfig")?;
    create(opened, id, spec, FabricSecrets { kubeconfig: Some(sealed), ..FabricSecrets::default() }).await?;
    kept.set_fabric(name, id)?;
    Ok(Some(id))
}

/// The lab listens on another port than the last time.
async fn update(opened: &Opened, id: i64, kubeconfig: &SecretString) -> anyhow::Result<Option<i64>> {
    let fabrics = opened.store.fabrics();
    let fabric = match fabrics.get(&Scope::System, id).await {
        Ok(fabric) => fabric,
        Err(store::Error::NotFound(_)) => return Ok(None),
        Err(error) => return Err(error).context("cannot read a fabric"),
    };
    if fabric.cluster != Cluster::Kubeconfig {
        // A user has given it another cluster; that is the user's now.
        return Ok(Some(id));
    }
    let sealed = opened.sealer.seal(Place::fabric("kubeconfig", id), kubeconfig).context("cannot seal a kubeconfig")?;
    let secrets = SecretChanges { kubeconfig: SecretChange::Set(sealed), ..SecretChanges::default() };
    fabrics
        .update(&Scope::System, id, fabric.version, &fabric.spec(), &secrets, Timestamp::now())
        .await
        .context("cannot store where a lab listens")?;
    Ok(Some(id))
}

async fn put_unreachable(opened: &Opened, kept: &mut Kept) -> anyhow::Result<Option<i64>> {
    let fabrics = opened.store.fabrics();
    if let Some(id) = kept.fabric(UNREACHABLE) {
        return match fabrics.get(&Scope::System, id).await {
            Ok(_) => Ok(Some(id)),
            Err(store::Error::NotFound(_)) => Ok(None),
            Err(error) => Err(error).context("cannot read a fabric"),
        };
    }
    let id = fabrics.reserve_id().await.context("cannot store a fabric")?;
    // What is desired there is what is desired in the west: a second site, built the same.
    seed(opened, id, lab::demo::west().files).await.context("cannot make the repository of north")?;
    let token = SecretString::from("nobody-has-this-token");
    let sealed = opened.sealer.seal(Place::fabric("token", id), &token).context("cannot seal a token")?;
    let spec = FabricSpec {
        name: UNREACHABLE.to_owned(),
        description: "A site whose cluster does not answer.".to_owned(),
        cluster: Cluster::Endpoint { server: NOBODY.to_owned(), ca_pem: None, login: EndpointLogin::Token },
        ..FabricSpec::default()
    };
    create(opened, id, spec, FabricSecrets { endpoint: Some(sealed), ..FabricSecrets::default() }).await?;
    kept.set_fabric(UNREACHABLE, id)?;
    Ok(Some(id))
}

async fn create(opened: &Opened, id: i64, spec: FabricSpec, secrets: FabricSecrets) -> anyhow::Result<()> {
    let name = spec.name.clone();
    let new = NewFabric { id, spec, secrets };
    let created = opened.store.fabrics().create(&Scope::System, new, Timestamp::now()).await;
    created.with_context(|| format!("cannot store the fabric {name}"))?;
    Ok(())
}

/// Fills the fabric's local repository, at the place where the engine will look for it.
async fn seed(opened: &Opened, id: i64, files: &[DemoFile]) -> anyhow::Result<()> {
    let folder = engine::source_dir(&opened.folder, id);
    let config = Config { remote: None, branch: FabricSpec::default().branch, path: String::new(), allow_file: false };
    let repository = Repository::open(&folder, config).await?;
    for (step, (_, name, message)) in HISTORY.iter().enumerate() {
        let changes: Vec<Change> = files
            .iter()
            .filter(|file| commit_of(file.path) == step)
            .map(|file| Change { path: file.path.to_owned(), content: Some(file.text.as_bytes().to_vec()) })
            .collect();
        let email = format!("{}@example.net", name.to_lowercase().replace(' ', "."));
        // Without changes it makes no commit.
        repository.commit(&changes, &Author { name: (*name).to_owned(), email }, message, None).await?;
    }
    Ok(())
}

fn commit_of(path: &str) -> usize {
    HISTORY.iter().position(|(paths, ..)| paths.contains(&path)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_history_names_files_that_exist() {
        let files: Vec<&str> = lab::demo::east().files.iter().map(|file| file.path).collect();
        for path in HISTORY.iter().flat_map(|(paths, ..)| paths.iter()) {
            assert!(files.contains(path), "{path} is not in the demo");
        }
        assert_eq!((commit_of("vpcs/guest.yaml"), commit_of("vpcs/web.yaml")), (2, 0));
    }
}
