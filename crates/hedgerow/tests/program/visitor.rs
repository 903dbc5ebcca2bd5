//! A browser without script, as far as these tests need one.

use crate::running::PATIENCE;
use serde_json::Value;

/// A browser without script: keeps cookies, follows no redirect.
pub struct Visitor {
    client: reqwest::Client,
    url: String,
    cookies: Vec<String>,
}

impl Visitor {
    /// A visitor of the console that printed this line.
    pub fn of(ready: &Value) -> Self {
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

    /// A page that is there for this visitor.
    pub async fn page(&mut self, path: &str) -> String {
        let answer = self.get(path).await;
        assert_eq!(answer.status(), 200, "{path}");
        answer.text().await.unwrap()
    }

    /// Whatever the console answers to a navigation.
    pub async fn get(&mut self, path: &str) -> reqwest::Response {
        let get = self.client.get(format!("{}{path}", self.url)).header("cookie", self.cookies.join("; "));
        let answer = get.header("accept", "text/html").header("sec-fetch-mode", "navigate").send().await.unwrap();
        self.keep(&answer);
        answer
    }

    /// Opens a stream of events and leaves it open.
    pub async fn listen(&mut self, path: &str) -> reqwest::Response {
        let get = self.client.get(format!("{}{path}", self.url)).header("cookie", self.cookies.join("; "));
        let stream = get.header("accept", "text/event-stream").send().await.unwrap();
        assert_eq!(stream.status(), 200, "{path}");
        stream
    }

    /// Logs in with what was printed.
    pub async fn log_in(&mut self, ready: &Value) -> u16 {
        self.log_in_as(ready["username"].as_str().unwrap(), ready["password"].as_str().unwrap()).await
    }

    /// Logs in by the form, with the token that stands in it; gives the status.
    pub async fn log_in_as(&mut self, username: &str, password: &str) -> u16 {
        let form = self.page("/login/").await;
        let token = form.split("name=\"csrfmiddlewaretoken\" value=\"").nth(1).unwrap().split('"').next().unwrap();
        let fields = [("username", username), ("password", password), ("csrfmiddlewaretoken", token)];
        let post = self.client.post(format!("{}/login/", self.url)).form(&fields);
        let post = post.header("cookie", self.cookies.join("; ")).header("origin", &self.url);
        let answer = post.send().await.unwrap();
        self.keep(&answer);
        answer.status().as_u16()
    }
}
