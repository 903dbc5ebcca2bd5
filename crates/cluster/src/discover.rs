//! Discovery: which kinds of `*.githedgehog.com` the cluster serves, with their columns and schemas.
//!
//! [`served`] asks the server what it serves, [`definition`] reads the CRDs of these kinds, [`openapi`] stands in for
//! CRDs that may not be read. What could not be read is a [`crate::Problem`], never an empty list.

mod definition;
mod openapi;
mod served;

use crate::call::Call;
use crate::kinds::{KindInfo, Kinds, Problem, ProblemKind};
use crate::{Cluster, Error, ErrorKind, address};
use definition::{Definition, Metadata};
use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt, stream};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};

const DEFINITIONS: &str = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
/// Names are enough to see which definitions exist; their schemas can be megabytes of other people's kinds.
const NAMES_ONLY: &str = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json";

/// The form of each CRD that there is, by its name; `None` where the server does not say enough.
type ListedForms = BTreeMap<String, Option<String>>;

impl Cluster {
    /// Finds the kinds. An error means that the server could not be asked at all; everything less is in `problems`.
    pub async fn discover(&self) -> Result<Kinds, Error> {
        Ok(self.discover_again(&Kinds::default(), &Forms::default()).await?.0)
    }

    /// The same where it was done before, with what was found then: a CRD that is in the form that was read is not read
    /// again. CRDs are the largest part of it.
    pub async fn discover_again(&self, known: &Kinds, read: &Forms) -> Result<(Kinds, Forms), Error> {
        let (mut kinds, mut problems) = self.served().await?;
        let listed = self.definition_forms(&mut problems).await?;
        let mut forms = take_over(&mut kinds, known, read, &listed);
        self.read_definitions(&mut kinds, &mut forms, &mut problems).await?;
        self.explain_unserved(&kinds, listed.into_keys().collect(), &mut problems).await?;
        self.fill_schemas(&mut kinds).await?;
        for kind in kinds.iter().filter(|k| k.schema.is_none()) {
            problems.push(Problem {
                kind: ProblemKind::SchemaMissing,
                subject: kind.definition_name(),
                message: format!(
                    "The schema of {} could not be read; its fields are not checked in advance.",
                    kind.gvk.kind
                ),
                hides_kinds: false,
            });
        }
        kinds.sort_by(|a, b| (&a.gvk.group, &a.gvk.kind).cmp(&(&b.gvk.group, &b.gvk.kind)));
        Ok((Kinds { kinds, problems }, forms))
    }

