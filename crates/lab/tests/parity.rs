//! The same requests to the lab and to a real kube-apiserver, which runs the lab's definitions and the lab's rules as
//! webhooks: both must answer alike, in status, reason, words and object.

use futures::future::BoxFuture;
use lab::{
    Identity, Lab, Options,
    admission::{self, Lookup, Objects, Source},
    serve::Server,
};
use reqwest::{Client, Method, header};
use serde_json::{Value, json};
use std::{net::Ipv4Addr, sync::Arc};
use testkit::{ControlPlane, KubeClient, Lease};

/// One API server, with the client that speaks to it.
struct Side {
    name: &'static str,
    http: Client,
    url: String,
    token: String,
}

impl Side {
    fn new(name: &'static str, url: String, ca_pem: &str, token: &str) -> Self {
        // Another test may have installed it already.
        _ = rustls::crypto::ring::default_provider().install_default();
        let ca = reqwest::Certificate::from_pem(ca_pem.as_bytes()).expect("a certificate");
        let http = Client::builder().tls_certs_only([ca]).no_proxy().build().expect("a client");
        Self { name, http, url, token: token.to_owned() }
    }

    async fn send(&self, step: &Step, body: &str) -> Heard {
        let mut request = self.http.request(step.method.clone(), format!("{}{}", self.url, step.path));
        request = request.bearer_auth(&self.token).header(header::USER_AGENT, "parity/1.0");
        if let Some(accept) = step.accept {
            request = request.header(header::ACCEPT, accept);
        }
        if !body.is_empty() {
            request = request.header(header::CONTENT_TYPE, step.content_type).body(body.to_owned());
        }
        let response = request.send().await.expect("an answer");
        let status = response.status().as_u16();
        let warnings = response
            .headers()
            .get_all(header::WARNING)
            .iter()
            .map(|w| w.to_str().unwrap_or_default().to_owned())
            .collect();
        let text = response.text().await.expect("a body");
        let body = serde_json::from_str(&text).unwrap_or(Value::String(text));
        Heard { status, warnings, body }
    }
}

#[derive(Debug, Clone)]
struct Heard {
    status: u16,
    warnings: Vec<String>,
    body: Value,
}

impl Heard {
    /// Without what differs from one run to the next.
    fn comparable(&self) -> Value {
        let mut body = self.body.clone();
        scrub(&mut body);
        json!({"status": self.status, "warnings": self.warnings, "body": body})
    }
}

fn scrub(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            for key in ["uid", "resourceVersion", "creationTimestamp", "deletionTimestamp", "time", "selfLink"] {
                if fields.contains_key(key) {
                    fields.insert(key.to_owned(), json!("*"));
                }
            }
            if let Some(Value::Array(managed)) = fields.get_mut("managedFields") {
                managed.sort_by_key(|m| {
                    (m["manager"].to_string(), m["operation"].to_string(), m["subresource"].to_string())
                });
            }
            if fields.get("continue").is_some_and(|token| token != "") {
                fields.insert("continue".to_owned(), json!("*"));
            }
            fields.values_mut().for_each(scrub);
        }
        Value::Array(items) => items.iter_mut().for_each(scrub),
        _ => {}
    }
}

/// One request. In its body, `@rv` and `@uid` stand for what the object at its path has on that side.
struct Step {
    what: &'static str,
    method: Method,
    path: String,
    content_type: &'static str,
    accept: Option<&'static str>,
    body: String,
    /// What may differ, and why: such a step compares status and reason only.
    words_differ: Option<&'static str>,
}

impl Step {
    fn new(what: &'static str, method: Method, path: impl Into<String>) -> Self {
        Self {
            what,
            method,
            path: path.into(),
            content_type: "application/json",
            accept: None,
            body: String::new(),
            words_differ: None,
        }
    }

    fn body(mut self, body: Value) -> Self {
        self.body = body.to_string();
        self
    }

    fn text(mut self, body: &str) -> Self {
        self.body = body.to_owned();
        self
    }

    fn media(mut self, content_type: &'static str) -> Self {
        self.content_type = content_type;
        self
    }

    fn accept(mut self, accept: &'static str) -> Self {
        self.accept = Some(accept);
        self
    }

    fn words_differ(mut self, why: &'static str) -> Self {
        self.words_differ = Some(why);
        self
    }
}

fn get(what: &'static str, path: &str) -> Step {
    Step::new(what, Method::GET, path)
}

