//! What a repository's files say without git is what git says.

use crate::fixture::{SOON, ann, git, local, open, remote, vpc};
use source::{Change, Config, Credentials, Glance};
use std::path::Path;
use testkit::GitServer;

fn glance(dir: &Path, config: &Config) -> Glance {
    Glance::of(dir, config).unwrap()
}

#[tokio::test]
async fn the_branch_of_a_remote_is_seen_before_anybody_opens_the_repository() {
    let dir = tempfile::tempdir().unwrap();
    let server = GitServer::start().await.unwrap();
    server.create_repo("fabric").await.unwrap();
    let config = remote(&server.url("fabric"), Credentials::None);
    assert_eq!(glance(dir.path(), &config).head(), None, "there is no repository yet");
    assert!(!glance(dir.path(), &config).holds(&"1".repeat(40)));
    assert!(std::fs::read_dir(dir.path()).unwrap().next().is_none(), "looking makes nothing");
    let mut ids = Vec::new();
    for vlan in [1001, 1002] {
        ids.push(server.commit("fabric", "main", &[("web.yaml", Some(&vpc("web", vlan)))], "Change").await.unwrap());
        open(dir.path(), config.clone()).await.fetch(SOON, &|_| {}).await.unwrap();
        assert_eq!(glance(dir.path(), &config).head().as_ref(), ids.last());
    }
    let unseen = server.commit("fabric", "main", &[("b.yaml", Some(""))], "Not fetched").await.unwrap();
    let seen = glance(dir.path(), &config);
    assert!(ids.iter().all(|id| seen.holds(id)), "each fetch is a pack of its own");
    assert!(!seen.holds(&unseen) && !seen.holds("main") && !seen.holds(""));
    assert_eq!(glance(dir.path(), &Config { branch: "other".into(), ..config.clone() }).head(), None);
    // An administrator puts everything together.
    let bare = dir.path().join("repository.git");
    git(&bare, &["gc", "--quiet"], b"");
    git(&bare, &["pack-refs", "--all"], b"");
    assert_eq!(seen.head().as_ref(), ids.last());
    assert!(ids.iter().all(|id| seen.holds(id)) && !seen.holds(&unseen));
}

#[tokio::test]
async fn every_object_of_a_repository_is_found_and_no_other() {
    let dir = tempfile::tempdir().unwrap();
    let repository = open(dir.path(), local()).await;
    let bare = dir.path().join("repository.git");
    let commit = async |n: u16| {
        let files = (0..40).map(|f| (format!("{f}.yaml"), vpc(&format!("v{f}"), n)));
        let files: Vec<Change> = files.map(|(path, text)| Change { path, content: Some(text.into_bytes()) }).collect();
        repository.commit(&files, &ann(), "Round", None).await.unwrap();
    };
    for n in 0..5 {
        commit(n).await;
    }
    git(&bare, &["gc", "--quiet"], b"");
    // Some in a pack, the last ones loose.
    commit(5).await;
    let all = git(&bare, &["cat-file", "--batch-check=%(objectname)", "--batch-all-objects"], b"");
    let seen = repository.glance();
    assert!(all.lines().count() > 240, "{}", all.lines().count());
    for id in all.lines() {
        assert!(seen.holds(id), "{id}");
        let other = format!("{}{}", &id[..39], if id.ends_with('0') { "1" } else { "0" });
        assert_eq!(seen.holds(&other), all.contains(&other), "{other}");
    }
    assert!(!seen.holds(&"0".repeat(40)) && !seen.holds(&"f".repeat(40)));
}

#[tokio::test]
async fn what_git_left_half_written_is_not_there_and_nothing_breaks() {
    let dir = tempfile::tempdir().unwrap();
    let repository = open(dir.path(), local()).await;
    let head = repository.head().await.unwrap().unwrap();
    let bare = dir.path().join("repository.git");
    git(&bare, &["gc", "--quiet"], b"");
    let seen = repository.glance();
    assert!(seen.holds(&head.id));
    let other = "2".repeat(40);
    for content in [&b""[..], b"\xfftOc", b"\xfftOc\0\0\0\x02\0\0", b"nonsense that is long enough for a head"] {
        std::fs::write(bare.join("objects/pack/pack-half.idx"), content).unwrap();
        assert!(seen.holds(&head.id) && !seen.holds(&other));
    }
    std::fs::write(bare.join("refs/heads/main"), "half").unwrap();
    assert_eq!(seen.head(), None);
}
