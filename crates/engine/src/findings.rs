//! What is wrong with the source, as seen from a fabric: what was found while reading it, what the cluster's schemas
//! say of it, and what the rules say that nobody else checks. Each with file, line and column where there are any.

use crate::blocking::compute;
use crate::{Error, Shared};
use cluster::Kinds;
use model::ObjectKey;
use model::manifest::{Finding, Severity, locate};
use model::path::Path;
use model::schema::Schema;
use source::Desired;
use std::collections::HashMap;
use std::sync::Arc;

/// Everything that is wrong with one commit, in one cluster.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    /// All of them: first those of the source and of the schemas, then those of the rules.
    pub all: Vec<Finding>,
    /// How many of them are not of the rules.
    of_source: usize,
    /// Errors and warnings by the object that they are about.
    by_object: HashMap<ObjectKey, Vec<Finding>>,
}

impl Findings {
    /// Puts both sorts together.
    pub fn new(of_source: &[Finding], of_rules: &[Finding]) -> Self {
        let all = [of_source, of_rules].concat();
        let mut by_object: HashMap<ObjectKey, Vec<Finding>> = HashMap::new();
        for finding in all.iter().filter(|f| f.severity != Severity::Info) {
            if let Some(key) = &finding.object {
                by_object.entry(key.clone()).or_default().push(finding.clone());
            }
        }
        Self { all, of_source: of_source.len(), by_object }
    }

    /// Those of the source itself and of the schemas.
    pub fn of_source(&self) -> &[Finding] {
        &self.all[..self.of_source]
    }

    /// Those that the rules before a write made.
    pub fn of_rules(&self) -> &[Finding] {
        &self.all[self.of_source..]
    }

    /// Errors and warnings about an object.
    pub fn about(&self, key: &ObjectKey) -> &[Finding] {
        self.by_object.get(key).map_or(&[], Vec::as_slice)
    }

    /// The objects that there are errors or warnings about.
    pub fn objects(&self) -> impl Iterator<Item = &ObjectKey> {
        self.by_object.keys()
    }
}

/// How many errors there are, with the first of them and where it stands; nothing when there is none.
pub(crate) fn errors_in_words(found: &[Finding]) -> String {
    let mut errors = found.iter().filter(|f| f.severity == Severity::Error);
    let Some(first) = errors.next().map(Finding::with_place) else { return String::new() };
    match errors.count() {
        0 => format!("1 error in the source: {first}"),
        more => format!("{} errors in the source. First: {first}", more + 1),
    }
}

/// Findings of one commit against one set of kinds: they cannot change while both stay the same.
#[derive(Default)]
pub(crate) struct Checked {
    of: Option<(Arc<Desired>, Arc<Kinds>)>,
    findings: Arc<Vec<Finding>>,
}

impl Checked {
    /// The findings of the source itself and of the schemas, computed anew when the source or the kinds are others.
    pub async fn findings(
        &mut self,
        shared: &Shared,
        fabric: &store::Fabric,
        desired: &Arc<Desired>,
        kinds: &Arc<Kinds>,
    ) -> Result<Arc<Vec<Finding>>, Error> {
        if let Some((d, k)) = &self.of
            && Arc::ptr_eq(d, desired)
            && Arc::ptr_eq(k, kinds)
        {
            return Ok(self.findings.clone());
        }
        let (of, against) = (desired.clone(), kinds.clone());
        let by_schemas = compute("Checking the source by the schemas", move || by_schemas(&of, &against)).await?;
        let mut findings = desired.findings.clone();
        let mut texts = HashMap::new();
        for (n, mut finding) in by_schemas {
            let at = &desired.manifests[n].location;
            if let Some(path) = finding.path.as_ref().and_then(|p| p.parse::<Path>().ok()) {
                let text = text_of(shared, fabric, desired, &at.file, &mut texts).await?;
                finding.location = locate(&text, at, &path);
            }
            finding.location.get_or_insert_with(|| at.clone());
            findings.push(finding);
        }
        self.findings = Arc::new(findings);
        self.of = Some((desired.clone(), kinds.clone()));
        Ok(self.findings.clone())
    }
}

/// What the cluster's schemas say of each manifest, with the manifest's place in the list.
fn by_schemas(desired: &Desired, kinds: &Kinds) -> Vec<(usize, Finding)> {
    let mut schemas: HashMap<(&str, &str), Option<Schema>> = HashMap::new();
    let mut found = Vec::new();
    for (n, manifest) in desired.manifests.iter().enumerate() {
        let (group, kind) = (manifest.key.group.as_str(), manifest.key.kind.as_str());
        let schema = schemas
            .entry((group, kind))
            .or_insert_with(|| kinds.find(group, kind).and_then(|k| k.schema.as_ref()).map(Schema::new));
        if let Some(schema) = schema {
            found.extend(schema.check(manifest).into_iter().map(|finding| (n, finding)));
        }
    }
    found
}

async fn text_of(
    shared: &Shared,
    fabric: &store::Fabric,
    desired: &Desired,
    file: &str,
    texts: &mut HashMap<String, Arc<str>>,
) -> Result<Arc<str>, Error> {
    if let Some(text) = texts.get(file) {
        return Ok(text.clone());
    }
    let repository = shared.repository(fabric).await?;
    let bytes = repository.blob(&desired.commit.id, file, shared.settings.source.file_bytes).await?.unwrap_or_default();
    let text: Arc<str> = String::from_utf8_lossy(&bytes).into();
    texts.insert(file.to_owned(), text.clone());
    Ok(text)
}
