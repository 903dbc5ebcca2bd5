//! Manifests: what is read, and what is said of what is wrong.

use super::*;
use proptest::prelude::*;

fn parse(text: &str) -> Parsed {
    parse_file("a.yaml", text.as_bytes(), "default", &Limits::default())
}

/// Each finding as `severity rule line:column document`.
fn said(parsed: &Parsed) -> Vec<String> {
    let one = |f: &Finding| {
        let at = f.location.as_ref().unwrap();
        format!("{:?} {} {}:{} #{}", f.severity, f.rule, at.line, at.column, at.document)
    };
    parsed.findings.iter().map(one).collect()
}

fn names(parsed: &Parsed) -> Vec<&str> {
    parsed.manifests.iter().map(|m| m.key.name.as_str()).collect()
}

const VPC: &str = "apiVersion: vpc.githedgehog.com/v1beta1\nkind: VPC\nmetadata:\n  name: v1\n";

#[test]
fn documents_lists_and_namespaces_are_read() {
    let list = "apiVersion: v1\nkind: List\nitems:\n- apiVersion: vpc.githedgehog.com/v1beta1\n  kind: VPC\n  metadata: {name: v2, namespace: default}\n-   apiVersion: wiring.githedgehog.com/v1beta1\n    kind: Server\n    metadata: {name: s1}\n";
    let parsed = parse(&format!("# a file\n---\n{VPC}---\n{list}"));
    assert_eq!(said(&parsed), [""; 0]);
    assert_eq!(names(&parsed), ["v1", "v2", "s1"]);
    let places: Vec<_> =
        parsed.manifests.iter().map(|m| (m.location.line, m.location.column, m.location.document)).collect();
    assert_eq!(places, [(3, 1, 1), (11, 3, 2), (14, 5, 2)]);
    assert_eq!(parsed.manifests[0].key.to_string(), "VPC.vpc.githedgehog.com/default/v1");
    assert_eq!(parsed.manifests[0].object.value()["metadata"]["namespace"], "default");
}

#[test]
fn a_broken_document_hides_no_other() {
    let parsed = parse(&format!(
        "{VPC}---\nkind: [\n---\nkind: VPC\n  bad: 1\n---\n{}",
        VPC.replace("v1\n", "v3\n").replace("vpc.githedgehog.com/v3", "vpc.githedgehog.com/v1beta1")
    ));
    assert_eq!(names(&parsed), ["v1", "v3"]);
    assert_eq!(parsed.broken_documents(), 2);
    assert!(parsed.findings.iter().all(|f| f.rule == "yaml_syntax"), "{:?}", parsed.findings);
    assert_eq!(parsed.findings[1].location.as_ref().unwrap().line, 9, "{:?}", parsed.findings[1]);
}

