//! What is wrong with the source, as seen from a fabric: what was found while reading it, what the cluster's schemas
//! say of it, and what the rules say that nobody else checks. Each with file, line and column where there are any.

use crate::{Error, Shared};
use cluster::Kinds;
use model::manifest::{Finding, locate};
use model::path::Path;
use model::schema::Schema;
use source::Desired;
use std::collections::HashMap;
use std::sync::Arc;

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
        let mut findings = desired.findings.clone();
        let mut texts = HashMap::new();
        let mut schemas: HashMap<(&str, &str), Option<Schema>> = HashMap::new();
        for manifest in &desired.manifests {
            let (group, kind) = (manifest.key.group.as_str(), manifest.key.kind.as_str());
            let schema = schemas
                .entry((group, kind))
                .or_insert_with(|| kinds.find(group, kind).and_then(|k| k.schema.as_ref()).map(Schema::new));
            let Some(schema) = schema else { continue };
            for mut finding in schema.check(manifest) {
                if let Some(path) = finding.path.as_ref().and_then(|p| p.parse::<Path>().ok()) {
                    let at = &manifest.location;
                    let text = text_of(shared, fabric, desired, &at.file, &mut texts).await?;
                    finding.location = locate(&text, at, &path);
                }
                finding.location.get_or_insert_with(|| manifest.location.clone());
                findings.push(finding);
            }
        }
        self.findings = Arc::new(findings);
        self.of = Some((desired.clone(), kinds.clone()));
        Ok(self.findings.clone())
    }
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
