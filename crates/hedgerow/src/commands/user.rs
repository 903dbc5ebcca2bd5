//! `hedgerow user`: accounts, on the database directly, so that it works before the first login and after the last
//! forgotten password. A server that runs on the same database sees the change at the next request.

mod permissions;
mod tokens;

use super::deed::{Deed, author};
use crate::cli::{self, PasswordInput, Source};
use crate::{Misuse, database, output, password, server};
use anyhow::{Context as _, anyhow, bail};
use jiff::Timestamp;
use secrecy::SecretString;
use serde::Serialize;
use store::nouns::Links;
use store::sessions::EndReason;
use store::{External, NewUser, Scope, Store, Unique, User, UserSpec};

/// Runs one of the commands.
pub(crate) fn run(command: &cli::User) -> anyhow::Result<()> {
    match command {
        cli::User::Create(arguments) => {
            check_name(&arguments.name)?;
            let password = read_password(&arguments.name, &arguments.password)?;
            let deed = Deed { action: "user_add", command: "hedgerow user create", subject: &arguments.name };
            changing(&arguments.source, &deed, async |store| {
                let user = create(store, &arguments.name, &password, arguments.superuser).await?;
                let role = if user.is_superuser { "superuser" } else { "user" };
                Ok(output::text(&format!("created the {role} '{}'\n", user.username))?)
            })
        }
        cli::User::SetPassword(arguments) => {
            let password = read_password(&arguments.name, &arguments.password)?;
            let deed =
                Deed { action: "user_password", command: "hedgerow user set-password", subject: &arguments.name };
            changing(&arguments.source, &deed, async |store| {
                let ended = set_password(store, &arguments.name, &password).await?;
                let sessions = if ended == 1 { "1 session" } else { &format!("{ended} sessions") };
                Ok(output::text(&format!("set the password of '{}' and ended {sessions}\n", arguments.name))?)
            })
        }
        cli::User::Grant(arguments) => {
            let permission = permissions::read(arguments)?;
            let deed = Deed { action: "permission_add", command: "hedgerow user grant", subject: &arguments.name };
            let grant = async |store: &Store| permissions::grant(store, &arguments.name, permission).await;
            changing(&arguments.source, &deed, grant)
        }
        cli::User::Revoke(arguments) => {
            let deed = Deed { action: "permission_edit", command: "hedgerow user revoke", subject: &arguments.name };
            changing(&arguments.source, &deed, async |store| {
                permissions::revoke(store, &arguments.name, arguments.permission).await
            })
        }
        cli::User::Token(command) => tokens::run(command),
        cli::User::Change(arguments) => {
            let deed = Deed { action: "user_edit", command: "hedgerow user change", subject: &arguments.name };
            changing(&arguments.source, &deed, async |store| change(store, arguments).await)
        }
        cli::User::Delete(arguments) => {
            let deed = Deed { action: "user_delete", command: "hedgerow user delete", subject: &arguments.name };
            changing(&arguments.source, &deed, async |store| {
                let user = find(store, &arguments.name).await?;
                let deleted = store.users().by(&author()).delete_in(&Scope::System, user.id).await;
                deleted.with_context(|| format!("cannot delete '{}'", user.username))?;
                Ok(output::text(&format!("deleted '{}'\n", user.username))?)
            })
        }
        cli::User::Link(arguments) => {
            let external = external(arguments)?;
            let deed = Deed { action: "user_connect", command: "hedgerow user link", subject: &arguments.name };
            changing(&arguments.source, &deed, async |store| link(store, &arguments.name, external.as_ref()).await)
        }
        cli::User::List(arguments) => with_store(&arguments.source, async |store| list(store, arguments.json).await),
    }
}

/// Creates a user.
pub(crate) async fn create(
    store: &Store,
    name: &str,
    password: &SecretString,
    is_superuser: bool,
) -> anyhow::Result<User> {
    let new =
        NewUser { username: name.to_owned(), password_hash: hash(password).await?, is_superuser, is_active: true };
    match store.users().by(&author()).create(new, Timestamp::now()).await {
        Err(store::Error::Conflict(Unique::Username)) => {
            let taken = store.users().by_name(name).await.ok().flatten().map_or(name.to_owned(), |user| user.username);
            Err(anyhow!("there is a user '{taken}' already; upper and lower case make no difference"))
        }
        other => other.with_context(|| format!("cannot create the user '{name}'")),
    }
}

async fn set_password(store: &Store, name: &str, password: &SecretString) -> anyhow::Result<u64> {
    let user = find(store, name).await?;
    let hash = hash(password).await?;
    store.users().by(&author()).set_password(user.id, &hash).await.context("cannot store the password")?;
    let by = Some("the command line");
    let ended = store.sessions().end_all_of_user(user.id, None, Timestamp::now(), EndReason::PasswordChanged, by).await;
    ended.context("the password is set, but the user's sessions could not be ended")
}

