//! What is measured: an engine in this process, with a SQLite store and a local source repository of its own.

use anyhow::{Context, Result, ensure};
use engine::{Engine, Request, Settings};
use model::operation::{OperationState, Phase, Trigger, Verb};
use secrecy::SecretString;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};
use store::{Cluster, FabricSecrets, FabricSpec, NewFabric, Operation, Scope, Sealed, Source, Store};
use testkit::ControlPlane;

/// An operation takes seconds; on a busy machine it may take many.
const PATIENCE: Duration = Duration::from_secs(300);

/// A new installation with one fabric, whose source holds the objects.
pub struct Subject {
    engine: Engine,
    store: Store,
    fabric_id: i64,
    /// Reading and parsing every manifest for the first time.
    pub first_read: Duration,
    _folder: tempfile::TempDir,
}

/// An operation that succeeded, with its times.
pub struct Measured {
    /// From the request to the answer that it has ended.
    pub whole: Duration,
    /// What each phase took; those that were skipped are not in it.
    pub phases: BTreeMap<Phase, Duration>,
    operation: Operation,
}

impl Measured {
    /// From the beginning of one phase to the end of another.
    pub fn between(&self, first: Phase, last: Phase) -> Result<Duration> {
        let of = |phase| self.operation.phases.iter().find(|p| p.phase == phase);
        let from = of(first).and_then(|p| p.started_at).context("the first phase never began")?;
        let to = of(last).and_then(|p| p.ended_at).context("the last phase never ended")?;
        Ok(Duration::try_from(to.duration_since(from))?)
    }
}

impl Subject {
    /// Installs, commits the objects, and waits until the first comparison is over: from then on nothing runs by
    /// itself until a sync has ended.
    pub async fn start(plane: &ControlPlane, objects: &[Value], at_once: usize) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let database = folder.path().join("hedgerow.db");
        let store = Store::open(database.to_str().context("a temp folder that is no UTF-8")?).await?;
        let fabric_id = store.fabrics().reserve_id().await?;
        let spec = FabricSpec {
            name: "measured".into(),
            cluster: Cluster::Kubeconfig,
            source: Source::Local,
            ..FabricSpec::default()
        };
        let kubeconfig = Some(Sealed(plane.kubeconfig_admin().into_bytes()));
        let secrets = FabricSecrets { kubeconfig, ..FabricSecrets::default() };
        store
            .fabrics()
            .create(&Scope::System, NewFabric { id: fabric_id, spec, secrets }, jiff::Timestamp::now())
            .await?;

        let mut settings = settings(folder.path().into());
        settings.compare_interval = Duration::from_secs(24 * 3600);
        settings.cluster.concurrency = at_once;
        let config = source::Config { remote: None, branch: "main".into(), path: String::new(), allow_file: false };
        let place = folder.path().join("sources").join(format!("fabric-{fabric_id}.git"));
        let repository = source::Repository::open(&place, config).await?;
        let changes = objects.iter().map(|object| {
            let content = Some(serde_saphyr::to_string(object)?.into_bytes());
            anyhow::Ok(source::Change { path: crate::objects::file(object), content })
        });
        let author = source::Author { name: "Bench".into(), email: "bench@example.com".into() };
        let commit = repository.commit(&changes.collect::<Result<Vec<_>>>()?, &author, "All objects", None).await?;
        let start = Instant::now();
        let read = repository.read(&commit.id, "default", &settings.source).await?;
        let first_read = start.elapsed();
        ensure!(read.manifests.len() == objects.len(), "{} of {} read", read.manifests.len(), objects.len());
        ensure!(read.findings.is_empty(), "the source is not sound: {:?}", read.findings.first());
        drop((repository, read));

        let unseal: engine::Unseal = Arc::new(|_, _, sealed| {
            String::from_utf8(sealed.0.clone()).map(SecretString::from).map_err(|e| e.to_string())
        });
        let engine = Engine::start(store.clone(), unseal, settings, Arc::new(jiff::Timestamp::now)).await?;
        let subject = Self { engine, store, fabric_id, first_read, _folder: folder };
        subject.settle().await?;
        Ok(subject)
    }

    /// Waits until the first comparison, which the engine makes by itself, is over and asked its last question.
    async fn settle(&self) -> Result<()> {
        let until = Instant::now() + PATIENCE;
        let mut last = None;
        loop {
            ensure!(Instant::now() < until, "the engine never made its first comparison");
            tokio::time::sleep(Duration::from_millis(700)).await;
            let newest = self.store.comparisons().latest(self.fabric_id).await?;
            if let Some(newest) = newest {
                ensure!(newest.code.is_none(), "the first comparison failed: {}", newest.message);
                if last.replace(newest.id) == Some(newest.id) {
                    return Ok(());
                }
            }
        }
    }

    /// Runs a verb to its end. Anything but success is an error: its time would mean nothing.
    pub async fn run(&self, verb: Verb) -> Result<Measured> {
        let request = Request {
            fabric_id: self.fabric_id,
            verb,
            actor: "bench".into(),
            actor_user_id: None,
            trigger: Trigger::Script,
            request_id: "bench".into(),
            idempotency_key: None,
            shown_comparison: None,
            options: model::sync_options::SyncOptions::default(),
        };
        let start = Instant::now();
        let asked = self.engine.request(request).await?;
        let operation = self.engine.wait(asked.operation.id, PATIENCE).await?;
        let whole = start.elapsed();
        ensure!(
            operation.state == OperationState::Succeeded,
            "{verb} ended as {}: {:?} {}",
            operation.state,
            operation.code,
            operation.message
        );
        let phases = operation.phases.iter().filter_map(|p| {
            let took = p.ended_at?.duration_since(p.started_at?);
            (p.state.as_str() != "skipped").then_some((p.phase, Duration::try_from(took).ok()?))
        });
        Ok(Measured { whole, phases: phases.collect(), operation })
    }

    /// How many objects the engine calls equal.
    pub async fn equal(&self) -> Result<u64> {
        let counts = self.store.objects().counts(self.fabric_id).await?;
        Ok(counts.iter().filter(|c| c.state == model::compare::ObjectState::Equal).map(|c| c.objects).sum())
    }

    /// Ends it, before it compares again by itself.
    pub async fn stop(self) {
        self.engine.stop().await;
        self.store.close().await;
    }
}

/// An engine's settings as they are by default.
pub fn settings(data_dir: std::path::PathBuf) -> Settings {
    Settings::new(data_dir)
}
