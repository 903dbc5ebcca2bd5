//! Unmodified kubectl against the lab.

use lab::{AgentTimings, Lab, Options};
use std::time::Duration;
use testkit::{RunningKubectl, eventually, kubectl};

/// A lab, and kubectl pointed at it.
struct Bench {
    lab: Lab,
    kubeconfig: String,
}

/// What one kubectl said.
#[derive(Debug)]
struct Said {
    ok: bool,
    out: String,
    err: String,
}

impl Bench {
    async fn start() -> Self {
        let agents = AgentTimings { heartbeat: Duration::from_millis(200), apply_after: Duration::from_millis(50) };
        let lab = Lab::start(Options { agents, ..Options::default() }).await.expect("the lab starts");
        let kubeconfig = lab.kubeconfig();
        Self { lab, kubeconfig }
    }

    async fn try_run(&self, command: &str, input: Option<&str>) -> Said {
        let args: Vec<&str> = command.split_whitespace().collect();
        let output = kubectl(&self.kubeconfig, &args, input).await.expect("kubectl runs");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Said { ok: output.status.success(), out: text(&output.stdout), err: text(&output.stderr) }
    }

    /// A kubectl that succeeds without a word on the error stream.
    async fn run(&self, command: &str) -> String {
        let said = self.try_run(command, None).await;
        assert!(said.ok && said.err.is_empty(), "kubectl {command}: {said:?}");
        said.out
    }

    async fn feed(&self, command: &str, input: &str) -> String {
        let said = self.try_run(command, Some(input)).await;
        assert!(said.ok && said.err.is_empty(), "kubectl {command}: {said:?}");
        said.out
    }

    /// A kubectl that fails, and what it says then.
    async fn refused(&self, command: &str, input: Option<&str>) -> String {
        let said = self.try_run(command, input).await;
        assert!(!said.ok, "kubectl {command}: {said:?}");
        said.err
    }
}

const NAMESPACES: &str = "
apiVersion: v1
kind: List
items:
- apiVersion: wiring.githedgehog.com/v1beta1
  kind: VLANNamespace
  metadata: {name: default}
  spec: {ranges: [{from: 1000, to: 2999}]}
- apiVersion: vpc.githedgehog.com/v1beta1
  kind: IPv4Namespace
  metadata: {name: default}
  spec: {subnets: [10.0.0.0/16]}
";

fn vpc(vlan: u16) -> String {
    format!(
        "
apiVersion: vpc.githedgehog.com/v1beta1
kind: VPC
metadata: {{name: vpc-1}}
spec:
  subnets:
    default: {{subnet: 10.0.1.0/24, vlan: {vlan}}}
"
    )
}

#[tokio::test]
async fn discovery_explains_itself() {
    let bench = Bench::start().await;
    assert!(bench.run("version").await.contains("+lab"));
    let resources = bench.run("api-resources --no-headers").await;
    assert_eq!(resources.lines().filter(|l| l.contains("githedgehog.com")).count(), 25);
    assert!(
        resources.lines().any(|l| l.contains("extpeering,extpeer") && l.ends_with("ExternalPeering")),
        "{resources}"
    );
    assert!(bench.run("explain vpc.spec.subnets.dhcp.range").await.contains("first address to hand out"));
    let profiles = bench.run("get sp").await;
    assert!(profiles.starts_with("NAME") && profiles.contains("DISPLAYNAME"), "{profiles}");
    assert!(profiles.contains("celestica-ds3000") && profiles.contains("32xQSFP28-100G, 1xSFP28-10G"), "{profiles}");
    assert!(bench.run("get ns kube-system").await.contains("Active"));
    assert!(bench.run("get hedgehog").await.contains("switchprofile.wiring.githedgehog.com/vs"));
    assert!(bench.run("get crd vpcs.vpc.githedgehog.com").await.contains("CREATED AT"));
    assert_eq!(bench.run("get --raw /readyz").await, "ok");
    bench.lab.stop().await;
}

