//! A secret of its own is planted in every place that takes one, all of them are used, and then every page, answer, log
//! line, file, column, export, metric and backup is searched for all of them, as they are and as base64.

use crate::crawl::crawl;
use crate::world::{NAMESPACES, token, world};
use anyhow::{Context, Result, ensure};
use base64::Engine as _;
use std::path::Path;
use testkit::{Access, Console, ConsoleOptions, Folder, HttpUser};

/// Everything that was said or left behind: where, and what.
type Said = Vec<(String, Vec<u8>)>;

/// Every file below a folder, as it is on the disk.
fn files(folder: &Path, found: &mut Said) -> Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            files(&path, found)?;
        } else if let Ok(bytes) = std::fs::read(&path) {
            found.push((path.display().to_string(), bytes));
        }
    }
    Ok(())
}

/// The spellings in which a secret could stand somewhere.
fn spellings(secret: &str) -> Vec<Vec<u8>> {
    let encoded = base64::engine::general_purpose::STANDARD.encode(secret);
    // The last characters depend on what follows.
    let encoded = encoded.trim_end_matches('=')[..encoded.len() * 3 / 4].to_owned();
    vec![secret.as_bytes().to_vec(), encoded.into_bytes()]
}

fn holds(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

#[tokio::test(flavor = "multi_thread")]
async fn lesson_33_no_place_gives_back_a_secret_that_was_planted_in_any_of_those_that_take_one() -> Result<()> {
    let world = world().await;
    let temporary = Folder::new("secrets-tmp")?;
    let metrics = "metrics-token-planted-1f0e";
    let env = vec![
        ("HEDGEROW_LOG_LEVEL".to_owned(), "debug".to_owned()),
        ("HEDGEROW_METRICS_TOKEN".to_owned(), metrics.to_owned()),
        ("HEDGEROW_SESSION_REAUTHENTICATE".to_owned(), "1s".to_owned()),
        ("HEDGEROW_OPENID_ISSUER".to_owned(), "https://127.0.0.1:9".to_owned()),
        ("HEDGEROW_OPENID_CLIENT_ID".to_owned(), "hedgerow".to_owned()),
        ("HEDGEROW_OPENID_CLIENT_SECRET".to_owned(), "client-secret-planted-0dd5".to_owned()),
        ("TMPDIR".to_owned(), temporary.path().display().to_string()),
    ];
    let console = Console::start(ConsoleOptions { env, ..ConsoleOptions::default() }).await?;
    let first = console.password()?.to_owned();
    let mut said = Said::new();
    let mut secrets: Vec<(&str, String)> =
        vec![("the metrics' token", metrics.to_owned()), ("the first password", first.clone())];
    let plant = |what: &'static str, secret: &str, secrets: &mut Vec<(&str, String)>| {
        secrets.push((what, secret.to_owned()));
        secret.to_owned()
    };

    // Logins: the right one, a wrong password, and a password that was typed into the wrong field.
    let (mut user, _) = console.login("admin", &first).await?;
    for (name, password) in [("admin", "wrong-password-planted-77aa"), ("typed-as-name-planted-93bb", "x")] {
        let mut visitor = console.visitor()?;
        let form = visitor.visit("/login/").await?;
        let refused = visitor.submit(&form, "form.form", &[("username", name), ("password", password)]).await?;
        ensure!(refused.status == 401, "{}", refused.status);
        // What was typed as a name is shown to the one who typed it, and to nobody else.
        if name == "admin" {
            said.push(("the refused login".into(), refused.body.into_bytes()));
        }
    }
    plant("a wrong password", "wrong-password-planted-77aa", &mut secrets);
    plant("a password typed as a name", "typed-as-name-planted-93bb", &mut secrets);

    // A fabric by kubeconfig with a source by token, refused first; then another by endpoint.
    let account = world.plane.token_user("planted", &Access::writer()).await?;
    plant("the cluster's token", &account.token, &mut secrets);
    let source = plant("the source's token", "git-token-planted-5cc0", &mut secrets);
    world.git.add_user("planted", &source);
    world.git.create_repo("planted").await?;
    let namespace = serde_json::json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "planted"}});
    world.plane.client()?.create(&namespace).await?;
    world.git.commit("planted", "main", &[("namespaces.yaml", Some(NAMESPACES))], "Begin").await?;
    let kubeconfig = world.plane.kubeconfig(&world.plane.url(), &account.token);
    let url = world.git.url("planted");
    let fields = [
        ("name", "planted"),
        ("kubeconfig", kubeconfig.as_str()),
        ("cluster_kind", "kubeconfig"),
        ("namespace", "planted"),
        ("source_url", &url),
        ("credential_kind", "token"),
        ("source_username", "planted"),
        ("source_token", &source),
        ("current_password", &first),
    ];
    tokio::time::sleep(std::time::Duration::from_millis(1100)).await;
    let form = user.visit("/fabrics/add/").await?;
    let refused = user.submit(&form, "form.form", &[&fields[..8], &[("deadline_minutes", "x")]].concat()).await?;
    ensure!(refused.status == 403, "the password is asked for: {}", refused.status);
    said.push(("the form that asks for the password".into(), refused.body.into_bytes()));
    let refused = user.submit(&form, "form.form", &[&fields[..], &[("deadline_minutes", "x")]].concat()).await?;
    ensure!(refused.status == 422, "{}", refused.status);
    said.push(("the refused form".into(), refused.body.into_bytes()));
    let answer = user.submit(&form, "form.form", &fields).await?;
    let fabric = answer.location().with_context(|| answer.visible_text())?;
    let id: i64 = fabric.trim_matches('/').rsplit('/').next().context("a number")?.parse()?;
    for verb in ["test-connection", "sync-from-git", "sync-from-fabric", "sync"] {
        let page = user.visit(&fabric).await?;
        let path = format!("{fabric}{verb}/?wait=50");
        let answer = user.script("POST", &path, &[("X-CSRFToken", &token(&page)?)], Some("{}")).await?;
        ensure!(answer.status == 200, "the secrets work, so they were used: {verb}: {}", answer.body);
        said.push((verb.to_owned(), answer.body.into_bytes()));
    }
    let identity = world.plane.client_certificate("planted", &["system:masters"])?;
    let key_line = identity.key.lines().nth(2).context("a key has lines")?.to_owned();
    plant("the private key of a client certificate", &key_line, &mut secrets);
    let endpoint = [
        ("name", "planted-2"),
        ("cluster_kind", "endpoint"),
        ("server", &world.plane.url()),
        ("ca_pem", world.plane.ca_certificate()),
        ("client_certificate", &identity.certificate),
        ("client_key", &identity.key),
        ("credential_kind", "none"),
        ("namespace", "planted-2"),
        ("current_password", &first),
    ];
    // The form has the field of the password only once the last proof is older than its second.
    tokio::time::sleep(std::time::Duration::from_millis(1100)).await;
    let form = user.visit("/fabrics/add/").await?;
    let answer = user.submit(&form, "form.form", &endpoint).await?;
    let second = answer.location().with_context(|| answer.visible_text())?;
    let page = user.visit(&second).await?;
    let tested = user.submit(&page, "form[data-verb=test_connection]", &[]).await?;
    ensure!(tested.status == 303, "{}", tested.visible_text());

    // A form with credentials that is sent after its session has ended, and comes back.
    let (mut late, _) = console.login("admin", &first).await?;
    let form = late.visit("/fabrics/add/").await?;
    let page = user.visit("/account/sessions/").await?;
    user.submit(&page, "form:has([name=which][value=others])", &[]).await?;
    let lost = plant("a token that was sent too late", "late-token-planted-e41d", &mut secrets);
    let fields = [("name", "late"), ("source_url", &*url), ("credential_kind", "token"), ("source_token", &*lost)];
    let led = late.submit(&form, "form.form", &fields).await?;
    let login = late.arrive(led).await?;
    let back = late.submit(&login, "form.form", &[("username", "admin"), ("password", &first)]).await?;
    let kept = late.arrive(back).await?;
    ensure!(kept.visible_text().contains("so nothing was done"), "{}", kept.visible_text());
    said.push(("the form that was kept".into(), kept.body.into_bytes()));

    // Another password of one's own, refused and taken.
    let new = plant("a new password", "seven lanterns planted on a hill", &mut secrets);
    for again in ["another one than before", &new] {
        let form = user.visit("/account/password/").await?;
        let fields = [("current_password", &*first), ("new_password", &new), ("new_password_again", again)];
        let answer = user.submit(&form, "form.form", &fields).await?;
        said.push((format!("the password form, {}", answer.status), answer.body.into_bytes()));
    }
    let created =
        console.run(&["user", "create", "planted", "--password-stdin"], Some("a trellis planted by the gate"));
    let created = created.await?;
    ensure!(created.status.success(), "{created:?}");
    plant("a password of the command line", "a trellis planted by the gate", &mut secrets);
    console.login("planted", "a trellis planted by the gate").await?;
    plant("the client's secret at a provider", "client-secret-planted-0dd5", &mut secrets);
    let made = console.run(&["user", "token", "add", "admin", "--description", "planted"], None).await?;
    let printed = String::from_utf8(made.stdout)?.trim().to_owned();
    let secret = printed.split_once('.').context("a key and a secret")?.1.trim().to_owned();
    let bearer = format!("Bearer {printed}");
    let used = console.visitor()?.script("GET", "/fabrics/", &[("Authorization", &bearer)], None).await?;
    ensure!(used.status == 200, "the API token lets in: {}", used.body);
    said.push(("an answer to an API token".into(), used.body.into_bytes()));
    plant("the secret of an API token", &secret, &mut secrets);

    // Everything that can be read.
    let look = async |user: &mut HttpUser, path: &str, said: &mut Said| -> Result<()> {
        for kind in ["text/html", "application/json"] {
            let answer = user.script("GET", path, &[("Accept", kind)], None).await?;
            // Nothing listens where this console's provider is to be, and the way there says so.
            let unavailable = path == "/login/openid/" && answer.status == 503;
            ensure!(answer.status < 500 || unavailable, "{path}: {}", answer.body);
            said.push((format!("{path} as {kind}"), answer.body.into_bytes()));
        }
        Ok(())
    };
    for route in web::routes().iter().filter(|route| route.method == "GET" && !route.path.ends_with("/events/")) {
        let path =
            route.path.replace("{id}", &id.to_string()).replace("{kind}", "VLANNamespace.wiring.githedgehog.com");
        let path = path.replace("{namespace}", "planted").replace("{name}", "default").replace("{code}", "partial");
        look(&mut user, &path.replace("{version}", "x").replace("{file}", "main.js"), &mut said).await?;
    }
    for query in
        ["export/?format=csv", "export/?format=json", "timeline/?user=admin", "?show=attempts", "?show=refused"]
    {
        look(&mut user, &format!("/activity/{query}"), &mut said).await?;
    }
    let read = user.script("GET", "/metrics", &[("Authorization", &format!("Bearer {metrics}"))], None).await?;
    ensure!(read.status == 200, "the metrics are read with their token: {}", read.status);
    said.push(("the metrics".into(), read.body.into_bytes()));
    let crawled = crawl(&mut user, id).await?;
    said.extend(crawled.pages.into_iter().map(|page| (page.url.to_string(), page.body.into_bytes())));
    let backup = temporary.path().join("backup.hedgerow");
    let file = backup.display().to_string();
    for words in [&["backup", &file][..], &["backup", &file, "--list"], &["config"], &["user", "list"], &["migrate"]] {
        let output = console.run(words, None).await?;
        ensure!(output.status.success(), "{words:?}: {output:?}");
        said.push((format!("{words:?}"), [output.stdout, output.stderr].concat()));
    }
    files(console.data_dir(), &mut said)?;
    files(temporary.path(), &mut said)?;
    ensure!(said.iter().any(|(at, _)| at.ends_with("hedgerow.db")), "the database is among them");
    ensure!(said.iter().any(|(at, _)| at.ends_with("backup.hedgerow")), "the backup is among them");
    said.push(("the log".to_owned(), console.log().replacen(&first, "printed once", 1).into_bytes()));

    for user in [&user, &late] {
        let sessions = user.cookies().iter().filter(|cookie| cookie.name.contains("session"));
        secrets.extend(sessions.map(|cookie| ("a session's token", cookie.value.clone())));
    }
    let key = std::fs::read_to_string(console.data_dir().join("secret.key"))?;
    let said: Said = said.into_iter().filter(|(at, _)| !at.ends_with("secret.key")).collect();
    secrets.push(("the key of the credentials", key.trim().to_owned()));
    ensure!(secrets.len() >= 12, "{} secrets were planted", secrets.len());
    let mut found = Vec::new();
    for (what, secret) in &secrets {
        for part in spellings(secret) {
            found.extend(
                said.iter().filter(|(_, bytes)| holds(bytes, &part)).map(|(at, _)| format!("{at} holds {what}")),
            );
        }
    }
    ensure!(found.is_empty(), "{found:#?}");
    // The search itself can find: what is no secret is there.
    ensure!(said.iter().filter(|(_, bytes)| holds(bytes, b"planted-2")).count() > 3, "the search finds what is there");
    Ok(())
}
