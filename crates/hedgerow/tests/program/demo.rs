//! `hedgerow demo`: ready means that the pages tell the truth, and a second start goes on where the first one ended.

use crate::lab::names;
use crate::running::{PATIENCE, Running, assert_done, program, run, stderr};
use crate::visitor::Visitor;
use std::path::Path;
use std::time::{Duration, Instant};

fn demo(home: &Path, extra: &[&str]) -> Running {
    Running::start(program(home, &[&["demo", "--json"], extra].concat()))
}

#[tokio::test]
async fn one_line_says_all_that_is_needed_and_the_first_page_is_true() {
    let home = tempfile::tempdir().unwrap();
    let mut demo = demo(home.path(), &[]);
    let ready = demo.json();
    let keys: Vec<&str> = ready.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(keys, ["url", "username", "password", "kubeconfig"]);

    let mut visitor = Visitor::of(&ready);
    assert_eq!(visitor.log_in(&ready).await, 303);
    let dashboard = visitor.page("/").await;
    for expected in ["east", "Out of sync", "west", "In sync", "north", "Error"] {
        assert!(dashboard.contains(expected), "{expected} is missing on the dashboard");
    }
    let east = visitor.page("/fabrics/1/").await;
    for expected in ["Not delivered", "Changed in cluster", "Missing in cluster", "Only in cluster", "vlann"] {
        assert!(east.contains(expected), "{expected} is missing on the page of east");
    }

    let kubeconfig = Path::new(ready["kubeconfig"].as_str().unwrap()).to_owned();
    let vpcs = names(&kubeconfig, "/apis/vpc.githedgehog.com/v1beta1/namespaces/default/vpcs").await;
    assert!(vpcs.contains(&"scratch".to_owned()) && !vpcs.contains(&"analytics".to_owned()), "{vpcs:?}");

    let (status, rest) = demo.stop("-INT");
    assert_eq!((status.code(), rest.as_str()), (Some(0), ""), "{}", demo.errors());
    assert!(!kubeconfig.parent().unwrap().parent().unwrap().exists(), "its temporary folder is gone");
}

#[tokio::test]
async fn a_second_start_on_the_same_folder_goes_on() {
    let home = tempfile::tempdir().unwrap();
    let mut first = demo(home.path(), &["--data", "kept"]);
    let before = first.json();
    assert_eq!(first.stop("-TERM").0.code(), Some(0), "{}", first.errors());
    let commits = |id: u32| {
        let git = std::process::Command::new("git")
            .args(["-C", &format!("kept/sources/fabric-{id}.git/repository.git"), "rev-list", "--count", "--all"])
            .current_dir(home.path())
            .output()
            .unwrap();
        String::from_utf8(git.stdout).unwrap().trim().parse::<u32>().unwrap()
    };
    let history = commits(1);
    assert!(history >= 3, "{history} commits");

    let mut second = demo(home.path(), &["--data", "kept"]);
    let after = second.json();
    assert_eq!((&after["username"], &after["password"]), (&before["username"], &before["password"]));
    let mut visitor = Visitor::of(&after);
    assert_eq!(visitor.log_in(&after).await, 303);
    let dashboard = visitor.page("/").await;
    for fabric in ["/fabrics/1/", "/fabrics/2/", "/fabrics/3/"] {
        assert!(dashboard.contains(fabric), "{fabric} is missing");
    }
    assert!(!dashboard.contains("/fabrics/4/"), "no fabric was made a second time");
    assert!(dashboard.contains("In sync"), "the labs are the clusters that the fabrics remember");
    assert_eq!(commits(1), history);
    second.stop("-TERM");
}

#[tokio::test]
async fn a_demo_that_is_told_to_walk_its_own_front_door_does() {
    let home = tempfile::tempdir().unwrap();
    std::fs::write(home.path().join("pw"), "only looks around 1").unwrap();
    let settings = ["verify.every=1s", "verify.username=monitor", "verify.password_file=pw"];
    let settings: Vec<&str> = settings.iter().flat_map(|setting| ["--set", setting]).collect();
    let mut demo = demo(home.path(), &settings);
    let ready = demo.json();
    let mut visitor = Visitor::of(&ready);
    assert_eq!(visitor.log_in(&ready).await, 303);
    // There is no such user, and only a monitor that runs finds that out.
    let end = Instant::now() + PATIENCE;
    loop {
        let page = visitor.page("/verify/").await;
        if page.contains("there is no user monitor") {
            break;
        }
        assert!(Instant::now() < end, "nothing was walked: {page}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    assert_eq!(demo.stop("-TERM").0.code(), Some(0), "{}", demo.errors());
}

#[test]
fn a_real_console_is_not_turned_into_a_demo() {
    let home = tempfile::tempdir().unwrap();
    let mut server =
        Running::start(program(home.path(), &["serve", "--listen", "127.0.0.1:0", "--data", "real", "--json"]));
    server.json();
    server.stop("-TERM");
    let refused = run(home.path(), &["demo", "--data", "real"]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(stderr(&refused).contains("holds a console that is no demo"), "{}", stderr(&refused));
    assert!(!home.path().join("real/demo.json").exists() && !home.path().join("real/labs").exists());
    assert_done(&run(home.path(), &["user", "list", "--data", "real"]));
}
