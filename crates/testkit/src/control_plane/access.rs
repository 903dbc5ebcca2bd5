//! Users with tokens and just the rights that a test gives them. RBAC is real, so what is refused is refused by the
//! API server itself.

use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};

use super::{Answer, ControlPlane, KubeClient, eventually};

const ROLES: &str = "/apis/rbac.authorization.k8s.io/v1/clusterroles";
const BINDINGS: &str = "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings";
const ACCOUNTS: &str = "/api/v1/namespaces/default/serviceaccounts";
pub(super) const LABEL: &str = "testkit.hedgerow.dev/user";
/// The API server caches a token's user for ten seconds.
const WITHIN: Duration = Duration::from_secs(40);

/// A service account with a bearer token.
#[derive(Clone)]
pub struct TokenUser {
    /// The service account's name, in namespace `default`.
    pub name: String,
    /// Its bearer token.
    pub token: String,
}

/// What a user may do with Hedgehog's kinds.
#[derive(Debug, Clone)]
pub struct Access {
    verbs: &'static [&'static str],
    hidden: Vec<String>,
    read_only: Vec<String>,
    rules: Vec<Value>,
}

const READ: &[&str] = &["get", "list", "watch"];
const WRITE: &[&str] = &["get", "list", "watch", "create", "update", "patch", "delete"];

impl Access {
    /// Nothing at all: only the API's own pages, as any authenticated user has them.
    pub fn none() -> Self {
        Self { verbs: &[], hidden: Vec::new(), read_only: Vec::new(), rules: Vec::new() }
    }

    /// Reads every kind of Hedgehog's, the definitions, and the namespaces.
    pub fn reader() -> Self {
        Self { verbs: READ, ..Self::none() }
    }

    /// Reads and writes every kind of Hedgehog's; reads the definitions and the namespaces.
    pub fn writer() -> Self {
        Self { verbs: WRITE, ..Self::none() }
    }

    /// Without any right on this kind, given by its plural.
    #[must_use]
    pub fn except(mut self, plural: &str) -> Self {
        self.hidden.push(plural.to_owned());
        self
    }

    /// Without the right to write this kind, given by its plural.
    #[must_use]
    pub fn read_only(mut self, plural: &str) -> Self {
        self.read_only.push(plural.to_owned());
        self
    }

    /// With one more rule, as it stands in a ClusterRole.
    #[must_use]
    pub fn rule(mut self, rule: Value) -> Self {
        self.rules.push(rule);
        self
    }

    /// RBAC has no deny: the rights are given kind by kind, for what the server has now.
    async fn rules(&self, client: &KubeClient) -> Result<Vec<Value>> {
        let mut rules = self.rules.clone();
        if self.verbs.is_empty() {
            return Ok(rules);
        }
        rules.push(json!({"apiGroups": [""], "resources": ["namespaces"], "verbs": READ}));
        rules.push(json!({
            "apiGroups": ["apiextensions.k8s.io"], "resources": ["customresourcedefinitions"], "verbs": READ,
        }));
        let kinds = client.discover().await?;
        let mut unknown: Vec<&String> = self.hidden.iter().chain(&self.read_only).collect();
        for kind in kinds.iter().filter(|kind| kind.group.ends_with("githedgehog.com")) {
            unknown.retain(|plural| **plural != kind.plural);
            if !self.hidden.contains(&kind.plural) {
                let verbs = if self.read_only.contains(&kind.plural) { READ } else { self.verbs };
                rules.push(json!({"apiGroups": [kind.group], "resources": [kind.plural], "verbs": verbs}));
            }
        }
        ensure!(unknown.is_empty(), "no such kinds to take rights on away: {unknown:?}; install the CRDs first");
        Ok(rules)
    }
}

impl ControlPlane {
    /// Makes a user with a token and these rights. They are in force when this returns.
    pub async fn token_user(&self, name: &str, access: &Access) -> Result<TokenUser> {
        let client = self.client()?;
        let labels = json!({LABEL: "true"});
        let account = json!({"metadata": {"name": name, "namespace": "default", "labels": labels}});
        put(&client, ACCOUNTS, name, &account).await?;
        let binding = json!({
            "metadata": {"name": role(name), "labels": labels},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role(name)},
            "subjects": [{"kind": "ServiceAccount", "name": name, "namespace": "default"}],
        });
        put(&client, BINDINGS, &role(name), &binding).await?;
        let token = self.token_of(name, Duration::from_secs(24 * 3600)).await?;
        let user = TokenUser { name: name.to_owned(), token };
        self.grant(&user, access).await?;
        Ok(user)
    }

    /// Another token of a user's.
    pub async fn token_of(&self, name: &str, lifetime: Duration) -> Result<String> {
        let request = json!({"spec": {"expirationSeconds": lifetime.as_secs()}});
        let path = format!("{ACCOUNTS}/{name}/token");
        let answer = self.client()?.request("POST", &path, Some(&request)).await?.success("ask for a token")?;
        Ok(answer["status"]["token"].as_str().context("an answer without token")?.to_owned())
    }

    /// Replaces a user's rights. They are in force when this returns.
    pub async fn grant(&self, user: &TokenUser, access: &Access) -> Result<()> {
        let client = self.client()?;
        // A path that nobody serves marks this very version of the role: once the user may ask for it, the server's
        // authorizer has read the role.
        let marker = format!("/testkit/{}", crate::machine::secret());
        let mut rules = access.rules(&client).await?;
        rules.push(json!({"nonResourceURLs": [marker], "verbs": ["get"]}));
        let name = role(&user.name);
        let body = json!({"metadata": {"name": name, "labels": {LABEL: "true"}}, "rules": rules});
        put(&client, ROLES, &name, &body).await?;
        let review = json!({"spec": {
            "user": format!("system:serviceaccount:default:{}", user.name),
            "nonResourceAttributes": {"path": marker, "verb": "get"},
        }});
        eventually(WITHIN, "the rights are in force", || async {
            let path = "/apis/authorization.k8s.io/v1/subjectaccessreviews";
            let answer = client.request("POST", path, Some(&review)).await?.success("review")?;
            ensure!(answer["status"]["allowed"] == true, "not allowed yet");
            Ok::<_, anyhow::Error>(())
        })
        .await
    }

    /// Makes a user's tokens worthless; every request with one is answered 401 when this returns. It takes up to ten
    /// seconds, because the API server remembers for so long whose a token was.
    pub async fn revoke(&self, user: &TokenUser) -> Result<()> {
        let client = self.client()?;
        client.request("DELETE", &format!("{ACCOUNTS}/{}", user.name), None).await?.success("delete the account")?;
        let theirs = self.client_as(&user.token)?;
        eventually(WITHIN, "the token is refused", || async {
            let answer = theirs.request("GET", "/api", None).await?;
            if answer.status == 401 { Ok(()) } else { bail!("it is still answered {}", answer.status) }
        })
        .await
    }
}

fn role(user: &str) -> String {
    format!("testkit-{user}")
}

/// Creates, or replaces what is there.
async fn put(client: &KubeClient, collection: &str, name: &str, body: &Value) -> Result<Answer> {
    let answer = client.request("POST", collection, Some(body)).await?;
    let answer = if answer.status == 409 {
        client.request("PUT", &format!("{collection}/{name}"), Some(body)).await?
    } else {
        answer
    };
    ensure!(answer.status < 300, "put {collection}/{name}: {} {}", answer.status, answer.body["message"]);
    Ok(answer)
}