async fn change(store: &Store, arguments: &cli::UserChange) -> anyhow::Result<()> {
    let user = find(store, &arguments.name).await?;
    let spec = UserSpec {
        username: user.username.clone(),
        is_active: arguments.active.unwrap_or(user.is_active),
        is_superuser: arguments.superuser.unwrap_or(user.is_superuser),
    };
    let changed = store.users().by(&author()).update(&Scope::System, user.id, &spec, &Links::default()).await;
    let user = changed.with_context(|| format!("cannot change '{}'", user.username))?;
    let (rank, state) = (
        if user.is_superuser { "a superuser" } else { "no superuser" },
        if user.is_active { "active" } else { "switched off" },
    );
    Ok(output::text(&format!("'{}' is {rank} and {state}\n", user.username))?)
}

/// Who the user shall be for the provider.
fn external(arguments: &cli::UserLink) -> anyhow::Result<Option<External>> {
    let Some(subject) = arguments.openid_subject.clone() else { return Ok(None) };
    let set = super::settings(&arguments.source)?.openid_issuer.map(|issuer| issuer.0);
    let Some(issuer) = arguments.openid_issuer.clone().or(set) else {
        bail!("no provider is set; name it with --openid-issuer, or set openid.issuer");
    };
    Ok(Some(External { issuer, subject }))
}

async fn link(store: &Store, name: &str, external: Option<&External>) -> anyhow::Result<()> {
    let user = find(store, name).await?;
    match store.users().by(&author()).link(user.id, external).await {
        Err(store::Error::Conflict(Unique::External)) => {
            bail!(
                "another user is connected with this person of the provider; `hedgerow user link OTHER --none` ends that"
            )
        }
        other => other.context("cannot connect the user")?,
    }
    Ok(output::text(&match external {
        Some(external) => format!("connected '{name}' with {} of {}\n", external.subject, external.issuer),
        None => format!("'{name}' is connected with no provider any more\n"),
    })?)
}

async fn find(store: &Store, name: &str) -> anyhow::Result<User> {
    let Some(user) = store.users().by_name(name).await.context("cannot look for the user")? else {
        bail!("there is no user '{name}'; `hedgerow user list` shows who there is");
    };
    Ok(user)
}

/// One user in JSON.
#[derive(Serialize)]
struct Row {
    id: i64,
    username: String,
    superuser: bool,
    active: bool,
    created: Timestamp,
    last_login: Option<Timestamp>,
    permissions: Vec<permissions::Given>,
}

async fn list(store: &Store, json: bool) -> anyhow::Result<()> {
    let users = store.users().list().await.context("cannot read the users")?;
    let mut rows = Vec::with_capacity(users.len());
    for user in users {
        rows.push(Row {
            id: user.id,
            permissions: permissions::of(store, user.id).await?,
            username: user.username,
            superuser: user.is_superuser,
            active: user.is_active,
            created: user.created_at,
            last_login: user.last_login_at,
        });
    }
    if json {
        return Ok(output::json(&rows)?);
    }
    let yes = |truth: bool| if truth { "yes" } else { "no" }.to_owned();
    let time = |at: Option<Timestamp>| at.map_or("never".to_owned(), |at| format!("{at:.0}"));
    if rows.is_empty() {
        return Ok(output::text("there are no users yet; create one with `hedgerow user create NAME`\n")?);
    }
    let lines: Vec<Vec<String>> = rows
        .iter()
        .map(|row| {
            let may = permissions::in_words(row.superuser, &row.permissions);
            let (created, last) = (time(Some(row.created)), time(row.last_login));
            vec![row.username.clone(), yes(row.superuser), yes(row.active), created, last, may]
        })
        .collect();
    let head = ["NAME", "SUPERUSER", "ACTIVE", "CREATED", "LAST LOGIN", "PERMISSIONS"];
    Ok(output::text(&output::table(&head, &lines))?)
}

fn check_name(name: &str) -> anyhow::Result<()> {
    if !auth::is_username(name) {
        return Err(Misuse(auth::USERNAME_WORDS.to_owned()).into());
    }
    Ok(())
}

fn read_password(name: &str, input: &PasswordInput) -> anyhow::Result<SecretString> {
    password::take(name, input.password_stdin)
}

async fn hash(password: &SecretString) -> anyhow::Result<String> {
    auth::Passwords::default().hash(password.clone()).await.context("cannot hash the password")
}

/// A command that changes something.
fn changing(
    source: &Source,
    deed: &Deed<'_>,
    work: impl AsyncFnOnce(&Store) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    with_store(source, async |store| deed.record(store, async || work(store).await).await)
}

fn with_store(source: &Source, work: impl AsyncFnOnce(&Store) -> anyhow::Result<()>) -> anyhow::Result<()> {
    let settings = super::settings(source)?;
    server::block_on(async {
        let store = database::open(&settings).await?;
        let result = work(&store).await;
        store.close().await;
        result
    })
}