#[test]
fn what_is_missing_or_of_a_wrong_type_is_said_with_its_place() {
    for (text, wanted) in [
        ("", "Warning empty_document 1:1 #1"),
        ("# nothing\n", "Warning empty_document 1:1 #1"),
        ("- 1\n", "Error not_an_object 1:1 #1"),
        ("just words\n", "Error not_an_object 1:1 #1"),
        ("kind: VPC\nmetadata: {name: a}\n", "Error missing_api_version 1:1 #1"),
        ("apiVersion: vpc.githedgehog.com/v1beta1\n", "Error missing_kind 1:1 #1"),
        ("apiVersion: 1\nkind: VPC\n", "Error wrong_type 1:1 #1"),
        ("apiVersion: vpc.githedgehog.com/v1beta1\nkind: VPC\n", "Error missing_name 1:1 #1"),
        (
            "apiVersion: vpc.githedgehog.com/v1beta1\nkind: VPC\nmetadata:\n  generateName: x\n",
            "Error missing_name 3:1 #1",
        ),
        ("apiVersion: vpc.githedgehog.com/v1beta1\nkind: VPC\nmetadata:\n  name: 0123\n", "Error wrong_type 4:3 #1"),
        ("apiVersion: vpc.githedgehog.com/v1beta1\nkind: VPC\nmetadata:\n  name: no\n", "Error wrong_type 4:3 #1"),
        ("apiVersion: vpc.githedgehog.com/v1beta1\nkind: VPC\nmetadata: [a]\n", "Error wrong_type 3:1 #1"),
        (
            "apiVersion: vpc.githedgehog.com/v1beta1\nkind: VPC\nmetadata:\n  name: a\n  labels:\n    ok: yes\n",
            "Error wrong_type 6:5 #1",
        ),
        (
            "apiVersion: vpc.githedgehog.com/v1beta1\nkind: VPC\nmetadata:\n  name: a\n  namespace: fab\n",
            "Error other_namespace 5:3 #1",
        ),
        (
            "# c\napiVersion: vpc.githedgehog.com/v1alpha2\nkind: VPC\nmetadata: {name: a}\n",
            "Error unsupported_version 2:1 #1",
        ),
        ("apiVersion: wiring.githedgehog.com/v1beta1\nkind: VPC\nmetadata: {name: a}\n", "Error wrong_group 1:1 #1"),
        ("apiVersion: vpc.hedgehog.io/v1beta1\nkind: VPC\nmetadata: {name: a}\n", "Error unknown_group 1:1 #1"),
        ("apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: a}\n", "Info other_kind 1:1 #1"),
        (
            "apiVersion: agent.githedgehog.com/v1beta1\nkind: Agent\nmetadata: {name: a}\n",
            "Warning controller_kind 1:1 #1",
        ),
        (
            "apiVersion: wiring.githedgehog.com/v1beta1\nkind: SwitchProfile\nmetadata: {name: a}\n",
            "Warning built_in_kind 1:1 #1",
        ),
        (
            "apiVersion: fabricator.githedgehog.com/v1beta1\nkind: Fabricator\nmetadata: {name: a, namespace: fab}\n",
            "Warning installer_kind 1:1 #1",
        ),
        (
            "apiVersion: vpc.githedgehog.com/v1beta1\nkind: VPC\nmetadata: {name: a, uid: b}\n",
            "Info server_field 1:1 #1",
        ),
        ("a: 1\n\tb: 2\n", "Error yaml_syntax 2:1 #1"),
        ("apiVersion: v1\nkind: List\nitems: 3\n", "Error not_an_object 3:1 #1"),
        ("apiVersion: v1\nkind: List\nitems: []\n", "Warning empty_document 1:1 #1"),
    ] {
        assert_eq!(said(&parse(text)), [wanted], "{text}\n{:?}", parse(text).findings);
    }
    let parsed = parse("apiVersion: vpc.githedgehog.com/v1beta1\nkind: VPC\nmetadata:\n  name: 0123\n");
    assert!(parsed.findings[0].message.contains("Write \"0123\""), "{:?}", parsed.findings);
    assert!(parse("a: 1\n\tb: 2\n").findings[0].message.contains("tab"));
}

#[test]
fn empty_documents_and_markers_are_said() {
    let parsed = parse(&format!("{VPC}---\n---\n# only a comment\n---\n{}", VPC.replace("name: v1", "name: v2")));
    assert_eq!(said(&parsed), ["Warning empty_document 5:1 #2", "Info empty_document 6:1 #3"]);
    assert_eq!(names(&parsed), ["v1", "v2"]);
}

#[test]
fn a_key_that_stands_twice_is_refused_with_both_lines() {
    let parsed = parse(&format!("---\n{VPC}spec:\n  subnets:\n    a: {{vlan: 1}}\n    b: {{}}\n    a: {{vlan: 2}}\n"));
    assert_eq!(said(&parsed), ["Error duplicate_key 10:5 #1"]);
    let finding = &parsed.findings[0];
    assert_eq!(finding.path.as_deref(), Some("spec.subnets.a"));
    assert!(finding.message.contains("in a.yaml:8:5 and in a.yaml:10:5."), "{}", finding.message);
}

