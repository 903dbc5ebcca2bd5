//! The handle and what it promises: faults that begin and end, agents that follow, watches and pages that hold, a lab
//! that comes back as the same one.

#![allow(clippy::unwrap_used, reason = "a test ends where something is not as it expects")]

use futures::StreamExt;
use lab::{AgentTimings, Fault, FaultPlan, Identity, Lab, Options, Rejection, RequestFault};
use reqwest::{Client, Response};
use serde_json::{Value, json};
use std::time::Duration;
use testkit::eventually;

const WITHIN: Duration = Duration::from_secs(10);
const SERVERS: &str = "/apis/wiring.githedgehog.com/v1beta1/namespaces/default/servers";

struct Bench {
    lab: Lab,
    http: Client,
}

impl Bench {
    async fn start() -> Self {
        let agents = AgentTimings { heartbeat: Duration::from_millis(1100), apply_after: Duration::from_millis(50) };
        Self::with(Options { agents, ..Options::default() }).await
    }

    async fn with(options: Options) -> Self {
        let lab = Lab::start(options).await.unwrap();
        // Another test may have installed it already.
        _ = rustls::crypto::ring::default_provider().install_default();
        let ca = reqwest::Certificate::from_pem(lab.ca_pem().as_bytes()).unwrap();
        let http = Client::builder().tls_certs_only([ca]).no_proxy().build().unwrap();
        Self { lab, http }
    }

    async fn try_send(&self, method: &str, path: &str, body: Option<Value>) -> Result<Response, reqwest::Error> {
        let request = self.http.request(method.parse().unwrap(), format!("{}{path}", self.lab.url()));
        let request = request.bearer_auth(self.lab.token()).timeout(WITHIN);
        match body {
            Some(body) => request.json(&body).send().await,
            None => request.send().await,
        }
    }

    async fn send(&self, method: &str, path: &str, body: Option<Value>) -> (u16, Value) {
        let response = self.try_send(method, path, body).await.unwrap();
        (response.status().as_u16(), response.json().await.unwrap_or_default())
    }

    async fn status(&self, method: &str, path: &str) -> u16 {
        self.send(method, path, None).await.0
    }

    fn fault(&self, fault: RequestFault) {
        self.lab.faults().set(FaultPlan { requests: vec![fault], ..FaultPlan::default() });
    }
}

fn server(name: &str) -> Value {
    json!({"apiVersion": "wiring.githedgehog.com/v1beta1", "kind": "Server",
        "metadata": {"name": name, "namespace": "default"}, "spec": {}})
}

fn leaf(number: u8) -> Value {
    json!({"apiVersion": "wiring.githedgehog.com/v1beta1", "kind": "Switch",
        "metadata": {"name": format!("leaf-{number}"), "namespace": "default"},
        "spec": {"role": "server-leaf", "profile": "vs", "asn": 65100 + u32::from(number),
            "ip": format!("172.30.0.{}/21", 10 + number), "protocolIP": format!("172.30.8.{number}/32"),
            "vtepIP": format!("172.30.12.{number}/32")}})
}

fn vlans() -> Value {
    json!({"apiVersion": "wiring.githedgehog.com/v1beta1", "kind": "VLANNamespace",
        "metadata": {"name": "default", "namespace": "default"}, "spec": {"ranges": [{"from": 1000, "to": 2999}]}})
}

fn addresses() -> Value {
    json!({"apiVersion": "vpc.githedgehog.com/v1beta1", "kind": "IPv4Namespace",
        "metadata": {"name": "default", "namespace": "default"}, "spec": {"subnets": ["10.0.0.0/16"]}})
}

fn vpc(name: &str, third: u8) -> Value {
    json!({"apiVersion": "vpc.githedgehog.com/v1beta1", "kind": "VPC",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"subnets": {"default": {"subnet": format!("10.0.{third}.0/24"), "vlan": 1000 + u16::from(third),
            "dhcp": {"enable": true}}}}})
}

