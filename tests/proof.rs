//! What `hedgerow verify` is tried on: a site with a real API server, Hedgehog played beside it, a real Git server, users
//! of every sort, and a fabric whose cluster does not answer. It runs the built program, as a user does, and reads what
//! that has written down.

use crate::site::{Site, fabric_files};
use anyhow::{Context, Result, ensure};
use std::time::Duration;
use testkit::{Folder, Started};
use verify::results::{JourneyResult, Run};
use verify::verdict::Verdict;

/// How long a run may take on a busy machine.
const LONGEST: Duration = Duration::from_secs(900);

/// How a run ended, and what it has written down.
pub struct Proved {
    /// The exit code.
    pub code: Option<i32>,
    /// Its results.
    pub run: Run,
    /// The folder of its evidence.
    pub folder: Folder,
}

impl Proved {
    /// One journey.
    pub fn journey(&self, name: &str) -> Result<&JourneyResult> {
        self.run.journeys.iter().find(|one| one.name == name).with_context(|| format!("{name} was made"))
    }

    /// That nothing of a journey was left untold.
    pub fn is_told(&self, name: &str) -> Result<()> {
        let one = self.journey(name)?;
        let open = one.checks.iter().find(|check| check.held.is_none());
        ensure!(open.is_none(), "{name}: {open:?}");
        Ok(())
    }

    /// That every journey passed, but for these, which were skipped.
    pub fn all_passed_but(&self, skipped: &[&str]) -> Result<()> {
        for one in &self.run.journeys {
            let wanted = if skipped.contains(&one.name.as_str()) { Verdict::Skipped } else { Verdict::Pass };
            ensure!(one.verdict == wanted, "{} ({}): {:?} {}", one.name, one.driver, one.verdict, one.sentence);
        }
        ensure!(self.run.leaks.is_empty(), "{:?}", self.run.leaks);
        ensure!(self.run.cleanup.iter().all(|one| one.restored), "{:?}", self.run.cleanup);
        ensure!(self.code == Some(0), "exit code {:?}: {}", self.code, self.run.sentence);
        Ok(())
    }
}

/// A run of `hedgerow verify` that goes on.
pub struct Proving {
    /// The program.
    pub program: Started,
    folder: Folder,
}

impl Proving {
    /// Begins with these words, the password on standard input, into a folder of its own.
    pub async fn begin(words: &[&str], password: &str) -> Result<Self> {
        let folder = Folder::new("verify")?;
        let out = folder.join("run");
        let out = out.to_str().context("a path in UTF-8")?;
        let mut all = vec!["verify", "--password-stdin", "--output", out];
        all.extend(words);
        // The browsers' drivers are found as a user's are; geckodriver lies in the cache.
        let gecko =
            testkit::geckodriver().ok().and_then(|file| file.parent().map(|folder| folder.display().to_string()));
        let path = format!("{}:{}", gecko.unwrap_or_default(), std::env::var("PATH")?);
        let program = Started::hedgerow(&all, &[("PATH", &path)], Some(password)).await?;
        Ok(Self { program, folder })
    }

    /// Waits until it is over, and reads what it has written down.
    pub async fn end(self) -> Result<Proved> {
        let output = self.program.ended(LONGEST).await?;
        let text = std::fs::read_to_string(self.folder.join("run/results.json"));
        let text = text.with_context(|| format!("no results: {}", String::from_utf8_lossy(&output.stderr)))?;
        Ok(Proved { code: output.status.code(), run: serde_json::from_str(&text)?, folder: self.folder })
    }
}

/// Runs `hedgerow verify` with these words to its end.
pub async fn verify(words: &[&str], password: &str) -> Result<Proved> {
    Proving::begin(words, password).await?.end().await
}

/// A site in which everything is as it should be, with everybody that a journey needs.
pub struct Proof {
    /// The site.
    pub site: Site,
    folder: Folder,
}

impl Proof {
    /// A site with settings of its console by their environment variables.
    pub async fn start(settings: &[(&str, &str)]) -> Result<Self> {
        let mut proof = Self::unsynced(settings).await?;
        proof.site.synced().await?;
        Ok(proof)
    }

    /// The same before anything was synced.
    pub async fn unsynced(settings: &[(&str, &str)]) -> Result<Self> {
        let site = Site::start_with(&lab::kinds::crds(), settings).await?;
        site.commit(&fabric_files()).await?;
        for words in [
            ["user", "create", "second", "--superuser", "--password-stdin"].as_slice(),
            &["user", "create", "reader", "--password-stdin"],
        ] {
            let made = site.console.run(words, Some("a password of proof\n")).await?;
            ensure!(made.status.success(), "{made:?}");
        }
        let granted = site.console.run(&["user", "grant", "reader", "--action", "view"], None).await?;
        ensure!(granted.status.success(), "{granted:?}");
        let folder = Folder::new("proof")?;
        folder.write("oracle.kubeconfig", site.plane.kubeconfig_admin())?;
        folder.write("password", "a password of proof\n")?;
        Ok(Self { site, folder })
    }

    /// A second fabric, whose cluster does not answer.
    pub async fn add_unreachable(&mut self) -> Result<()> {
        let closed = self.site.plane.kubeconfig("https://127.0.0.1:1", "token-of-nobody");
        let form = self.site.user.visit("/fabrics/add/").await?;
        let fields = [
            ("name", "north"),
            ("cluster_kind", "kubeconfig"),
            ("kubeconfig", &*closed),
            ("source_url", &self.site.git.url("fabric")),
            ("branch", "main"),
            ("credential_kind", "token"),
            ("source_username", "hedgerow"),
            ("source_token", "git-token-1"),
        ];
        let answer = self.site.user.submit(&form, "form.form", &fields).await?;
        ensure!(answer.status == 303, "the form was not taken: {} {}", answer.status, answer.visible_text());
        Ok(())
    }

    /// Verifies the site with everything that it has, and these words besides.
    pub async fn verify(&self, words: &[&str]) -> Result<Proved> {
        self.begin(&[&["--allow-sync"], words].concat()).await?.end().await
    }

    /// Begins to verify the site with everything that it has, read-only unless these words say otherwise.
    pub async fn begin(&self, words: &[&str]) -> Result<Proving> {
        let database = format!("sqlite:{}", self.site.console.data_dir().join("hedgerow.db").display());
        self.begin_with_database(&database, words).await
    }

    /// The kubeconfig of the oracle.
    pub fn kubeconfig(&self) -> String {
        self.folder.join("oracle.kubeconfig").display().to_string()
    }

    /// The repository as the oracle reads it.
    pub fn repository(&self) -> String {
        self.site.git.url("fabric").replacen("://", "://hedgerow:git-token-1@", 1)
    }

    /// The same with this database.
    pub async fn begin_with_database(&self, database: &str, words: &[&str]) -> Result<Proving> {
        let password = self.folder.join("password").display().to_string();
        let (kubeconfig, git) = (self.kubeconfig(), self.repository());
        let (second, reader) = (format!("second={password}"), format!("reader={password}"));
        let mut all = vec![
            "--target",
            self.site.console.url(),
            "--username",
            self.site.console.username()?,
            "--fabric",
            "site",
            "--oracle-kubeconfig",
            &kubeconfig,
            "--oracle-git",
            &git,
            "--second",
            &second,
            "--reader",
            &reader,
            "--oracle-database",
            database,
        ];
        all.extend(words);
        Proving::begin(&all, self.site.console.password()?).await
    }
}