fn post(what: &'static str, path: &str, body: Value) -> Step {
    Step::new(what, Method::POST, path).body(body)
}

fn put(what: &'static str, path: &str, body: Value) -> Step {
    Step::new(what, Method::PUT, path).body(body)
}

fn patch(what: &'static str, path: &str, media: &'static str, body: Value) -> Step {
    Step::new(what, Method::PATCH, path).body(body).media(media)
}

fn delete(what: &'static str, path: &str, body: Option<Value>) -> Step {
    let step = Step::new(what, Method::DELETE, path);
    match body {
        Some(body) => step.body(body),
        None => step,
    }
}

const VPCS: &str = "/apis/vpc.githedgehog.com/v1beta1/namespaces/default/vpcs";
const VPC: &str = "/apis/vpc.githedgehog.com/v1beta1/namespaces/default/vpcs/vpc-1";
const PEERINGS: &str = "/apis/vpc.githedgehog.com/v1beta1/namespaces/default/vpcpeerings";
const MERGE: &str = "application/merge-patch+json";
const JSON: &str = "application/json-patch+json";
const APPLY: &str = "application/apply-patch+yaml";

fn vpc(name: &str, spec: Value) -> Value {
    json!({"apiVersion": "vpc.githedgehog.com/v1beta1", "kind": "VPC", "metadata": {"name": name}, "spec": spec})
}

fn subnet(third: u8, vlan: u16) -> Value {
    json!({"subnets": {"default": {"subnet": format!("10.0.{third}.0/24"), "vlan": vlan}}})
}

fn with_meta(mut object: Value, meta: Value) -> Value {
    for (key, value) in meta.as_object().expect("an object") {
        object["metadata"][key] = value.clone();
    }
    object
}