    /// Names of all CRDs of Hedgehog's groups, served or not, each with its form; empty when they may not be listed.
    async fn definition_forms(&self, problems: &mut Vec<Problem>) -> Result<ListedForms, Error> {
        let mut forms = ListedForms::new();
        let mut position = String::new();
        loop {
            let mut target = format!("{DEFINITIONS}?limit=500");
            if !position.is_empty() {
                target = format!("{target}&continue={}", address::escape(&position));
            }
            let page: Page = match self.fetch(&Call::get("list the CRDs", target).accepting(NAMES_ONLY)).await {
                Ok(page) => page,
                Err(e) if soft(&e) => {
                    problems.push(definition_problem("customresourcedefinitions", &e));
                    return Ok(ListedForms::new());
                }
                Err(e) => return Err(e),
            };
            let found = page.items.unwrap_or_default().into_iter().map(|item| item.metadata);
            let found = found.filter(|crd| crd.name.ends_with(".githedgehog.com"));
            forms.extend(found.map(|crd| (crd.name.clone(), crd.form())));
            match page.metadata.r#continue {
                Some(next) if !next.is_empty() => position = next,
                _ => return Ok(forms),
            }
        }
    }

    /// Reads the CRDs of the kinds of which no form is known yet.
    async fn read_definitions(
        &self,
        kinds: &mut [KindInfo],
        forms: &mut Forms,
        problems: &mut Vec<Problem>,
    ) -> Result<(), Error> {
        let is_unread = |kind: &&mut KindInfo| !forms.0.contains_key(&kind.definition_name());
        let mut unread: Vec<&mut KindInfo> = kinds.iter_mut().filter(is_unread).collect();
        let names: Vec<String> = unread.iter().map(|kind| kind.definition_name()).collect();
        // Boxed and collected: a stream over a borrowing closure makes the future Send for no lifetime in particular.
        let asked: Vec<BoxFuture<'_, _>> = names.iter().map(|name| self.definition(name).boxed()).collect();
        let read: Vec<Result<Option<Definition>, Error>> =
            stream::iter(asked).buffered(self.inner.limits.concurrency.max(1)).collect().await;
        let mut forbidden = problems.iter().any(|p| p.kind == ProblemKind::DefinitionsForbidden);
        for ((kind, name), result) in unread.iter_mut().zip(&names).zip(read) {
            match result {
                Ok(Some(definition)) => {
                    forms.0.extend(definition.form().map(|form| (name.clone(), form)));
                    definition.describe(kind);
                }
                // Served without a CRD: by another API server. OpenAPI has its schema.
                Ok(None) => {}
                Err(e) if e.kind == ErrorKind::Forbidden => {
                    if !std::mem::replace(&mut forbidden, true) {
                        problems.push(definition_problem(name, &e));
                    }
                }
                Err(e) if soft(&e) => problems.push(definition_problem(name, &e)),
                Err(e) => return Err(e),
            }
        }
        Ok(())
    }

    async fn definition(&self, name: &str) -> Result<Option<Definition>, Error> {
        let call = Call::get(format!("read the CRD {name}"), format!("{DEFINITIONS}/{}", address::escape(name)));
        match self.fetch(&call).await {
            Ok(definition) => Ok(Some(definition)),
            Err(e) if e.kind == ErrorKind::NotFound => Ok(None),
            Err(e) => Err(e),
        }
    }

    /// CRDs that exist but whose kinds were not found among those served: rejected names, or not yet established.
    async fn explain_unserved(
        &self,
        kinds: &[KindInfo],
        names: BTreeSet<String>,
        problems: &mut Vec<Problem>,
    ) -> Result<(), Error> {
        let served: BTreeSet<String> = kinds.iter().map(KindInfo::definition_name).collect();
        for name in names.difference(&served) {
            let why = match self.definition(name).await {
                Ok(Some(definition)) => definition.why_unserved(),
                Ok(None) => continue,
                Err(e) if soft(&e) => e.message.clone(),
                Err(e) => return Err(e),
            };
            problems.push(Problem {
                kind: ProblemKind::NotServed,
                subject: name.clone(),
                message: format!("The CRD {name} exists, but the server does not serve it: {why}"),
                hides_kinds: true,
            });
        }
        Ok(())
    }
}

/// In which form each CRD was read, by its name: what tells whether it is to be read again.
#[derive(Debug, Clone, Default)]
pub struct Forms(BTreeMap<String, String>);

/// A page of the list of CRDs: who they are.
#[derive(Deserialize)]
struct Page {
    #[serde(default)]
    metadata: PageMetadata,
    /// Where there is none, the server says `null`.
    items: Option<Vec<Item>>,
}

#[derive(Deserialize, Default)]
struct PageMetadata {
    r#continue: Option<String>,
}

#[derive(Deserialize)]
struct Item {
    #[serde(default)]
    metadata: Metadata,
}

/// Gives kinds what was read of their CRDs before, where those are still in that form and the kinds served in that
/// version; and gives the forms of these.
fn take_over(kinds: &mut [KindInfo], known: &Kinds, read: &Forms, listed: &ListedForms) -> Forms {
    let mut forms = Forms::default();
    for kind in kinds {
        let name = kind.definition_name();
        let now = listed.get(&name).and_then(Option::as_ref);
        let known = known.kinds.iter().find(|k| k.gvk == kind.gvk && k.plural == kind.plural);
        if let (Some(now), Some(known)) = (now, known)
            && read.0.get(&name) == Some(now)
        {
            kind.has_status |= known.has_status;
            kind.columns.clone_from(&known.columns);
            kind.schema.clone_from(&known.schema);
            forms.0.insert(name, now.clone());
        }
    }
    forms
}

/// Whether discovery can go on without what failed. A server that is gone or does not know us ends it.
fn soft(error: &Error) -> bool {
    matches!(
        error.kind,
        ErrorKind::Forbidden
            | ErrorKind::NotFound
            | ErrorKind::Rejected
            | ErrorKind::Server
            | ErrorKind::Protocol
            | ErrorKind::TooLarge
    )
}

fn definition_problem(subject: &str, error: &Error) -> Problem {
    let (kind, message) = match error.kind {
        ErrorKind::Forbidden => (
            ProblemKind::DefinitionsForbidden,
            format!("The CRDs may not be read, so columns are missing: {}", error.message),
        ),
        _ => (ProblemKind::DefinitionFailed, format!("The CRD could not be read: {}", error.message)),
    };
    Problem { kind, subject: subject.to_owned(), message, hides_kinds: false }
}
