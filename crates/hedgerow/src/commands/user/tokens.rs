//! `hedgerow user token`: API tokens on the database directly, for a machine that sets itself up and for the day on which
//! nobody can log in.

use super::{changing, find, with_store};
use crate::commands::deed::Deed;
use crate::{cli, output};
use anyhow::{Context as _, anyhow, bail};
use auth::{ApiTokens, SystemClock, ThrottleLimits, TokenWishes};
use jiff::{SignedDuration, Timestamp};
use secrecy::ExposeSecret;
use serde::Serialize;
use std::sync::Arc;
use store::{ApiToken, Store};

/// Who revokes, in the list.
const BY: &str = "the command line";

/// Runs one of the commands.
pub(super) fn run(command: &cli::UserToken) -> anyhow::Result<()> {
    match command {
        cli::UserToken::Add(arguments) => {
            let deed = Deed { action: "tokens", command: "hedgerow user token add", subject: &arguments.name };
            changing(&arguments.source, &deed, async |store| add(store, arguments).await)
        }
        cli::UserToken::List(arguments) => with_store(&arguments.source, async |store| list(store, arguments).await),
        cli::UserToken::Revoke(arguments) => {
            // Whoever has the whole token at hand may give that; its secret is kept nowhere.
            let key = arguments.key.strip_prefix(auth::TOKEN_PREFIX).unwrap_or(&arguments.key);
            let key = key.split('.').next().unwrap_or_default();
            let deed = Deed { action: "token_revoke", command: "hedgerow user token revoke", subject: key };
            changing(&arguments.source, &deed, async |store| revoke(store, key).await)
        }
    }
}

async fn add(store: &Store, arguments: &cli::UserTokenAdd) -> anyhow::Result<()> {
    let user = find(store, &arguments.name).await?;
    let expires_at = match arguments.expires {
        Some(after) => {
            let after = SignedDuration::try_from(after).map_err(|_| anyhow!("--expires is too long"))?;
            Some(Timestamp::now().checked_add(after).context("--expires is too long")?)
        }
        None => None,
    };
    let wishes = TokenWishes {
        description: arguments.description.clone(),
        expires_at,
        allowed_addresses: arguments.from.iter().map(ipnet::IpNet::trunc).collect(),
        read_only: arguments.read_only,
    };
    let tokens = ApiTokens::new(store.clone(), Arc::new(SystemClock), ThrottleLimits::default());
    let made = tokens.make(user.id, wishes, None).await.context("cannot make the API token")?;
    // Alone on standard output, so that it can go straight into a file.
    Ok(output::text(&format!("{}\n", made.text.expose_secret()))?)
}

/// One token in JSON.
#[derive(Serialize)]
struct Row {
    key: String,
    description: String,
    created: Timestamp,
    expires: Option<Timestamp>,
    last_used: Option<Timestamp>,
    last_used_from: Option<String>,
    only_from: Vec<String>,
    read_only: bool,
    revoked: Option<Timestamp>,
    revoked_by: Option<String>,
    good: bool,
}

impl Row {
    fn of(token: ApiToken, now: Timestamp) -> Self {
        Self {
            good: token.lasts_at(now),
            key: token.key,
            description: token.description,
            created: token.created_at,
            expires: token.expires_at,
            last_used: token.last_used_at,
            last_used_from: token.last_used_address,
            only_from: token.allowed_addresses,
            read_only: token.read_only,
            revoked: token.revoked_at,
            revoked_by: token.revoked_by,
        }
    }
}

async fn list(store: &Store, arguments: &cli::UserTokenList) -> anyhow::Result<()> {
    let user = find(store, &arguments.name).await?;
    let (tokens, now) =
        (store.api_tokens().of_user(user.id).await.context("cannot read the tokens")?, Timestamp::now());
    let rows: Vec<Row> = tokens.into_iter().map(|token| Row::of(token, now)).collect();
    if arguments.json {
        return Ok(output::json(&rows)?);
    }
    if rows.is_empty() {
        return Ok(output::text(&format!("'{}' has no API tokens\n", user.username))?);
    }
    let time = |at: Option<Timestamp>| at.map_or("never".to_owned(), |at| format!("{at:.0}"));
    let lines: Vec<Vec<String>> = rows
        .iter()
        .map(|row| {
            let state = match (&row.revoked_by, row.good) {
                (Some(by), _) => format!("revoked by {by}"),
                (None, true) => "good".to_owned(),
                (None, false) => "expired".to_owned(),
            };
            let reads = if row.read_only { "yes" } else { "no" }.to_owned();
            let (expires, used) = (time(row.expires), time(row.last_used));
            vec![row.key.clone(), state, reads, expires, used, row.description.clone()]
        })
        .collect();
    Ok(output::text(&output::table(&["KEY", "STATE", "READ ONLY", "EXPIRES", "LAST USED", "DESCRIPTION"], &lines))?)
}

async fn revoke(store: &Store, key: &str) -> anyhow::Result<()> {
    let Some(token) = store.api_tokens().find_by_key(key).await.context("cannot look for the token")? else {
        bail!("there is no API token with this key; `hedgerow user token list NAME` shows the keys");
    };
    let now = store.api_tokens().revoke(token.id, BY, Timestamp::now()).await.context("cannot revoke the token")?;
    let done = if now { "revoked" } else { "had been revoked before:" };
    Ok(output::text(&format!("{done} the API token {}\n", token.key))?)
}