fn create_steps() -> Vec<Step> {
    let vlanns = "/apis/wiring.githedgehog.com/v1beta1/namespaces/default/vlannamespaces";
    let ipns = "/apis/vpc.githedgehog.com/v1beta1/namespaces/default/ipv4namespaces";
    let switches = "/apis/wiring.githedgehog.com/v1beta1/namespaces/default/switches";
    let vlan_namespace = |ranges: Value| {
        json!({"apiVersion": "wiring.githedgehog.com/v1beta1", "kind": "VLANNamespace",
            "metadata": {"name": "default"}, "spec": {"ranges": ranges}})
    };
    let ip_namespace = json!({"apiVersion": "vpc.githedgehog.com/v1beta1", "kind": "IPv4Namespace",
        "metadata": {"name": "default"}, "spec": {"subnets": ["10.0.0.0/16"]}});
    let switch = |spec: Value| json!({"apiVersion": "wiring.githedgehog.com/v1beta1", "kind": "Switch", "metadata": {"name": "leaf-1"}, "spec": spec});
    let leaf = json!({"role": "server-leaf", "profile": "vs", "asn": 65101, "ip": "172.30.0.5/21",
        "protocolIP": "172.30.8.5/32", "vtepIP": "172.30.12.5/32", "linkFlapErrDisable": {"recoveryInterval": 0}});
    let good = || vpc("vpc-1", subnet(1, 1001));
    vec![
        post("no items", vlanns, vlan_namespace(json!([]))),
        post("create", vlanns, vlan_namespace(json!([{"from": 1000, "to": 2999}]))),
        post("create", ipns, ip_namespace),
        post("defaults of the schema", switches, switch(leaf)),
        post("a value that is not allowed", switches, switch(json!({"role": "nope", "profile": "vs"}))),
        post("nothing that is required", switches, switch(json!({"profile": "vs"}))),
        post("create", &format!("{VPCS}?fieldValidation=Strict"), good()),
        post("once more", VPCS, good()),
        post("dry run", &format!("{VPCS}?dryRun=All"), vpc("vpc-2", subnet(2, 1002))),
        get("not there after a dry run", &format!("{VPCS}/vpc-2")),
        post("a dry run of another kind", &format!("{VPCS}?dryRun=Some"), good()),
        post("a validation of another kind", &format!("{VPCS}?fieldValidation=Some"), good()),
        post("unknown fields, strictly", &format!("{VPCS}?fieldValidation=Strict"), {
            let mut object = vpc("vpc-2", subnet(2, 1002));
            object["spec"]["mood"] = json!("good");
            object["spec"]["subnets"]["default"]["vlann"] = json!(1);
            object["metadata"]["lables"] = json!({});
            object
        })
        .words_differ("the order of the fields"),
        post("one unknown field, strictly", &format!("{VPCS}?fieldValidation=Strict"), {
            let mut object = vpc("vpc-2", subnet(2, 1002));
            object["spec"]["mood"] = json!("good");
            object
        }),
        post("one unknown field, with a warning", &format!("{VPCS}?dryRun=All&fieldValidation=Warn"), {
            let mut object = vpc("vpc-2", subnet(2, 1002));
            object["spec"]["subnets"]["default"]["vlann"] = json!(1);
            object
        }),
        post("unknown fields, silently", &format!("{VPCS}?dryRun=All&fieldValidation=Ignore"), {
            let mut object = vpc("vpc-2", subnet(2, 1002));
            object["spec"]["mood"] = json!("good");
            object
        }),
        post("a null", &format!("{VPCS}?dryRun=All"), {
            let mut object = vpc("vpc-2", subnet(2, 1002));
            object["spec"]["mode"] = Value::Null;
            object["spec"]["permit"] = Value::Null;
            object
        }),
        post("a wrong type", VPCS, {
            let mut object = vpc("vpc-2", subnet(2, 1002));
            object["spec"]["subnets"]["default"]["vlan"] = json!("x");
            object
        }),
        post("refused by a webhook", VPCS, vpc("vpc-2", subnet(2, 500))),
        post("refused by a webhook, in a dry run", &format!("{VPCS}?dryRun=All"), vpc("vpc-2", subnet(1, 1002))),
        post("no name", VPCS, json!({"apiVersion": "vpc.githedgehog.com/v1beta1", "kind": "VPC", "spec": subnet(2, 1002)}))
            .words_differ("the real webhook sees the object without a name"),
        post("another namespace", VPCS, with_meta(vpc("vpc-2", subnet(2, 1002)), json!({"namespace": "kube-system"}))),
        post("a version to be created", VPCS, with_meta(vpc("vpc-2", subnet(2, 1002)), json!({"resourceVersion": "5"}))),
        post("another kind", VPCS, {
            let mut object = good();
            object["kind"] = json!("Server");
            object
        }),
        post("another kind of another name", &format!("{VPCS}?dryRun=All"), {
            let mut object = vpc("vpc-2", subnet(2, 1002));
            object["kind"] = json!("Server");
            object
        })
        .words_differ("the real one leaves managedFields out then"),
        post("another version", VPCS, {
            let mut object = good();
            object["apiVersion"] = json!("vpc.githedgehog.com/v1alpha2");
            object
        })
        .words_differ("worded by the decoder"),
        Step::new("no JSON", Method::POST, VPCS).text("{").words_differ("worded by the decoder"),
        Step::new("another media type", Method::POST, VPCS).text("a").media("text/plain").words_differ("the list of types"),
        Step::new("YAML", Method::POST, format!("{VPCS}?dryRun=All"))
            .text("apiVersion: vpc.githedgehog.com/v1beta1\nkind: VPC\nmetadata: {name: vpc-2}\nspec: {subnets: {default: {subnet: 10.0.2.0/24, vlan: 1002}}}\n")
            .media("application/yaml"),
        post("a label that is none", VPCS, with_meta(vpc("vpc-2", subnet(2, 1002)), json!({"labels": {"a": "<b>"}}))),
        post("a label that is no text", VPCS, with_meta(vpc("vpc-2", subnet(2, 1002)), json!({"labels": {"a": 1}})))
            .words_differ("worded by the decoder"),
        post("a namespace that is not there", "/apis/vpc.githedgehog.com/v1beta1/namespaces/nope/vpcs", good()),
        get("a kind that is not there", "/apis/vpc.githedgehog.com/v1beta1/namespaces/default/nopes"),
        get("a group that is not there", "/apis/nope.example/v1"),
        get("an object that is not there", &format!("{VPCS}/nope")),
        get("an object", VPC),
        post("a reserved label", VPCS, with_meta(vpc("vpc-2", subnet(2, 1002)), json!({
            "labels": {"fabric.githedgehog.com/mine": "x", "team": "a"}, "annotations": {"n": "1"}}))),
        get("a list", VPCS),
        get("a page", &format!("{VPCS}?limit=1")),
        get("a page of a selection", &format!("{VPCS}?limit=1&labelSelector=fabric.githedgehog.com/ipv4ns")),
        get("a list of all namespaces", "/apis/vpc.githedgehog.com/v1beta1/vpcs"),
        get("a table", VPCS).accept("application/json;as=Table;v=v1;g=meta.k8s.io").words_differ("ages"),
        get("metadata", VPC).accept("application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io"),
        get("metadata of a list", VPCS).accept("application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io"),
        get("a form that is not spoken", VPC).accept("text/html").words_differ("the list of types"),
        post("peered with a null", PEERINGS, json!({
            "apiVersion": "vpc.githedgehog.com/v1beta1", "kind": "VPCPeering", "metadata": {"name": "p"},
            "spec": {"permit": [{"vpc-1": null, "vpc-2": {}}]}})),
        post("peered with what is not there", PEERINGS, json!({
            "apiVersion": "vpc.githedgehog.com/v1beta1", "kind": "VPCPeering", "metadata": {"name": "q"},
            "spec": {"permit": [{"vpc-1": {}, "nope": {}}]}})),
        get("a list by label", &format!("{VPCS}?labelSelector=team%3Da")),
        get("a list by labels", &format!("{VPCS}?labelSelector=team%20notin%20(a),%21x")),
        get("a list by name", &format!("{VPCS}?fieldSelector=metadata.name%3Dvpc-2")),
        get("a bad selector", &format!("{VPCS}?labelSelector=a%20b")).words_differ("worded by the parser"),
        get("a field that cannot be selected", &format!("{VPCS}?fieldSelector=spec.mode%3Dx"))
            .words_differ("worded by the parser"),
    ]
}