#[tokio::test]
async fn only_the_token_opens_it() {
    let bench = Bench::with(Options { token: Some("secret".to_owned()), ..Options::default() }).await;
    assert_eq!(bench.lab.token(), "secret");
    assert_eq!(bench.status("GET", SERVERS).await, 200);
    for token in ["", "Secret", "secrets"] {
        let url = format!("{}{SERVERS}", bench.lab.url());
        let response = bench.http.get(url).bearer_auth(token).send().await.unwrap();
        assert_eq!(response.status(), 401, "{token}");
        assert_eq!(response.json::<Value>().await.unwrap()["reason"], "Unauthorized");
    }
    for path in ["/healthz", "/livez", "/readyz"] {
        let response = bench.http.get(format!("{}{path}", bench.lab.url())).send().await.unwrap();
        assert_eq!(response.text().await.unwrap(), "ok");
    }
    bench.lab.stop().await;
}

#[tokio::test]
async fn it_speaks_both_versions_of_http() {
    let bench = Bench::start().await;
    let response = bench.try_send("GET", "/version", None).await.unwrap();
    assert_eq!(response.version(), reqwest::Version::HTTP_2);
    let ca = reqwest::Certificate::from_pem(bench.lab.ca_pem().as_bytes()).unwrap();
    let old = Client::builder().tls_certs_only([ca]).http1_only().no_proxy().build().unwrap();
    let response = old.get(format!("{}/version", bench.lab.url())).bearer_auth(bench.lab.token()).send().await.unwrap();
    assert_eq!(response.version(), reqwest::Version::HTTP_11);
    bench.lab.stop().await;
}

#[tokio::test]
async fn a_list_is_read_page_by_page_from_one_moment() {
    let bench = Bench::start().await;
    bench.lab.load((0..25).map(|i| server(&format!("s-{i:02}"))), "test").unwrap();
    let (_, first) = bench.send("GET", &format!("{SERVERS}?limit=10"), None).await;
    assert_eq!(first["metadata"]["remainingItemCount"], 15);
    bench.lab.load([server("s-00a")], "test").unwrap();
    let mut names: Vec<Value> = Vec::new();
    let mut page = first.clone();
    loop {
        assert_eq!(page["metadata"]["resourceVersion"], first["metadata"]["resourceVersion"]);
        names.extend(page["items"].as_array().unwrap().iter().map(|i| i["metadata"]["name"].clone()));
        let token = page["metadata"]["continue"].as_str().unwrap_or_default().to_owned();
        if token.is_empty() {
            break;
        }
        page = bench.send("GET", &format!("{SERVERS}?limit=10&continue={token}"), None).await.1;
    }
    assert_eq!(names, (0..25).map(|i| json!(format!("s-{i:02}"))).collect::<Vec<_>>());

    let token = first["metadata"]["continue"].as_str().unwrap();
    bench.lab.compact();
    let (status, error) = bench.send("GET", &format!("{SERVERS}?limit=10&continue={token}"), None).await;
    assert_eq!((status, error["reason"].as_str()), (410, Some("Expired")));
    assert_eq!(bench.status("GET", &format!("{SERVERS}?continue=nonsense")).await, 400);
    bench.lab.stop().await;
}

/// The events of a watch, one after the other.
struct Events {
    stream: futures::stream::BoxStream<'static, Result<axum::body::Bytes, reqwest::Error>>,
    buffer: Vec<u8>,
}

impl Events {
    async fn of(bench: &Bench, query: &str) -> Self {
        let url = format!("{}{SERVERS}?watch=true&{query}", bench.lab.url());
        let response = bench.http.get(url).bearer_auth(bench.lab.token()).send().await.unwrap();
        assert_eq!(response.status(), 200);
        Self { stream: response.bytes_stream().boxed(), buffer: Vec::new() }
    }

    /// The next event; `None` when the watch has ended.
    async fn next(&mut self) -> Option<(String, Value)> {
        loop {
            if let Some(at) = self.buffer.iter().position(|b| *b == b'\n') {
                let line: Vec<u8> = self.buffer.drain(..=at).collect();
                let event: Value = serde_json::from_slice(&line).unwrap();
                return Some((event["type"].as_str().unwrap().to_owned(), event["object"].clone()));
            }
            let chunk = tokio::time::timeout(WITHIN, self.stream.next()).await.expect("an event in time")?.ok()?;
            self.buffer.extend(chunk);
        }
    }