#[tokio::test]
async fn access_can_be_asked_for() {
    let bench = Bench::start().await;
    assert_eq!(bench.run("auth can-i list vpcs").await.trim(), "yes");
    assert!(bench.run("auth whoami").await.contains("lab-admin"));
    assert!(bench.run("auth can-i --list").await.contains("vpcs.vpc.githedgehog.com"));
    bench.lab.faults().update(|plan| {
        plan.requests.push(lab::RequestFault::of_kind(lab::Fault::Forbidden, "VPC"));
    });
    let said = bench.try_run("auth can-i list vpcs", None).await;
    assert!(!said.ok && said.out.trim() == "no", "{said:?}");
    let err = bench.refused("get vpcs", None).await;
    assert!(err.contains("(Forbidden)") && err.contains("cannot list resource \"vpcs\" in API group"), "{err}");
    bench.run("get servers --ignore-not-found -o name").await;
    bench.lab.stop().await;
}

#[tokio::test]
async fn an_object_is_applied_changed_and_deleted() {
    let bench = Bench::start().await;
    bench.feed("apply -f -", NAMESPACES).await;
    assert!(bench.feed("apply -f -", &vpc(1001)).await.contains("created"));
    assert!(bench.feed("apply -f -", &vpc(1001)).await.contains("unchanged"));
    assert_eq!(bench.feed("diff -f -", &vpc(1001)).await, "");
    let diff = bench.try_run("diff -f -", Some(&vpc(1002))).await;
    assert!(!diff.ok && diff.out.contains("+      vlan: 1002"), "{diff:?}");
    assert!(bench.feed("apply -f - --dry-run=server", &vpc(1002)).await.contains("configured (server dry run)"));
    assert_eq!(bench.lab.object("VPC", "vpc-1").expect("it is there")["spec"]["subnets"]["default"]["vlan"], 1001);
    assert!(bench.feed("apply -f -", &vpc(1002)).await.contains("configured"));

    let stored = bench.lab.object("VPC", "vpc-1").expect("it is there");
    assert_eq!(stored["spec"]["subnets"]["default"]["vlan"], 1002);
    assert_eq!(stored["spec"]["subnets"]["default"]["gateway"], "10.0.1.1");
    assert_eq!(stored["metadata"]["generation"], 2);
    assert_eq!(stored["metadata"]["labels"]["fabric.githedgehog.com/ipv4ns"], "default");

    bench.run("label vpc vpc-1 team=a").await;
    bench.run("annotate vpc vpc-1 note=b").await;
    bench.run(r#"patch vpc vpc-1 --type=merge -p {"spec":{"defaultIsolated":true}}"#).await;
    bench.run(r#"patch vpc vpc-1 --type=json -p [{"op":"remove","path":"/spec/defaultIsolated"}]"#).await;
    let stored = bench.lab.object("VPC", "vpc-1").expect("it is there");
    assert_eq!(stored["metadata"]["generation"], 4, "labels and annotations do not count");
    assert_eq!(stored["metadata"]["labels"]["team"], "a");
    assert!(bench.run("get vpc -l team=a -o name").await.contains("vpc-1"));
    assert!(bench.run("get vpc --field-selector metadata.name=vpc-1 -o name").await.contains("vpc-1"));
    assert!(bench.run("describe vpc vpc-1").await.contains("team=a"));
    let wide = bench.run("get vpc -o wide").await;
    assert!(wide.contains("SUBNETS") && wide.contains("10.0.1.0/24"), "{wide}");

    let err = bench.refused("delete ipns default", None).await;
    assert!(
        err.contains("admission webhook \"vipv4namespace.kb.io\" denied the request: IPv4Namespace has VPCs"),
        "{err}"
    );
    assert!(bench.run("delete vpc vpc-1").await.contains("deleted"));
    assert!(bench.refused("get vpc vpc-1", None).await.contains("(NotFound)"));
    bench.run("delete ipns default").await;
    bench.lab.stop().await;
}

#[tokio::test]
async fn mistakes_are_refused_with_their_reason() {
    let bench = Bench::start().await;
    bench.feed("apply -f -", NAMESPACES).await;
    let misspelt = vpc(1001).replace("vlan:", "vlann:");
    let err = bench.refused("apply -f -", Some(&misspelt)).await;
    assert!(err.contains("strict decoding error: unknown field \"spec.subnets.default.vlann\""), "{err}");
    let err = bench.refused("apply -f -", Some(&vpc(1001).replace("1001", "x"))).await;
    assert!(err.contains("spec.subnets.default.vlan"), "{err}");
    let err = bench.refused("create -f -", Some(&vpc(500))).await;
    assert!(err.contains("doesn't belong to the VLANNamespace default"), "{err}");
    let switch = "{apiVersion: wiring.githedgehog.com/v1beta1, kind: Switch, metadata: {name: s}, spec: {role: nope, profile: vs}}";
    let err = bench.refused("create -f -", Some(switch)).await;
    assert!(err.contains("The Switch \"s\" is invalid") && err.contains("spec.role: Unsupported value"), "{err}");

    let said = bench.try_run("apply --validate=warn -f -", Some(&vpc(1001).replace("spec:", "spec:\n  mood: x"))).await;
    assert!(said.ok && said.err.contains("unknown field \"spec.mood\""), "{said:?}");
    let err = bench.refused("create -f -", Some(&vpc(1001))).await;
    assert!(err.contains("(AlreadyExists)"), "{err}");
    assert!(bench.refused("get nonsense", None).await.contains("doesn't have a resource type"));
    bench.lab.stop().await;
}

#[tokio::test]
async fn server_side_apply_knows_who_owns_what() {
    let bench = Bench::start().await;
    bench.feed("apply -f -", NAMESPACES).await;
    assert!(bench.feed("apply --server-side --field-manager=a -f -", &vpc(1001)).await.contains("serverside-applied"));
    let err = bench.refused("apply --server-side --field-manager=b -f -", Some(&vpc(1002))).await;
    assert!(err.contains("conflict with \"a\": .spec.subnets.default.vlan"), "{err}");
    bench.feed("apply --server-side --field-manager=b --force-conflicts -f -", &vpc(1002)).await;
    let fields = bench.run("get vpc vpc-1 -o yaml --show-managed-fields").await;
    assert!(fields.contains("manager: a") && fields.contains("manager: b"), "{fields}");
    assert!(bench.feed("diff --server-side --field-manager=b -f -", &vpc(1002)).await.is_empty());
    bench.lab.stop().await;
}

#[tokio::test]
async fn changes_are_watched() {
    let bench = Bench::start().await;
    bench.feed("apply -f -", NAMESPACES).await;
    bench.feed("apply -f -", &vpc(1001)).await;
    let args = ["get", "vpc", "-w", "--output-watch-events"];
    let mut watch = RunningKubectl::start(&bench.kubeconfig, &args).expect("kubectl starts");
    let mut seen = Vec::new();
    // What is there is listed first; each change comes when it is made.
    for (change, events) in [("", 2), ("label vpc vpc-1 team=a", 1), ("delete vpc vpc-1", 1)] {
        if !change.is_empty() {
            bench.run(change).await;
        }
        for _ in 0..events {
            let line = watch.line().await.expect("the watch goes on");
            seen.extend(line.split_whitespace().next().map(str::to_owned));
        }
    }
    assert_eq!(seen, ["EVENT", "ADDED", "MODIFIED", "DELETED"]);
    bench.lab.stop().await;
}

#[tokio::test]
async fn agents_are_seen_to_apply() {
    let bench = Bench::start().await;
    bench.feed("apply -f -", NAMESPACES).await;
    let switch = "
apiVersion: wiring.githedgehog.com/v1beta1
kind: Switch
metadata: {name: leaf-1}
spec:
  role: server-leaf
  profile: celestica-ds3000
  asn: 65101
  ip: 172.30.0.5/21
  protocolIP: 172.30.8.5/32
  vtepIP: 172.30.12.5/32
";
    bench.feed("apply -f -", switch).await;
    bench.run("wait --for=create agent/leaf-1 --timeout=10s").await;
    bench.run("wait --for=condition=Applied agent/leaf-1 --timeout=10s").await;
    eventually(Duration::from_secs(10), "the agent's generation is applied", || async {
        let table = bench.run("get agents --no-headers").await;
        let cells: Vec<&str> = table.split_whitespace().collect();
        if cells.len() > 4 && cells[0] == "leaf-1" && cells[3] == cells[4] { Ok(()) } else { Err(table) }
    })
    .await
    .expect("agents apply");
    bench.lab.stop().await;
}