fn change_steps() -> Vec<Step> {
    let put_vpc = |meta: Value, spec: Value| with_meta(vpc("vpc-1", spec), meta);
    let status = format!("{VPC}/status");
    vec![
        put("without a version", VPC, put_vpc(json!({}), subnet(1, 1001))),
        put("an old version", VPC, put_vpc(json!({"resourceVersion": "1"}), subnet(1, 1001))),
        put("another uid", VPC, put_vpc(json!({"resourceVersion": "@rv", "uid": "nope"}), subnet(1, 1001)))
            .words_differ("it names the uid"),
        put("another name", VPC, with_meta(vpc("vpc-9", subnet(1, 1001)), json!({"resourceVersion": "@rv"}))),
        put("the same", VPC, put_vpc(json!({"resourceVersion": "@rv"}), subnet(1, 1001))),
        put("a change", &format!("{VPC}?fieldManager=b"), put_vpc(json!({"resourceVersion": "@rv"}), subnet(1, 1003))),
        put(
            "a change in a dry run",
            &format!("{VPC}?dryRun=All"),
            put_vpc(json!({"resourceVersion": "@rv"}), subnet(1, 1004)),
        ),
        put("refused", VPC, put_vpc(json!({"resourceVersion": "@rv"}), subnet(1, 500))),
        put(
            "not there",
            &format!("{VPCS}/nope"),
            with_meta(vpc("nope", subnet(9, 1009)), json!({"resourceVersion": "5"})),
        ),
        put("labels only", VPC, put_vpc(json!({"resourceVersion": "@rv", "labels": {"team": "x"}}), subnet(1, 1003))),
        get("what came of it", VPC),
        patch("merge", &format!("{VPC}?fieldManager=c"), MERGE, json!({"spec": {"defaultIsolated": true}})),
        patch("merge a null", &format!("{VPC}?fieldManager=d"), MERGE, json!({"spec": {"defaultIsolated": null}})),
        patch("merge nothing", VPC, MERGE, json!({})),
        patch("merge an old version", VPC, MERGE, json!({"metadata": {"resourceVersion": "1"}, "spec": {"mode": ""}})),
        patch(
            "merge an unknown field, strictly",
            &format!("{VPC}?fieldValidation=Strict"),
            MERGE,
            json!({"spec": {"mood": 1}}),
        )
        .words_differ("it holds the whole object"),
        patch("merge, refused", VPC, MERGE, json!({"spec": {"mode": "l9"}})),
        patch("merge, invalid", VPC, MERGE, json!({"spec": {"permit": [[1]]}})),
        patch("merge, not there", &format!("{VPCS}/nope"), MERGE, json!({"spec": {}})),
        patch("JSON patch", VPC, JSON, json!([{"op": "add", "path": "/metadata/labels/team", "value": "b"}])),
        patch(
            "JSON patch with a test that fails",
            VPC,
            JSON,
            json!([{"op": "test", "path": "/metadata/name", "value": "b"}]),
        )
        .words_differ("worded by the patcher"),
        patch("JSON patch that is none", VPC, JSON, json!({"op": "test"})).words_differ("worded by the patcher"),
        patch("strategic merge", VPC, "application/strategic-merge-patch+json", json!({}))
            .words_differ("the list of types"),
        patch(
            "status",
            &format!("{status}?fieldManager=s"),
            MERGE,
            json!({"status": {"x": 1}, "spec": {"mode": "l3vni"}}),
        ),
        patch("spec by the status endpoint", &status, MERGE, json!({"spec": {"mode": "l3vni"}})),
        put("status by the main endpoint", VPC, {
            let mut object = put_vpc(json!({"resourceVersion": "@rv", "labels": {"team": "b"}}), subnet(1, 1003));
            object["status"] = json!({"y": 1});
            object
        }),
        get("what came of it", VPC),
        get("status", &status),
    ]
}