    async fn expect(&mut self, kind: &str, name: &str) {
        let (found, object) = self.next().await.unwrap();
        assert_eq!((found.as_str(), object["metadata"]["name"].as_str().unwrap_or_default()), (kind, name), "{object}");
    }
}

#[tokio::test]
async fn watches_resume_and_follow_a_selection() {
    let bench = Bench::start().await;
    bench.lab.load([server("a")], "test").unwrap();
    let version = bench.send("GET", SERVERS, None).await.1["metadata"]["resourceVersion"].as_str().unwrap().to_owned();
    bench.lab.load([server("b")], "test").unwrap();
    let mut all = Events::of(&bench, &format!("resourceVersion={version}")).await;
    all.expect("ADDED", "b").await;
    let mut red = Events::of(&bench, "labelSelector=colour%3Dred&resourceVersion=0").await;

    let mut coloured = server("a");
    coloured["metadata"]["labels"] = json!({"colour": "red"});
    bench.lab.load([coloured.clone()], "test").unwrap();
    all.expect("MODIFIED", "a").await;
    red.expect("ADDED", "a").await;
    coloured["metadata"]["labels"] = json!({"colour": "blue"});
    bench.lab.load([coloured], "test").unwrap();
    all.expect("MODIFIED", "a").await;
    red.expect("DELETED", "a").await;
    bench.lab.delete("Server", "default", "b").unwrap();
    all.expect("DELETED", "b").await;

    bench.lab.compact();
    let (status, error) = bench.send("GET", &format!("{SERVERS}?watch=true&resourceVersion={version}"), None).await;
    assert_eq!((status, error["code"].as_i64()), (410, Some(410)));

    let mut begin = Events::of(&bench, "sendInitialEvents=true&allowWatchBookmarks=true").await;
    begin.expect("ADDED", "a").await;
    let (kind, bookmark) = begin.next().await.unwrap();
    assert_eq!(kind, "BOOKMARK");
    assert_eq!(bookmark["metadata"]["annotations"]["k8s.io/initial-events-end"], "true");
    let mut short = Events::of(&bench, "timeoutSeconds=1&resourceVersion=0").await;
    short.expect("ADDED", "a").await;
    assert!(short.next().await.is_none(), "it ends by itself");
    bench.lab.stop().await;
}

#[tokio::test]
async fn requests_fail_as_they_are_told_to() {
    let bench = Bench::start().await;
    let seen = |(status, body): (u16, Value)| (status, body["reason"].as_str().unwrap_or_default().to_owned());

    bench.fault(RequestFault { after: 1, times: Some(1), ..RequestFault::of_kind(Fault::Unauthorized, "Server") });
    let statuses =
        [bench.status("GET", SERVERS).await, bench.status("GET", SERVERS).await, bench.status("GET", SERVERS).await];
    assert_eq!(statuses, [200, 401, 200], "401 in the middle of the lists");

    bench
        .fault(RequestFault { verbs: ["list".to_owned()].into(), ..RequestFault::of_kind(Fault::Forbidden, "Server") });
    let (status, error) = bench.send("GET", SERVERS, None).await;
    assert_eq!((status, error["reason"].as_str()), (403, Some("Forbidden")));
    assert!(error["message"].as_str().unwrap().contains("cannot list resource \"servers\" in API group"), "{error}");
    assert_eq!(bench.send("POST", SERVERS, Some(server("a"))).await.0, 201, "only lists");

    bench.fault(RequestFault { retry_after: Some(7), ..RequestFault::all(Fault::Throttle) });
    let response = bench.try_send("GET", SERVERS, None).await.unwrap();
    assert_eq!((response.status().as_u16(), response.headers()["retry-after"].to_str().unwrap()), (429, "7"));

    bench.fault(RequestFault::all(Fault::Unavailable));
    assert_eq!(seen(bench.send("GET", SERVERS, None).await), (503, "ServiceUnavailable".to_owned()));
    bench.fault(RequestFault::all(Fault::Expired));
    assert_eq!(seen(bench.send("GET", SERVERS, None).await), (410, "Expired".to_owned()));

    bench.fault(RequestFault::all(Fault::Cut));
    assert!(bench.try_send("GET", SERVERS, None).await.is_err());
    bench.fault(RequestFault { times: Some(1), ..RequestFault::of_kind(Fault::CutAnswer, "Server") });
    assert!(bench.try_send("POST", SERVERS, Some(server("b"))).await.is_err());
    assert!(bench.lab.object("Server", "b").is_some(), "it was carried out all the same");

    bench.fault(RequestFault::all(Fault::Hang));
    let url = format!("{}{SERVERS}", bench.lab.url());
    let hung = bench.http.get(url).bearer_auth(bench.lab.token()).timeout(Duration::from_millis(300)).send().await;
    assert!(hung.unwrap_err().is_timeout());

    bench.lab.faults().set(FaultPlan { latency_ms: 300, ..FaultPlan::default() });
    let started = std::time::Instant::now();
    assert_eq!(bench.status("GET", SERVERS).await, 200);
    assert!(started.elapsed() >= Duration::from_millis(300));
    bench.lab.faults().clear();
    assert_eq!(bench.status("GET", SERVERS).await, 200);
    bench.lab.stop().await;
}

