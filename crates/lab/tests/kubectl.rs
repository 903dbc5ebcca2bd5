//! Unmodified kubectl against the lab.

use lab::{Lab, Options};
use testkit::kubectl;

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
        let lab = Lab::start(Options::default()).await.unwrap();
        let kubeconfig = lab.kubeconfig();
        Self { lab, kubeconfig }
    }

    async fn try_run(&self, command: &str, input: Option<&str>) -> Said {
        let args: Vec<&str> = command.split_whitespace().collect();
        let output = kubectl(&self.kubeconfig, &args, input).await.unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        Said { ok: output.status.success(), out: text(output.stdout), err: text(output.stderr) }
    }
}

const NAMESPACES: &str = "
apiVersion: wiring.githedgehog.com/v1beta1
kind: VLANNamespace
metadata: {name: default}
spec: {ranges: [{from: 1000, to: 2999}]}
---
apiVersion: vpc.githedgehog.com/v1beta1
kind: IPv4Namespace
metadata: {name: default}
spec: {subnets: [10.0.0.0/16]}
";

const VPC: &str = "
apiVersion: vpc.githedgehog.com/v1beta1
kind: VPC
metadata: {name: vpc-1}
spec:
  subnets:
    default: {subnet: 10.0.1.0/24, vlan: 1001}
";

#[tokio::test]
async fn explore() {
    let bench = Bench::start().await;
    for command in ["version", "api-resources", "api-versions", "get sp", "get ns", "get crd", "explain vpc.spec.subnets", "auth can-i list vpcs", "auth whoami", "auth can-i --list", "cluster-info", "get all", "get hedgehog"] {
        let said = bench.try_run(command, None).await;
        println!("=== {command}: {}\n{}\n{}", said.ok, said.out, said.err);
    }
    for (command, input) in [("apply -f -", NAMESPACES), ("apply -f - -v=8", VPC), ("apply -f -", VPC), ("diff -f -", VPC), ("apply --server-side --force-conflicts -f -", VPC), ("replace -f -", VPC), ("create --dry-run=server -o yaml -f -", VPC)] {
        let said = bench.try_run(command, Some(input)).await;
        println!("=== {command}: {}\n{}\n{}", said.ok, said.out, said.err);
    }
    for command in ["get vpc -o wide", "get vpc vpc-1 -o yaml --show-managed-fields", "label vpc vpc-1 team=a", "annotate vpc vpc-1 x=y", "patch vpc vpc-1 --type=merge -p {\"spec\":{\"mode\":\"l9\"}}", "patch vpc vpc-1 -p {\"spec\":{\"mode\":\"\"}}", "describe vpc vpc-1", "delete ipns default", "delete vpc vpc-1", "get vpc", "wait --for=delete vpc/vpc-1", "get --raw /healthz", "get vpc nope"] {
        let said = bench.try_run(command, None).await;
        println!("=== {command}: {}\n{}\n{}", said.ok, said.out, said.err);
    }
    bench.lab.stop().await;
}
