//! Test Connection: everything that can be said about a cluster without changing it.

use crate::call::Call;
use crate::kinds::{Kinds, Problem};
use crate::review::{Review, Verb};
use crate::{Cluster, Error, ErrorKind, TlsReason, address};
use jiff::Timestamp;
use model::Code;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// How a connection test ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Outcome {
    /// Connected, and everything that Hedgerow needs is permitted.
    Ok,
    /// The server's name has no address.
    Dns,
    /// No connection.
    Unreachable,
    /// Connected, but no answer in time.
    Timeout,
    /// TLS failed.
    Tls {
        /// Why.
        reason: TlsReason,
    },
    /// The credentials are not accepted.
    Unauthorized,
    /// Connected, but something that Hedgerow needs is not permitted; see `missing`.
    Forbidden,
    /// A Kubernetes API without Hedgehog's kinds.
    NoKinds,
    /// A cluster without the fabric's namespace; its lists would be empty, not refused.
    NoNamespace,
    /// Something answers, but not a Kubernetes API.
    NotKubernetes,
    /// The server failed; see the message.
    Failed,
}

/// A kind that was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FoundKind {
    /// API group.
    pub group: String,
    /// Version.
    pub version: String,
    /// Kind.
    pub kind: String,
    /// Plural.
    pub plural: String,
}

/// Verbs that are needed on a kind and not permitted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Missing {
    /// API group; empty for the core group.
    pub group: String,
    /// Resource, as a rule names it.
    pub resource: String,
    /// Kind.
    pub kind: String,
    /// The verbs.
    pub verbs: Vec<Verb>,
    /// The server's reason, if it gave one.
    pub reason: String,
}

/// What a connection test found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TestReport {
    /// How it ended.
    #[serde(flatten)]
    pub outcome: Outcome,
    /// One or two sentences for the user.
    pub message: String,
    /// The stable code, unless everything is well.
    pub code: Option<Code>,
    /// The address that was tried.
    pub server: String,
    /// Whether the server's certificate was verified.
    pub tls_verified: bool,
    /// The server's version.
    pub version: Option<String>,
    /// `HTTP/2.0` or `HTTP/1.1`.
    pub http: Option<String>,
    /// Time of one small call on a standing connection.
    pub latency_ms: Option<f64>,
    /// Which cluster it is; see [`crate::Identity`].
    pub identity: Option<String>,
    /// The name that the server knows us by.
    pub user: Option<String>,
    /// When the credentials end by themselves, as far as they say so.
    pub credentials_expire: Option<Timestamp>,
    /// Hedgehog's kinds.
    pub kinds: Vec<FoundKind>,
    /// What discovery could not read.
    pub problems: Vec<Problem>,
    /// What is needed and not permitted.
    pub missing: Vec<Missing>,
    /// Whether everything that has to be read may be read.
    pub can_read: bool,
    /// Whether everything that users author may be written.
    pub can_write: bool,
}

impl Cluster {
    /// Tests the connection. Changes nothing, and never fails: what went wrong is the report.
    pub async fn test(&self, namespace: &str) -> TestReport {
        let mut report = TestReport {
            outcome: Outcome::Ok,
            message: String::new(),
            code: None,
            server: self.inner.server.clone(),
            tls_verified: self.inner.verifies_tls,
            version: None,
            http: None,
            latency_ms: None,
            identity: None,
            user: None,
            credentials_expire: self.inner.credentials_expire,
            kinds: Vec::new(),
            problems: Vec::new(),
            missing: Vec::new(),
            can_read: false,
            can_write: false,
        };
        // Each step has the limit of a call; a person waits for all of them together, so together they have it too.
        let limit = self.inner.limits.request;
        let result = match tokio::time::timeout(limit, self.examine(namespace, &mut report)).await {
            Ok(result) => result,
            Err(_) => {
                let message =
                    format!("The server answers too slowly: the test was not done within {} s.", limit.as_secs_f32());
                Err(Error::new(ErrorKind::Timeout, "test the connection", message))
            }
        };
        if let Err(error) = result {
            report.outcome = outcome(&error);
            report.code = Some(error.code());
            report.message = error.message.clone();
            if let (Outcome::Unauthorized, Some(end)) = (report.outcome, report.credentials_expire)
                && end <= Timestamp::now()
            {
                report.message =
                    format!("The credentials ended on {}; enter new ones.", end.strftime("%Y-%m-%d %H:%M UTC"));
            }
        }
        report
    }

    async fn examine(&self, namespace: &str, report: &mut TestReport) -> Result<(), Error> {
        // A cluster may keep its version from accounts like ours; that alone is no reason to stop.
        match tolerate(self.version().await)? {
            Some(first) => {
                (report.version, report.http) = (Some(first.git_version), Some(first.http));
                // The first call made the connection; the second tells how far the server is.
                let again = tolerate(self.version().await)?;
                report.latency_ms = again.map(|v| (v.latency.as_secs_f64() * 10_000.0).round() / 10.0);
            }
            None => report.version = None,
        }
        report.user = tolerate(self.user().await)?.flatten();
        if report.user.as_deref() == Some("system:anonymous") {
            let message = "The server takes us for nobody (system:anonymous): it does not accept the credentials.";
            return Err(Error::new(ErrorKind::Unauthorized, "ask who we are", message));
        }
        report.identity = tolerate(self.identity().await)?.map(|i| i.uid);
        let found = self.discover().await?;
        let reviews = self.review(&found, namespace).await?;
        report.missing = missing(&reviews);
        let refused = |reads: bool| reviews.iter().any(|r| r.needed && !r.allowed && r.verb.reads() == reads);
        (report.can_read, report.can_write) = (!refused(true), !refused(false));
        conclude(report, found);
        if report.outcome != Outcome::NoKinds && self.lacks_namespace(namespace).await? {
            report.outcome = Outcome::NoNamespace;
            report.code = Some(Code::ClusterConfigInvalid);
            report.message = no_namespace(namespace);
        }
        Ok(())
    }
}