#[tokio::test]
async fn webhooks_fail_as_they_are_told_to() {
    let bench = Bench::start().await;
    bench.lab.faults().update(|plan| {
        plan.reject =
            vec![Rejection { kind: "Server".to_owned(), name: "a".to_owned(), message: "not today".to_owned() }];
    });
    let (status, error) = bench.send("POST", SERVERS, Some(server("a"))).await;
    assert_eq!((status, error["reason"].as_str()), (403, Some("Forbidden")));
    assert_eq!(error["message"], "admission webhook \"vserver.kb.io\" denied the request: not today");
    assert_eq!(bench.send("POST", SERVERS, Some(server("b"))).await.0, 201);

    bench.lab.faults().set(FaultPlan { webhook_down: true, ..FaultPlan::default() });
    let (status, error) = bench.send("POST", SERVERS, Some(server("c"))).await;
    assert_eq!((status, error["reason"].as_str()), (500, Some("InternalError")));
    let words = error["message"].as_str().unwrap();
    assert!(
        words.contains("failed calling webhook \"mserver.kb.io\"") && words.contains("connection refused"),
        "{words}"
    );
    assert_eq!(bench.status("DELETE", &format!("{SERVERS}/b")).await, 500);
    assert_eq!(bench.status("GET", SERVERS).await, 200, "reading needs no webhook");
    let group =
        json!({"apiVersion": "wiring.githedgehog.com/v1beta1", "kind": "SwitchGroup", "metadata": {"name": "g"}});
    let groups = SERVERS.replace("servers", "switchgroups");
    assert_eq!(bench.send("POST", &groups, Some(group)).await.0, 201, "a kind without webhooks");
    bench.lab.stop().await;
}

#[tokio::test]
async fn faults_are_switched_over_http() {
    let bench = Bench::start().await;
    let plan = json!({"requests": [{"fault": "unavailable"}], "agentsOffline": ["leaf-1"]});
    assert_eq!(bench.send("PUT", "/lab/faults", Some(plan)).await.0, 200);
    assert_eq!(bench.status("GET", SERVERS).await, 503);
    let (status, plan) = bench.send("GET", "/lab/faults", None).await;
    assert_eq!(
        (status, &plan["requests"][0]["fault"], &plan["agentsOffline"][0]),
        (200, &json!("unavailable"), &json!("leaf-1"))
    );
    let (status, error) = bench.send("PUT", "/lab/faults", Some(json!({"latency": 1}))).await;
    assert_eq!(status, 400);
    assert!(error["message"].as_str().unwrap().contains("unknown field `latency`"), "{error}");
    assert_eq!(bench.status("DELETE", "/lab/faults").await, 200);
    assert_eq!(bench.status("GET", SERVERS).await, 200);

    let mut watch = Events::of(&bench, "resourceVersion=0").await;
    assert!(bench.try_send("POST", "/lab/cut", None).await.is_err() || watch.next().await.is_none());
    assert!(watch.next().await.is_none(), "open connections are cut");
    assert_eq!(bench.status("GET", SERVERS).await, 200, "new ones are not");
    let url = format!("{}/lab/faults", bench.lab.url());
    assert_eq!(bench.http.get(url).send().await.unwrap().status(), 401);
    bench.lab.stop().await;
}

