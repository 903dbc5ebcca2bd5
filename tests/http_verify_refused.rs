//! What verify says when it is let in nowhere, or to the wrong place: each is a class of its own, and none accuses a console
//! that does what it should.

use crate::proof::{Proof, verify};
use anyhow::{Context, Result, ensure};
use testkit::{Console, ConsoleOptions};
use verify::cause::Cause;
use verify::verdict::{RunVerdict, Verdict};

#[tokio::test(flavor = "multi_thread")]
async fn a_login_that_is_throttled_is_none_that_was_refused() -> Result<()> {
    let console = Console::start(ConsoleOptions::default()).await?;
    let mut user = console.visitor()?;
    let mut status = 0;
    for _ in 0..30 {
        let form = user.visit("/login/").await?;
        let fields = [("username", console.username()?), ("password", "not the password")];
        status = user.submit(&form, "form:has([name=username])", &fields).await?.status;
        if status == 429 {
            break;
        }
    }
    ensure!(status == 429, "the control: it is throttled, not {status}");
    let words = ["--target", console.url(), "--username", console.username()?, "--journey", "fabric_page"];
    let proved = verify(&words, console.password()?).await?;
    let finding = proved.run.finding.as_ref().context("it is said why")?;
    ensure!((proved.code, finding.cause) == (Some(4), Cause::Throttled), "{finding:?}");
    ensure!(proved.run.journeys.is_empty(), "nothing was judged");
    Ok(())
}

/// A button that says why it cannot be pressed is no defect, whichever journey wants to press it.
#[tokio::test(flavor = "multi_thread")]
async fn a_button_that_says_why_it_is_disabled_accuses_nobody() -> Result<()> {
    let proof = Proof::start(&[]).await?;
    let pressing = ["sync_by_button", "sync_by_form", "double_click", "two_users", "cancel", "two_paths"];
    let mut words = vec!["--target", proof.site.console.url(), "--username", "reader", "--allow-sync"];
    words.extend(pressing.iter().flat_map(|name| ["--journey", name]));
    let (kubeconfig, git) = (proof.kubeconfig(), proof.repository());
    words.extend(["--oracle-kubeconfig", &kubeconfig, "--oracle-git", &git]);
    let proved = verify(&words, "a password of proof").await?;
    ensure!((proved.run.verdict, proved.code) == (RunVerdict::Inconclusive, Some(3)), "{}", proved.run.sentence);
    for name in pressing {
        let one = proved.journey(name)?;
        ensure!(one.verdict == Verdict::Inconclusive, "{name}: {:?} {}", one.verdict, one.sentence);
        ensure!(one.sentence.contains("hedgerow.sync_fabric"), "{name} says why: {}", one.sentence);
    }
    Ok(())
}

/// Several fabrics may lie in one repository; what the oracle reads must be the fabric's own.
#[tokio::test(flavor = "multi_thread")]
async fn an_oracle_that_reads_another_folder_judges_nothing() -> Result<()> {
    let proof = Proof::start(&[]).await?;
    let text = "apiVersion: wiring.githedgehog.com/v1beta1\nkind: Server\nmetadata:\n  name: server-99\nspec: {}\n";
    proof.site.write("other/server.yaml", text).await?;
    let words = ["--journey", "status_agrees"];
    let proved = proof.begin(&[&words[..], &["--oracle-folder", "other"]].concat()).await?.end().await?;
    let finding = proved.run.finding.as_ref().context("it is said why")?;
    ensure!((proved.code, finding.cause) == (Some(4), Cause::OracleUnusable), "{finding:?}");
    let said = &finding.observed;
    ensure!(said.contains("the whole repository") && said.contains("reads other"), "{said}");
    Ok(())
}

/// The fabric's page says its namespace: a word that was mistyped accuses nobody.
#[tokio::test(flavor = "multi_thread")]
async fn an_oracle_that_reads_another_namespace_judges_nothing() -> Result<()> {
    let proof = Proof::start(&[]).await?;
    let proved = proof.verify(&["--journey", "status_agrees", "--namespace", "kube-system"]).await?;
    let finding = proved.run.finding.as_ref().context("it is said why")?;
    ensure!((proved.code, finding.cause) == (Some(4), Cause::OracleUnusable), "{finding:?}");
    ensure!(finding.observed.contains("kube-system") && finding.observed.contains("default"), "{finding:?}");
    Ok(())
}

/// Who may not even look gets no page, and no token: that such a request is refused proves nothing of permissions.
#[tokio::test(flavor = "multi_thread")]
async fn a_reader_who_may_not_look_proves_nothing_of_permissions() -> Result<()> {
    let proof = Proof::start(&[]).await?;
    let console = &proof.site.console;
    let password = "a password of nobody";
    let made = console.run(&["user", "create", "nobody", "--password-stdin"], Some(password)).await?;
    ensure!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let folder = testkit::Folder::new("reader")?;
    let file = folder.join("password");
    std::fs::write(&file, password)?;
    let nobody = format!("nobody={}", file.display());
    let words = ["--target", console.url(), "--username", console.username()?, "--journey", "permission"];
    let proved = verify(&[&words[..], &["--reader", &nobody]].concat(), console.password()?).await?;
    let one = proved.journey("permission")?;
    ensure!((proved.code, one.verdict) == (Some(3), Verdict::Inconclusive), "{}", one.sentence);
    ensure!(one.sentence.contains("nobody may not look at"), "{}", one.sentence);
    Ok(())
}