fn apply_steps() -> Vec<Step> {
    let config = |spec: Value| vpc("vpc-5", spec);
    let path = format!("{VPCS}/vpc-5");
    let apply = |what: &'static str, query: &str, body: Value| patch(what, &format!("{path}?{query}"), APPLY, body);
    let two = json!({"subnets": {
        "default": {"subnet": "10.0.5.0/24", "vlan": 1005, "dhcp": {"enable": true}},
        "two": {"subnet": "10.0.6.0/24", "vlan": 1006}}});
    let other_vlan = json!({"subnets": {"default": {"subnet": "10.0.5.0/24", "vlan": 1055}}});
    vec![
        patch("apply without a manager", &path, APPLY, config(two.clone())),
        apply("apply, new", "fieldManager=a", config(two.clone())),
        apply("apply, the same", "fieldManager=a", config(two)),
        apply("apply, conflict", "fieldManager=b", config(other_vlan.clone())),
        apply("apply, forced", "fieldManager=b&force=true", config(other_vlan)),
        apply(
            "apply, less",
            "fieldManager=a&force=true",
            config(json!({"subnets": {
            "default": {"subnet": "10.0.5.0/24", "dhcp": {"enable": true}}}})),
        ),
        apply(
            "apply, refused for an old default",
            "fieldManager=b",
            config(json!({"subnets": {
            "default": {"subnet": "10.0.7.0/24", "vlan": 1055}}})),
        ),
        apply(
            "apply with labels",
            "fieldManager=b&force=true",
            with_meta(
                config(json!({"subnets": {
            "default": {"vlan": 1055}}})),
                json!({"labels": {"team": "z"}}),
            ),
        ),
        apply("apply without them", "fieldManager=b", config(json!({"subnets": {"default": {"vlan": 1055}}}))),
        apply("apply a wrong type", "fieldManager=b", config(json!({"subnets": {"default": {"vlan": "x"}}})))
            .words_differ("worded by the typed merge"),
        apply("apply an unknown field, strictly", "fieldManager=b&fieldValidation=Strict", config(json!({"mood": 1})))
            .words_differ("worded by the typed merge"),
        get("what came of it", &path),
    ]
}

fn delete_steps() -> Vec<Step> {
    let held = format!("{VPCS}/held");
    let preconditions =
        |wanted: Value| Some(json!({"kind": "DeleteOptions", "apiVersion": "v1", "preconditions": wanted}));
    vec![
        delete("another uid", VPC, preconditions(json!({"uid": "nope"}))).words_differ("it names the uid"),
        delete("an old version", VPC, preconditions(json!({"resourceVersion": "1"})))
            .words_differ("it names the version"),
        delete("in a dry run", &format!("{VPC}?dryRun=All"), None),
        get("still there", VPC),
        delete("refused", "/apis/vpc.githedgehog.com/v1beta1/namespaces/default/ipv4namespaces/default", None),
        delete("as it is", VPC, preconditions(json!({"uid": "@uid", "resourceVersion": "@rv"}))),
        delete("once more", VPC, None),
        post(
            "with a finalizer",
            VPCS,
            with_meta(vpc("held", subnet(8, 1008)), json!({"finalizers": ["example.com/hold"]})),
        ),
        delete("held", &held, None),
        get("held back", &held),
        patch("let go", &held, MERGE, json!({"metadata": {"finalizers": null}})),
        get("gone", &held),
        delete("a collection", &format!("{VPCS}?labelSelector=team%3Da"), None),
        get("what is left", VPCS),
        post(
            "may I",
            "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews",
            json!({
            "apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": {"verb": "list", "group": "vpc.githedgehog.com", "resource": "vpcs"}}}),
        )
        .words_differ("who allows it"),
    ]
}