fn generations(lab: &Lab, agent: &str) -> Option<(i64, i64, i64)> {
    let agent = lab.object("Agent", agent)?;
    let number = |pointer: &str| agent.pointer(pointer).and_then(Value::as_i64).unwrap_or_default();
    Some((number("/metadata/generation"), number("/status/lastAttemptGen"), number("/status/lastAppliedGen")))
}

async fn settled(lab: &Lab, agent: &str, past: i64) -> i64 {
    eventually(WITHIN, "the agent applies", || async {
        match generations(lab, agent) {
            Some((generation, attempt, applied))
                if generation > past && attempt == generation && applied == generation =>
            {
                Ok(generation)
            }
            other => Err(format!("{other:?}")),
        }
    })
    .await
    .unwrap()
}

fn attachment(vpc: &str, connection: &str) -> Value {
    json!({"apiVersion": "vpc.githedgehog.com/v1beta1", "kind": "VPCAttachment",
        "metadata": {"name": format!("{vpc}--{connection}"), "namespace": "default"},
        "spec": {"subnet": format!("{vpc}/default"), "connection": connection}})
}

fn unbundled(server: &str, port: &str) -> Value {
    json!({"apiVersion": "wiring.githedgehog.com/v1beta1", "kind": "Connection",
        "metadata": {"name": format!("{server}--unbundled"), "namespace": "default"},
        "spec": {"unbundled": {"link": {"server": {"port": format!("{server}/enp2s1")}, "switch": {"port": port}}}}})
}

#[tokio::test]
async fn only_the_agents_concerned_move_and_they_hold_what_they_run() {
    let bench = Bench::start().await;
    let lab = &bench.lab;
    lab.load([vlans(), addresses(), leaf(1), leaf(2), server("a"), unbundled("a", "leaf-1/E1/1"), vpc("v", 1)], "test")
        .unwrap();
    let first = settled(lab, "leaf-1", 0).await;
    let second = settled(lab, "leaf-2", 0).await;
    lab.load([attachment("v", "a--unbundled")], "test").unwrap();
    settled(lab, "leaf-1", first).await;
    assert_eq!(generations(lab, "leaf-2").unwrap().0, second, "nothing changed for it");
    let agent = lab.object("Agent", "leaf-1").unwrap();
    assert_eq!(agent["spec"]["vpcs"]["v"], lab.object("VPC", "v").unwrap()["spec"]);
    assert_eq!(agent["status"]["conditions"][0]["reason"], "ApplySucceeded");
    assert_eq!(agent["status"]["state"]["interfaces"]["E1/1"]["lldpNeighbors"][0]["sysName"], "a");
    for id in ["version", "installID", "runID", "bootID", "lastHeartbeat", "lastAppliedTime", "lastAttemptTime"] {
        assert!(agent["status"][id].is_string(), "{id}: {agent}");
    }
    eventually(WITHIN, "what the controller makes of a VPC", || async {
        match (lab.object("VPCInfo", "v"), lab.object("DHCPSubnet", "v--default")) {
            (Some(info), Some(dhcp)) if info["status"]["internalID"].is_string() => {
                assert_eq!(
                    info["metadata"]["ownerReferences"][0]["uid"],
                    lab.object("VPC", "v").unwrap()["metadata"]["uid"]
                );
                assert_eq!(dhcp["spec"]["endIP"], "10.0.1.255");
                Ok(())
            }
            other => Err(format!("{other:?}")),
        }
    })
    .await
    .unwrap();

    lab.delete("VPCAttachment", "default", "v--a--unbundled").unwrap();
    lab.delete("VPC", "default", "v").unwrap();
    eventually(WITHIN, "what was made of it goes with it", || async {
        let left = lab.object("VPCInfo", "v").is_some() || lab.object("DHCPSubnet", "v--default").is_some();
        let held = lab.object("Agent", "leaf-1").unwrap()["spec"].get("vpcs").is_some();
        if left || held { Err(format!("left {left}, held {held}")) } else { Ok(()) }
    })
    .await
    .unwrap();
    assert_eq!(
        lab.object("Catalog", "vpcs").unwrap()["spec"]["vpcVNIs"]["v"],
        100,
        "its number is not given out again"
    );
    lab.delete("Connection", "default", "a--unbundled").unwrap();
    lab.delete("Switch", "default", "leaf-1").unwrap();
    eventually(WITHIN, "the controller reacts", || async {
        if lab.object("Switch", "leaf-1").is_none() { Ok(()) } else { Err("there") }
    })
    .await
    .unwrap();
    assert!(lab.object("Agent", "leaf-1").is_some(), "the Agent of a deleted Switch stays behind");
    bench.lab.stop().await;
}