impl Cluster {
    /// Whether the namespace is certain not to exist. Credentials that may not look at it leave that open.
    ///
    /// # Errors
    /// When the cluster does not answer.
    pub async fn lacks_namespace(&self, namespace: &str) -> Result<bool, Error> {
        if namespace.is_empty() {
            return Ok(false);
        }
        let path = format!("/api/v1/namespaces/{}", address::escape(namespace));
        match self.call(&Call::get(format!("read the namespace {namespace}"), path)).await {
            Ok(_) => Ok(false),
            Err(e) if e.kind == ErrorKind::NotFound => Ok(true),
            Err(e) if e.kind == ErrorKind::Forbidden => Ok(false),
            Err(e) => Err(e),
        }
    }
}

/// What is said of a cluster without the namespace that a fabric is to live in.
pub fn no_namespace(namespace: &str) -> String {
    format!("Connected, but the cluster has no namespace '{namespace}'. Hedgehog's objects live in 'default'.")
}

/// A refusal by RBAC of one step is no obstacle to the others.
fn tolerate<T>(result: Result<T, Error>) -> Result<Option<T>, Error> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(e) if e.kind == ErrorKind::Forbidden => Ok(None),
        Err(e) => Err(e),
    }
}

fn outcome(error: &Error) -> Outcome {
    match error.kind {
        ErrorKind::Dns => Outcome::Dns,
        ErrorKind::Unreachable | ErrorKind::ConnectionCut => Outcome::Unreachable,
        ErrorKind::Timeout => Outcome::Timeout,
        ErrorKind::Tls(reason) => Outcome::Tls { reason },
        ErrorKind::Unauthorized => Outcome::Unauthorized,
        ErrorKind::Forbidden => Outcome::Forbidden,
        ErrorKind::Protocol | ErrorKind::NotFound => Outcome::NotKubernetes,
        _ => Outcome::Failed,
    }
}

fn conclude(report: &mut TestReport, found: Kinds) {
    report.problems = found.problems;
    report.kinds = found
        .kinds
        .into_iter()
        .map(|k| FoundKind { group: k.gvk.group, version: k.gvk.version, kind: k.gvk.kind, plural: k.plural })
        .collect();
    let count = report.kinds.len();
    (report.outcome, report.code, report.message) = if count == 0 {
        let why = match report.problems.first() {
            Some(problem) => problem.message.clone(),
            None => "It serves no kind of githedgehog.com; is Hedgehog installed there?".to_owned(),
        };
        (Outcome::NoKinds, Some(Code::ConnectionFailed), format!("Connected to a Kubernetes API. {why}"))
    } else if report.missing.is_empty() {
        let who = report.user.as_deref().map(|u| format!(" as {u}")).unwrap_or_default();
        (Outcome::Ok, None, format!("Connected{who}; {count} kinds of Hedgehog found."))
    } else {
        let what = match (report.can_read, report.can_write) {
            (true, _) => {
                "Reading works: comparisons do all that they need. A sync would be refused, because these \
                          credentials may not write everything"
            }
            (false, true) => "These credentials may not read everything that Hedgerow needs",
            (false, false) => "These credentials may neither read nor write everything that Hedgerow needs",
        };
        (Outcome::Forbidden, Some(Code::KubernetesForbidden), format!("{what}: {}.", in_words(&report.missing)))
    };
}

/// Missing verbs by kind, in the order of the review.
fn missing(reviews: &[Review]) -> Vec<Missing> {
    let mut list: Vec<Missing> = Vec::new();
    for review in reviews.iter().filter(|r| r.needed && !r.allowed) {
        match list.iter_mut().find(|m| m.group == review.group && m.resource == review.resource) {
            Some(entry) => entry.verbs.push(review.verb),
            None => list.push(Missing {
                group: review.group.clone(),
                resource: review.resource.clone(),
                kind: review.kind.clone(),
                verbs: vec![review.verb],
                reason: review.reason.clone(),
            }),
        }
    }
    list
}

/// `get, list on Agent, Catalog; create on VPC`: kinds that lack the same verbs are named together.
fn in_words(missing: &[Missing]) -> String {
    let mut groups: BTreeMap<&[Verb], Vec<&str>> = BTreeMap::new();
    for entry in missing {
        groups.entry(&entry.verbs).or_default().push(&entry.kind);
    }
    let one = |(verbs, kinds): (&&[Verb], &Vec<&str>)| {
        let verbs: Vec<&str> = verbs.iter().map(|v| v.as_str()).collect();
        format!("{} on {}", verbs.join(", "), kinds.join(", "))
    };
    groups.iter().map(one).collect::<Vec<_>>().join("; ")
}