/// JSON is YAML, and is read as strictly: the last of two equal keys does not win in silence.
#[test]
fn a_key_that_stands_twice_in_json_is_refused_with_its_place() {
    let json = r#"{"apiVersion": "vpc.githedgehog.com/v1beta1", "kind": "VPC", "metadata": {"name": "v1"},
  "spec": {"subnets": {"a": {"vlan": 1001,
    "vlan": 1002}}}}
"#;
    let parsed = parse(json);
    assert_eq!((said(&parsed), names(&parsed)), (vec!["Error duplicate_key 3:5 #1".to_owned()], vec![]));
    let finding = &parsed.findings[0];
    assert_eq!(finding.path.as_deref(), Some("spec.subnets.a.vlan"));
    let both = "spec.subnets.a.vlan stands twice in one mapping: in a.yaml:2:30 and in a.yaml:3:5.";
    assert!(finding.message.starts_with(both), "{}", finding.message);
    // Spelt in another way, it is the same key; in one line, the column tells.
    let escaped = json.replace("\n  ", "").replace("\n    ", "").replacen(r#""vlan": 1002"#, r#""vl\u0061n": 1002"#, 1);
    let parsed = parse(&escaped);
    assert_eq!(parsed.findings.len(), 1, "{:?}", parsed.findings);
    assert_eq!(parsed.findings[0].rule, "duplicate_key");
    let (at, line) = (parsed.findings[0].location.as_ref().unwrap(), escaped.lines().next().unwrap());
    assert_eq!((at.line, &line[at.column as usize - 1..][..5]), (1, "\"vl\\u"), "{at:?}");
}

#[test]
fn bytes_that_are_no_text_and_files_that_are_too_large_are_said() {
    let parsed = parse_file("a.yaml", b"a: 1\nb: \xff\n", "default", &Limits::default());
    assert_eq!(said(&parsed), ["Error not_utf8 2:4 #1"]);
    let limits = Limits { file_bytes: 10, ..Limits::default() };
    assert_eq!(said(&parse_file("a.yaml", VPC.as_bytes(), "default", &limits)), ["Error file_too_large 1:1 #1"]);
    let parsed = parse_file("a.yaml", format!("\u{feff}{VPC}").as_bytes(), "default", &Limits::default());
    assert_eq!((names(&parsed), parsed.findings.len()), (vec!["v1"], 0));
    let crlf = parse(&VPC.replace('\n', "\r\n"));
    assert_eq!((names(&crlf), crlf.findings.len()), (vec!["v1"], 0));
}

#[test]
fn bombs_are_refused() {
    let deep = format!("{VPC}spec: {}{}\n", "[".repeat(200), "]".repeat(200));
    assert_eq!(parse(&deep).findings[0].rule, "too_complex", "{:?}", parse(&deep).findings);
    let mut laughs = String::from("a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n");
    for n in 1..12 {
        let refs = vec![format!("*a{}", n - 1); 10].join(",");
        laughs += &format!("a{n}: &a{n} [{refs}]\n");
    }
    assert_eq!(parse(&laughs).findings[0].rule, "too_complex", "{:?}", parse(&laughs).findings);
    let limits = Limits { objects: 1, ..Limits::default() };
    let two = format!("{VPC}---\n{}", VPC.replace("name: v1", "name: v2"));
    let parsed = parse_file("a.yaml", two.as_bytes(), "default", &limits);
    assert_eq!((names(&parsed), parsed.findings[0].rule.as_str()), (vec!["v1"], "too_many_objects"));
}

#[test]
fn scalars_are_read_as_kubernetes_tools_read_them() {
    let text = format!(
        "{VPC}spec:\n  a: yes\n  b: off\n  c: 0755\n  d: 65101:3001\n  e: 10.0.0.0/24\n  f: 1:30\n  g: ~\n  h: \"yes\"\n  i: 0x10\n  1: one\n  j: &x {{k: 1}}\n  l: {{<<: *x, m: 2}}\n  n: 2026-01-01\n"
    );
    let parsed = parse(&text);
    assert_eq!(parsed.findings, []);
    let wanted = serde_json::json!({"a": true, "b": false, "c": 493, "d": "65101:3001", "e": "10.0.0.0/24", "f": "1:30",
        "g": null, "h": "yes", "i": 16, "1": "one", "j": {"k": 1}, "l": {"k": 1, "m": 2}, "n": "2026-01-01"});
    assert_eq!(parsed.manifests[0].object.value()["spec"], wanted);
}