#[tokio::test]
async fn agents_and_controller_fail_as_they_are_told_to() {
    let bench = Bench::start().await;
    let lab = &bench.lab;
    lab.load([vlans(), leaf(1), leaf(2)], "test").unwrap();
    let first = settled(lab, "leaf-1", 0).await;
    let second = settled(lab, "leaf-2", 0).await;
    let describe = |number: u8, words: &str| {
        let mut switch = leaf(number);
        switch["spec"]["description"] = json!(words);
        lab.load([switch], "test").unwrap();
    };

    // Stuck: it tries, and never gets done; the heartbeat goes on.
    lab.faults().update(|plan| plan.agents_stuck = ["leaf-1".to_owned()].into());
    describe(1, "a");
    let tried = eventually(WITHIN, "the stuck agent tries", || async {
        match generations(lab, "leaf-1") {
            Some((generation, attempt, applied)) if generation > first && attempt == generation => Ok(applied),
            other => Err(format!("{other:?}")),
        }
    })
    .await
    .unwrap();
    assert_eq!(tried, first);
    let beat = |name: &str| lab.object("Agent", name).unwrap()["status"]["lastHeartbeat"].as_str().unwrap().to_owned();
    let before = beat("leaf-1");
    eventually(WITHIN, "its heart beats", || async { if beat("leaf-1") > before { Ok(()) } else { Err("not yet") } })
        .await
        .unwrap();
    assert_eq!(generations(lab, "leaf-1").unwrap().2, first);
    assert_eq!(lab.object("Agent", "leaf-1").unwrap()["status"]["conditions"][0]["status"], "False");
    lab.faults().clear();
    let first = settled(lab, "leaf-1", first).await;

    // Offline: nothing at all from it, while others go on.
    lab.faults().update(|plan| plan.agents_offline = ["leaf-1".to_owned()].into());
    describe(1, "b");
    describe(2, "b");
    settled(lab, "leaf-2", second).await;
    let (generation, attempt, _) = generations(lab, "leaf-1").unwrap();
    assert_eq!((generation, attempt), (first + 1, first));
    lab.faults().clear();
    let first = settled(lab, "leaf-1", first).await;

    // Controller down: the switch is changed, its Agent is not.
    lab.faults().update(|plan| plan.controller_down = true);
    describe(1, "c");
    let before = beat("leaf-1");
    eventually(WITHIN, "its heart beats", || async { if beat("leaf-1") > before { Ok(()) } else { Err("not yet") } })
        .await
        .unwrap();
    assert_eq!(lab.object("Agent", "leaf-1").unwrap()["spec"]["description"], "b");
    lab.faults().clear();
    settled(lab, "leaf-1", first).await;
    assert_eq!(lab.object("Agent", "leaf-1").unwrap()["spec"]["description"], "c");

    // A reboot that was asked for on the Agent: a new boot, and the request stays where it was written.
    let boot = lab.object("Agent", "leaf-1").unwrap()["status"]["bootID"].clone();
    let path = "/apis/agent.githedgehog.com/v1beta1/namespaces/default/agents/leaf-1";
    let mut agent = lab.object("Agent", "leaf-1").unwrap();
    agent["spec"]["reboot"] = boot.clone();
    agent["metadata"].as_object_mut().unwrap().remove("resourceVersion");
    lab.load([agent], "kubectl").unwrap();
    eventually(WITHIN, "it boots", || async {
        let now = lab.object("Agent", "leaf-1").unwrap()["status"]["bootID"].clone();
        if now == boot { Err(now) } else { Ok(()) }
    })
    .await
    .unwrap();
    assert_eq!(bench.send("GET", path, None).await.1["spec"]["reboot"], boot);
    bench.lab.stop().await;
}

