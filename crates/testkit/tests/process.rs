//! No orphans: what a fixture starts ends with it, and with the test process, however that ends.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::Result;
use testkit::{Folder, Process, eventually};

fn alive(id: &str) -> bool {
    // A zombie has ended; only nobody has asked yet how.
    let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
    stat.rsplit(')').next().is_some_and(|rest| !rest.trim_start().starts_with('Z') && !rest.is_empty())
}

/// A program with a child of its own; the ids of both are in its output.
fn family(ids: &Path) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", r#"sleep 600 & echo "$$ $!" > "$1.new"; mv "$1.new" "$1"; wait"#, "family"]).arg(ids);
    command
}

async fn read_ids(file: &Path) -> Result<Vec<String>> {
    eventually(Duration::from_secs(20), "the family is there", || async {
        std::fs::read_to_string(file).map(|text| text.split_whitespace().map(str::to_owned).collect())
    })
    .await
}

async fn all_gone(ids: &[String]) -> Result<()> {
    eventually(Duration::from_secs(20), "the family is gone", || async {
        let left: Vec<&String> = ids.iter().filter(|id| alive(id)).collect();
        if left.is_empty() { Ok(()) } else { Err(format!("alive: {left:?}")) }
    })
    .await
}

#[tokio::test]
async fn a_dropped_process_takes_its_children_along() -> Result<()> {
    let folder = Folder::new("process")?;
    let process = Process::start("family", &family(&folder.join("ids")), folder.path(), "TERM")?;
    let ids = read_ids(&folder.join("ids")).await?;
    assert!(ids.len() == 2 && ids.iter().all(|id| alive(id)));
    assert_eq!(ids[0], process.id().to_string(), "the process is the program itself, not a shell around it");
    drop(process);
    all_gone(&ids).await
}

#[tokio::test]
async fn a_killed_test_process_leaves_nothing_behind() -> Result<()> {
    if let Some(told) = std::env::var_os("TESTKIT_VICTIM") {
        return be_the_victim(Path::new(&told)).await;
    }
    let folder = Folder::new("process")?;
    // This very test in a process of its own, which starts a family, never ends, and is killed.
    let mut victim = Command::new(std::env::current_exe()?)
        .args(["--exact", "a_killed_test_process_leaves_nothing_behind", "--nocapture"])
        .env("TESTKIT_VICTIM", folder.path())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    let ids = read_ids(&folder.join("ids")).await?;
    let its_folder = std::fs::read_to_string(folder.join("folder"))?;
    assert!(Path::new(&its_folder).is_dir());
    victim.kill()?;
    victim.wait()?;
    all_gone(&ids).await?;
    eventually(Duration::from_secs(20), "its folder is gone", || async {
        if Path::new(&its_folder).exists() { Err(its_folder.clone()) } else { Ok(()) }
    })
    .await
}

async fn be_the_victim(told: &Path) -> Result<()> {
    let folder = Folder::new("victim")?;
    std::fs::write(told.join("folder"), folder.path().display().to_string())?;
    let _process = Process::start("family", &family(&told.join("ids")), folder.path(), "TERM")?;
    std::future::pending().await
}

#[tokio::test]
async fn last_words_are_in_the_failure() -> Result<()> {
    let folder = Folder::new("process")?;
    let mut command = Command::new("sh");
    command.args(["-c", "echo no such luck >&2; exit 3"]);
    let mut process = Process::start("gambler", &command, folder.path(), "TERM")?;
    assert_eq!(process.wait(Duration::from_secs(20)).await?.code(), Some(3));
    let failure = format!("{:#}", process.still_runs().unwrap_err());
    assert!(failure.contains("gambler") && failure.contains("no such luck"), "{failure}");
    Ok(())
}
