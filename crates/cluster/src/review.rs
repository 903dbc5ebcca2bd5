//! What the credentials permit: one rules review for most of the answer, single access reviews for the rest.
//!
//! A rule that grants is proof. A rule that is missing is not, because authorizers may keep their rules to themselves,
//! so everything that no rule grants is asked one by one; these answers also carry the reason.

use crate::call::Call;
use crate::kinds::Kinds;
use crate::{Cluster, Error};
use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt, TryStreamExt, stream};
use http::Method;
use k8s_openapi::api::authorization::v1::{ResourceRule, SelfSubjectRulesReview};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::fmt;

/// A verb of Kubernetes' authorization.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verb {
    /// Read one.
    Get,
    /// Read all.
    List,
    /// Follow changes.
    Watch,
    /// Create.
    Create,
    /// Replace.
    Update,
    /// Delete.
    Delete,
}

impl Verb {
    /// Every verb that is reviewed.
    pub const ALL: [Verb; 6] = [Self::Get, Self::List, Self::Watch, Self::Create, Self::Update, Self::Delete];

    /// The verb as it stands in a rule.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::List => "list",
            Self::Watch => "watch",
            Self::Create => "create",
            Self::Update => "update",
            Self::Delete => "delete",
        }
    }

    /// Whether the verb changes nothing.
    pub const fn reads(self) -> bool {
        matches!(self, Self::Get | Self::List | Self::Watch)
    }
}

impl fmt::Display for Verb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Whether one verb on one kind of object is permitted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Review {
    /// API group; empty for the core group.
    pub group: String,
    /// Resource, e.g. `vpcs`.
    pub resource: String,
    /// Kind, e.g. `VPC`.
    pub kind: String,
    /// The verb.
    pub verb: Verb,
    /// Whether it is permitted.
    pub allowed: bool,
    /// The server's reason, often empty for a refusal.
    pub reason: String,
    /// Whether Hedgerow needs it: reading everywhere, writing only what users author.
    pub needed: bool,
}

/// One question.
struct Question {
    group: String,
    resource: String,
    kind: String,
    verb: Verb,
    /// Empty for cluster-scoped resources.
    namespace: String,
    /// One object by name, or empty for all.
    name: &'static str,
    needed: bool,
}

impl Cluster {
    /// Asks what the credentials may do with each kind in the namespace, and with the two things outside of it that
    /// Hedgerow reads: the namespace `kube-system` (which cluster this is) and the CRDs (columns, schemas).
    pub async fn review(&self, kinds: &Kinds, namespace: &str) -> Result<Vec<Review>, Error> {
        let rules = self.rules(namespace).await?;
        let answer = |q: Question| {
            let granted = rules.iter().any(|rule| grants(rule, &q));
            async move {
                let (allowed, reason) = if granted { (true, String::new()) } else { self.ask(&q).await? };
                let Question { group, resource, kind, verb, needed, .. } = q;
                Ok(Review { group, resource, kind, verb, allowed, reason, needed })
            }
            .boxed()
        };
        // Collected first: a stream over a borrowing closure makes the future Send for no lifetime in particular.
        let asked: Vec<BoxFuture<'_, _>> = questions(kinds, namespace).into_iter().map(answer).collect();
        stream::iter(asked).buffered(self.inner.limits.concurrency.max(1)).try_collect().await
    }

    async fn rules(&self, namespace: &str) -> Result<Vec<ResourceRule>, Error> {
        let namespace = if namespace.is_empty() { "default" } else { namespace };
        let body = json!({
            "apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectRulesReview",
            "spec": {"namespace": namespace},
        });
        let target = "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews";
        let call = Call::send("review the access rules", Method::POST, target, &body, false);
        match self.fetch::<SelfSubjectRulesReview>(&call).await {
            Ok(review) => Ok(review.status.map(|s| s.resource_rules).unwrap_or_default()),
            // Not offered, or not to us: then every question is asked singly.
            Err(e) if e.status.is_some_and(|s| matches!(s, 403..=405 | 422)) => Ok(Vec::new()),
            Err(e) => Err(e),
        }
    }

    async fn ask(&self, q: &Question) -> Result<(bool, String), Error> {
        let mut attributes = json!({"group": q.group, "resource": q.resource, "verb": q.verb.as_str()});
        if !q.namespace.is_empty() {
            attributes["namespace"] = q.namespace.as_str().into();
        }
        if !q.name.is_empty() {
            attributes["name"] = q.name.into();
        }
        let body = json!({
            "apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": attributes},
        });
        let operation = format!("review access: {} {}", q.verb, q.resource);
        let target = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews";
        let review: Value = self.fetch(&Call::send(operation, Method::POST, target, &body, false)).await?;
        let status = &review["status"];
        let reason = status["reason"].as_str().or(status["evaluationError"].as_str()).unwrap_or_default();
        Ok((status["allowed"].as_bool().unwrap_or(false), reason.to_owned()))
    }
}

fn questions(kinds: &Kinds, namespace: &str) -> Vec<Question> {
    let mut questions = vec![Question {
        group: String::new(),
        resource: "namespaces".to_owned(),
        kind: "Namespace".to_owned(),
        verb: Verb::Get,
        namespace: String::new(),
        name: "kube-system",
        needed: true,
    }];
    questions.extend([Verb::Get, Verb::List].map(|verb| Question {
        group: "apiextensions.k8s.io".to_owned(),
        resource: "customresourcedefinitions".to_owned(),
        kind: "CustomResourceDefinition".to_owned(),
        verb,
        namespace: String::new(),
        name: "",
        // Without CRDs columns are missing, nothing else.
        needed: false,
    }));
    for kind in &kinds.kinds {
        let user = model::kind::is_user_authored(&kind.gvk);
        let namespace = if kind.namespaced { namespace } else { "" };
        questions.extend(Verb::ALL.map(|verb| Question {
            group: kind.gvk.group.clone(),
            resource: kind.plural.clone(),
            kind: kind.gvk.kind.clone(),
            verb,
            namespace: namespace.to_owned(),
            name: "",
            needed: verb.reads() || user,
        }));
    }
    questions
}

fn grants(rule: &ResourceRule, q: &Question) -> bool {
    let has = |list: &[String], word: &str| list.iter().any(|x| x == "*" || x == word);
    let of = |list: &Option<Vec<String>>, word: &str| has(list.as_deref().unwrap_or_default(), word);
    let names = rule.resource_names.as_deref().unwrap_or_default();
    let named = names.is_empty() || (!q.name.is_empty() && names.iter().any(|n| n == q.name));
    // The rules review is of one namespace: what it grants there says nothing about cluster-scoped resources.
    !q.namespace.is_empty()
        && has(&rule.verbs, q.verb.as_str())
        && of(&rule.api_groups, &q.group)
        && of(&rule.resources, &q.resource)
        && named
}
