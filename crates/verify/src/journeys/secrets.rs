//! What may be read of a fabric shows no secret: neither its list, nor its page, nor what scripts read; and not to those who
//! may only look either. Known secrets are those that the run was given, sessions, keys, tokens by their shape, and what
//! stands in data under the name of a secret.

use crate::cause::Cause;
use crate::drivers::Ask;
use crate::scene::{Scene, path_and_query};
use crate::stop::Walked;
use regex::Regex;
use serde_json::Value;
use std::sync::LazyLock;

/// Names of fields that hold a secret, if they hold anything. Tokens against forgery and of pages are none.
static SECRET: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"(?i)(password|secret|token|kubeconfig|private_key)$").expect("sound"));
static NONE: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"(?i)(csrf|page|continue|cursor)").expect("sound"));
/// What stands there in its place.
static MASK: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"^(?:[*•x.]*|<[^>]*>|\[[^\]]*\])$").expect("sound"));

pub(super) async fn walk(scene: &mut Scene<'_>) -> Walked<()> {
    let profile = scene.profile();
    let fabric = scene.fabric()?;
    let read = profile.status.api.iter().chain(&profile.fabric.last_success);
    let mut data: Vec<String> = read.map(|api| api.address.replace("{id}", &fabric.id)).collect();
    data.sort();
    data.dedup();
    let mut accounts = vec![scene.site.plan.account.clone()];
    accounts.extend(scene.site.plan.reader.clone());
    for account in accounts {
        let mut visitor = scene.logged_in(&account).await?;
        let (mut seen, mut named) = (Vec::new(), None);
        for address in [&profile.fabrics.address, &fabric.address] {
            let page = visitor.open(address).await?;
            scene.shown_by(&visitor);
            if page.status != 200 {
                let expected = format!("{} may look at {address}", account.username);
                scene.untold(&expected, &format!("status {}", page.status));
            }
            seen.push(path_and_query(&page.url));
        }
        for address in &data {
            let answer = visitor.ask(&Ask::get(address)).await?;
            scene.shown_by(&visitor);
            let path = path_and_query(&answer.url);
            let field = answer.json().ok().and_then(|data| named_secret(&data));
            let field = field.map(|name| format!("the field {name} in the answer to GET {path} has a value"));
            named = named.or(field);
            seen.push(path);
        }
        // Also what an earlier journey met there.
        let leaks = scene.site.redactor.leaks();
        let shown = leaks.iter().find(|leak| seen.iter().any(|path| leak.place.ends_with(&format!(" {path}"))));
        let shown = shown.map(|leak| format!("{} in the answer to {}", leak.what, leak.place)).or(named);
        let observed = shown.clone().unwrap_or_else(|| format!("{} answers hold none", seen.len()));
        let expected = format!("nothing that {} reads of {} shows a secret", account.username, fabric.name);
        scene.assert(shown.is_none(), Cause::SecretShown, &expected, observed)?;
        visitor.close().await;
    }
    Ok(())
}

/// The name of a field that is called after a secret and has a value.
fn named_secret(data: &Value) -> Option<String> {
    match data {
        Value::Object(fields) => fields.iter().find_map(|(name, value)| match value {
            Value::String(text) if SECRET.is_match(name) && !NONE.is_match(name) && !MASK.is_match(text) => {
                Some(name.clone())
            }
            value => named_secret(value),
        }),
        Value::Array(all) => all.iter().find_map(named_secret),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_secret_is_known_by_its_name() {
        let found = |data: Value| named_secret(&data);
        assert_eq!(found(json!({"a": [{"kubernetes_token": "abc"}]})).as_deref(), Some("kubernetes_token"));
        assert_eq!(found(json!({"password": "p"})).as_deref(), Some("password"));
        for none in [
            json!({"token": ""}),
            json!({"token": null, "has_token": true}),
            json!({"csrf_token": "abcdefgh", "next_page_token": "2"}),
            json!({"password": "********", "git_secret": "[hidden]", "token": "<set>"}),
            json!({"token_age": "3 d", "state": "in_sync"}),
        ] {
            assert_eq!(found(none.clone()), None, "{none}");
        }
    }
}