#[tokio::test]
async fn a_lab_comes_back_as_the_same_one() {
    let bench = Bench::start().await;
    let uid = |namespace: Value| namespace["metadata"]["uid"].as_str().unwrap().to_owned();
    let before = uid(bench.send("GET", "/api/v1/namespaces/kube-system", None).await.1);
    let kept = serde_json::to_string(bench.lab.identity()).unwrap();
    let (listen, token) = (bench.lab.address(), bench.lab.token().to_owned());
    let kubeconfig = bench.lab.kubeconfig();
    bench.lab.stop().await;
    assert!(bench.http.get(format!("https://{listen}/version")).send().await.is_err(), "it is gone");

    let identity: Identity = serde_json::from_str(&kept).unwrap();
    let lab = Lab::start(Options { listen, identity: Some(identity), ..Options::default() }).await.unwrap();
    assert_eq!((lab.token(), lab.kubeconfig()), (token.as_str(), kubeconfig));
    // The client of before still trusts it, and sees the same cluster.
    let again = Bench { lab, http: bench.http };
    assert_eq!(uid(again.send("GET", "/api/v1/namespaces/kube-system", None).await.1), before);
    let taken = Lab::start(Options { listen, ..Options::default() }).await.unwrap_err();
    assert!(taken.to_string().starts_with(&format!("listen on {listen}: ")), "{taken}");
    again.lab.stop().await;
}

/// The definitions of older releases, from outside of the repository.
#[tokio::test]
async fn older_releases_are_served_as_well() {
    let Some(shared) = testkit::shared_folder() else {
        println!("skipped: ../shared is not here");
        return;
    };
    for (folder, kinds) in [("crds", 22), ("crds-by-release/v0.120", 22), ("crds-by-release/v0.96", 17)] {
        let crds = testkit::read_crds(&shared.join("hedgehog").join(folder)).unwrap();
        assert_eq!(crds.len(), kinds, "{folder}");
        let bench = Bench::with(Options { crds: Some(crds), ..Options::default() }).await;
        assert_eq!(bench.lab.objects("SwitchProfile").len(), 16);
        bench
            .lab
            .load([vlans(), addresses(), server("a"), leaf(1), unbundled("a", "leaf-1/E1/1"), vpc("v", 1)], "test")
            .unwrap();
        settled(&bench.lab, "leaf-1", 0).await;
        bench.lab.stop().await;
    }
}

#[tokio::test]
async fn other_definitions_are_served_as_well() {
    let crd = json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": "novelties.vpc.githedgehog.com"},
        "spec": {"group": "vpc.githedgehog.com", "scope": "Namespaced",
            "names": {"kind": "Novelty", "plural": "novelties", "singular": "novelty", "listKind": "NoveltyList"},
            "versions": [{"name": "v2", "served": true, "storage": true, "schema": {"openAPIV3Schema": {
                "type": "object", "properties": {"spec": {"type": "object", "properties": {"size": {"type": "integer"}}}}}}}]}});
    let bench = Bench::with(Options { crds: Some(vec![crd]), ..Options::default() }).await;
    let path = "/apis/vpc.githedgehog.com/v2/namespaces/default/novelties";
    let novelty = |size: Value| json!({"apiVersion": "vpc.githedgehog.com/v2", "kind": "Novelty", "metadata": {"name": "n"}, "spec": {"size": size}});
    assert_eq!(bench.send("POST", path, Some(novelty(json!("x")))).await.0, 422);
    assert_eq!(bench.send("POST", path, Some(novelty(json!(3)))).await.0, 201);
    assert_eq!(bench.status("GET", SERVERS).await, 404);
    bench.lab.stop().await;
}
