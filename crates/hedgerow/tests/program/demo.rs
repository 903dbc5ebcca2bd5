//! `hedgerow demo`: ready means that the pages tell the truth, and a second start goes on where the first one ended.

use crate::lab::names;
use crate::running::{PATIENCE, Running, assert_done, program, run, stderr};
use serde_json::Value;
use std::path::Path;

fn demo(home: &Path, extra: &[&str]) -> Running {
    Running::start(program(home, &[&["demo", "--json"], extra].concat()))
}

/// A browser without script: keeps cookies, follows no redirect.
struct Visitor {
    client: reqwest::Client,
    url: String,
    cookies: Vec<String>,
}

impl Visitor {
    fn of(ready: &Value) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let builder = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).timeout(PATIENCE);
        let url = ready["url"].as_str().unwrap().trim_end_matches('/').to_owned();
        Self { client: builder.build().unwrap(), url, cookies: Vec::new() }
    }

    fn keep(&mut self, answer: &reqwest::Response) {
        for cookie in answer.headers().get_all("set-cookie") {
            let pair = cookie.to_str().unwrap().split(';').next().unwrap().to_owned();
            let name = pair.split('=').next().unwrap().to_owned();
            self.cookies.retain(|kept| !kept.starts_with(&format!("{name}=")));
            self.cookies.push(pair);
        }
    }

    async fn page(&mut self, path: &str) -> String {
        let get = self.client.get(format!("{}{path}", self.url)).header("cookie", self.cookies.join("; "));
        let answer = get.header("accept", "text/html").header("sec-fetch-mode", "navigate").send().await.unwrap();
        assert_eq!(answer.status(), 200, "{path}");
        self.keep(&answer);
        answer.text().await.unwrap()
    }

    /// By the form, with the token that stands in it.
    async fn log_in(&mut self, ready: &Value) {
        let form = self.page("/login/").await;
        let token = form.split("name=\"csrfmiddlewaretoken\" value=\"").nth(1).unwrap().split('"').next().unwrap();
        let fields = [
            ("username", ready["username"].as_str().unwrap()),
            ("password", ready["password"].as_str().unwrap()),
            ("csrfmiddlewaretoken", token),
        ];
        let post = self.client.post(format!("{}/login/", self.url)).form(&fields);
        let post = post.header("cookie", self.cookies.join("; ")).header("origin", &self.url);
        let answer = post.send().await.unwrap();
        assert_eq!(answer.status(), 303, "{}", answer.text().await.unwrap());
        self.keep(&answer);
    }
}

#[tokio::test]
async fn one_line_says_all_that_is_needed_and_the_first_page_is_true() {
    let home = tempfile::tempdir().unwrap();
    let mut demo = demo(home.path(), &[]);
    let ready = demo.json();
    let keys: Vec<&str> = ready.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(keys, ["url", "username", "password", "kubeconfig"]);

    let mut visitor = Visitor::of(&ready);
    visitor.log_in(&ready).await;
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
    visitor.log_in(&after).await;
    let dashboard = visitor.page("/").await;
    for fabric in ["/fabrics/1/", "/fabrics/2/", "/fabrics/3/"] {
        assert!(dashboard.contains(fabric), "{fabric} is missing");
    }
    assert!(!dashboard.contains("/fabrics/4/"), "no fabric was made a second time");
    assert!(dashboard.contains("In sync"), "the labs are the clusters that the fabrics remember");
    assert_eq!(commits(1), history);
    second.stop("-TERM");
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