/// The objects of the real API server, read anew for each webhook call.
struct Live(KubeClient);

impl Source for Live {
    fn lookup(&self) -> BoxFuture<'_, Result<Arc<dyn Lookup + Send + Sync>, String>> {
        Box::pin(async {
            let mut all = Vec::new();
            for (group, _, _, plural) in admission::WEBHOOK_KINDS {
                let listed = self.0.list(&format!("{plural}.{group}")).await.map_err(|e| format!("{e:#}"))?;
                all.extend(listed);
            }
            Ok(Arc::new(Objects::new(all)) as Arc<dyn Lookup + Send + Sync>)
        })
    }
}

/// A real API server with the lab's definitions, and the lab's rules as its webhooks.
async fn real() -> (Lease, Server, Side) {
    let lease = ControlPlane::pool().await.expect("a control plane");
    lease.replace_crds(&lab::kinds::crds()).await.expect("the definitions install");
    let client = lease.client().expect("a client");
    let identity = Identity::generate(None).expect("an identity");
    let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let tls = identity.server_config(address.ip()).expect("TLS");
    let router = admission::webhook_router(Arc::new(Live(lease.client().expect("a client"))));
    let server = Server::start(listener, tls, router, tokio::sync::watch::channel(0).1);
    client.create(lab::profiles::find("vs").expect("a profile")).await.expect("a profile");
    for configuration in admission::webhook_configurations(&format!("https://{address}"), identity.ca_pem()) {
        client.create(&configuration).await.expect("a webhook");
    }
    let side = Side::new("real", lease.url(), lease.ca_certificate(), lease.admin_token());
    (lease, server, side)
}

/// A webhook takes effect a moment after it was created.
async fn webhooks_work(side: &Side) {
    let bad =
        post("a name that is refused", &format!("{VPCS}?dryRun=All"), vpc("a-name-that-is-too-long", subnet(1, 1)));
    testkit::eventually(std::time::Duration::from_secs(20), "the webhooks are asked", || async {
        let heard = side.send(&bad, &bad.body).await;
        if heard.status == 403 { Ok(()) } else { Err(heard.body.to_string()) }
    })
    .await
    .expect("webhooks");
}

async fn resolved(side: &Side, step: &Step) -> String {
    if !step.body.contains('@') {
        return step.body.clone();
    }
    let at = get("the object", step.path.split('?').next().unwrap_or_default());
    let found = side.send(&at, "").await.body;
    let text = |key: &str| found["metadata"][key].as_str().unwrap_or_default().to_owned();
    step.body.replace("@rv", &text("resourceVersion")).replace("@uid", &text("uid"))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_lab_answers_as_a_real_api_server() {
    let (lease, server, real) = real().await;
    webhooks_work(&real).await;
    let lab = Lab::start(Options::default()).await.expect("the lab starts");
    let own = Side::new("lab", lab.url(), lab.ca_pem(), lab.token());
    let mut differences = Vec::new();
    let steps: Vec<Step> =
        [create_steps(), change_steps(), apply_steps(), delete_steps()].into_iter().flatten().collect();
    assert!(steps.len() > 90, "{}", steps.len());
    for step in &steps {
        let mut heard = Vec::new();
        for side in [&real, &own] {
            let body = resolved(side, step).await;
            heard.push((side.name, side.send(step, &body).await));
        }
        let (a, b) = (heard[0].1.comparable(), heard[1].1.comparable());
        let same = match step.words_differ {
            None => a == b,
            Some(_) => a["status"] == b["status"] && a["body"]["reason"] == b["body"]["reason"],
        };
        if !same {
            differences.push(format!("--- {} {} {}\nreal: {a}\nlab:  {b}", step.what, step.method, step.path));
        }
    }
    lab.stop().await;
    server.stop().await;
    drop(lease);
    assert!(differences.is_empty(), "{} differences\n{}", differences.len(), differences.join("\n"));
}