#[test]
fn objects_that_stand_twice_are_errors_at_both_places() {
    let file =
        |name: &str, text: &str| (name.to_owned(), parse_file(name, text.as_bytes(), "default", &Limits::default()));
    let all = collect([
        file("a.yaml", VPC),
        file("b.yaml", &format!("---\n{VPC}---\n{}", VPC.replace("name: v1", "name: v2"))),
    ]);
    assert_eq!(names(&all), ["v1", "v2"]);
    let messages: Vec<_> =
        all.findings.iter().map(|f| (f.rule.as_str(), f.location.as_ref().unwrap().to_string())).collect();
    assert_eq!(messages, [("duplicate_object", "a.yaml:1:1".into()), ("duplicate_object", "b.yaml:2:1".into())]);
    let said = |n: usize| all.findings[n].message.as_str();
    let then = "Keep one of them; until then none is applied.";
    assert_eq!(said(0), format!("VPC v1 stands twice: in a.yaml:1:1 and in b.yaml:2:1. {then}"));
    assert_eq!(said(1), format!("VPC v1 stands twice: in b.yaml:2:1 and in a.yaml:1:1. {then}"));
    let thrice = collect(["a.yaml", "b.yaml", "c.yaml"].map(|name| file(name, VPC)));
    let said = &thrice.findings[2].message;
    assert_eq!(*said, format!("VPC v1 stands 3 times: in c.yaml:1:1, a.yaml:1:1 and in b.yaml:1:1. {then}"));
    assert_eq!(all.blocked().into_iter().map(|k| k.name.as_str()).collect::<Vec<_>>(), ["v1"]);
}

#[test]
fn a_field_is_found_in_the_text() {
    let text = format!(
        "# c\n---\n{VPC}spec:\n  subnets:\n    default:\n      vlan: 1\n---\napiVersion: v1\nkind: List\nitems:\n- apiVersion: wiring.githedgehog.com/v1beta1\n  kind: Server\n  metadata: {{name: s1}}\n  spec:\n    description: x\n"
    );
    let parsed = parse(&text);
    let at = |n: usize, path: &str| {
        locate(&text, &parsed.manifests[n].location, &path.parse().unwrap()).unwrap().to_string()
    };
    assert_eq!(at(0, "spec.subnets.default.vlan"), "a.yaml:10:7");
    assert_eq!(at(0, "spec.subnets.default.gateway"), "a.yaml:9:5");
    assert_eq!(at(1, "spec.description"), "a.yaml:19:5");
    assert_eq!(at(1, "metadata.name"), "a.yaml:17:14");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        parse_file("a.yaml", &bytes, "default", &Limits::default());
    }

    #[test]
    fn no_yaml_like_text_panics(text in "[a-c:\\-\\[\\]{}&*!|>'\"%#,? \t\n]{0,80}") {
        let parsed = parse(&text);
        prop_assert!(!parsed.findings.is_empty() || !parsed.manifests.is_empty());
        let _ = locate(&text, &Location { file: "".into(), line: 2, column: 1, document: 1 }, &"a.b[0]".parse().unwrap());
    }

    #[test]
    fn a_file_that_is_cut_off_never_panics_and_is_never_skipped(cut in 0_usize..400) {
        let text = format!("# c\n---\n{VPC}spec:\n  subnets:\n    default: {{vlan: 1, subnet: \"10.0.0.0/24\"}}\n    b:\n    - |\n      text\n---\n{VPC}");
        let cut = cut.min(text.len());
        let parsed = parse(&text[..cut]);
        prop_assert!(!parsed.findings.is_empty() || !parsed.manifests.is_empty());
    }
}
