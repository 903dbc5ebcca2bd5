//! Each thing that cannot be meant, in a profile that is sound without it.

use super::*;

/// The built-in profiles, of which a part is written in another way.
const HEDGEROW: &str = include_str!("../../../profiles/hedgerow.toml");
const NETBOX: &str = include_str!("../../../profiles/netbox-hedgehog.toml");

fn found(text: &str, from: &str, to: &str) -> Vec<String> {
    assert!(text.contains(from), "{from}");
    let text = text.replacen(from, to, 1);
    let profile: Profile = toml::from_str(&text).unwrap_or_else(|error| panic!("{to}: {error}"));
    problems(&profile, &text)
}

#[test]
fn what_cannot_be_meant_is_said_with_its_line_and_key() {
    for (text, from, to, said) in [
        (NETBOX, "cancel = ", "cancle = ", "without.cancle: there is no journey of this name"),
        (NETBOX, "cancel = \"A sync of the plugin cannot be cancelled.\"", "cancel = \" \"", "without.cancel: "),
        (HEDGEROW, "good = [\"in_sync\"]", "good = [\"in-sync\"]", "status.good: in-sync is no key of status.words"),
        (HEDGEROW, "failed = [\"error\"]", "failed = [\"Error\"]", "status.failed: Error is no key"),
        (HEDGEROW, "busy = [\"syncing\"]", "busy = [\"sync\"]", "status.busy: sync is no key"),
        (HEDGEROW, r"address = '^/fabrics/(\d+)/$'", r"address = '^/fabrics/\d+/$'", "fabric.address: "),
        (HEDGEROW, r"below = '^/fabrics/(\d+)/'", r"below = '^/fabrics/(?:\d+)/'", "fabric.below: "),
        (HEDGEROW, r"address = '^/operations/(\d+)/$'", r"address = '^/operations/\d+/$'", "operation.address: "),
        (HEDGEROW, r"/[^/]+/([^/]+)/'", r"/[^/]+/[^/]+/'", "drift.link: two groups"),
        (
            HEDGEROW,
            r"object = '^/fabrics/\d+/objects/([^/?]+)/",
            r"object = '^/fabrics/\d+/objects/[^/?]+/",
            "crawl.kinds.object: ",
        ),
        (NETBOX, r"read = 'Imported: (\d+)'", r"read = 'Imported: \d+'", "answers.read: "),
        (NETBOX, r"onclick = 'syncFromFabric\((\d+)\)'", r"onclick = 'syncFromFabric'", "calls[1].onclick: "),
        (NETBOX, r#"[`"'](/[^`"'\s]*)[`"']"#, r#"[`"']/[^`"'\s]*[`"']"#, "calls[0].address: "),
        (NETBOX, r#"["'](\w+)["']"#, r#"["']\w+["']"#, "calls[0].method: "),
        (HEDGEROW, r#"names = ["Log out"]"#, "names = []", "login.logout: "),
        (
            HEDGEROW,
            r#"{ role = "field", names = ["Password"], hints = ["input[name=password]"] }"#,
            "{}",
            "login.password: ",
        ),
        (HEDGEROW, r#"{ role = "button", names = ["Stay"#, r#"{ names = ["Stay"#, "session.stay: "),
        (HEDGEROW, r#"names = ["End"]"#, r#"names = [" "]"#, "session.end_one: "),
        (HEDGEROW, r##"hints = ["#sync-now-btn"]"##, r##"hints = ["#sync..btn"]"##, "actions.sync.button: #sync..btn"),
        (HEDGEROW, "titles = [\" · Hedgerow$\"]\nelements = [\"a.brand\"]", "titles = []", "recognise: "),
        (HEDGEROW, "titles = [\" · Hedgerow$\"]", "titles = [\"(Hedgerow)?\"]", "recognise.titles[0]: "),
        (HEDGEROW, r#"address = "/login/""#, r#"address = "https://other.example/login/""#, "login.address: "),
        (HEDGEROW, r#"address = "/login/""#, r#"address = "//other.example/login/""#, "login.address: "),
        (HEDGEROW, r#"address = "/login/""#, r#"address = '/\other.example/login/'"#, "login.address: "),
        (HEDGEROW, r#"address = "/fabrics/""#, r#"address = "fabrics/""#, "fabrics.address: "),
        (
            HEDGEROW,
            r#"{ address = "/fabrics/{id}/", pointer = "/last"#,
            r#"{ address = "x", pointer = "/last"#,
            "fabric.last_success.address: ",
        ),
        (
            HEDGEROW,
            r#"{ address = "/fabrics/{id}/", pointer = "/auto"#,
            r#"{ address = "x", pointer = "/auto"#,
            "fabric.next_automatic.address: ",
        ),
        (
            HEDGEROW,
            r#"{ address = "/fabrics/{id}/", pointer = "/calc"#,
            r#"{ address = "x", pointer = "/calc"#,
            "status.api[1].address: ",
        ),
        (HEDGEROW, r#"address = "/metrics""#, r#"address = "http://h:9/metrics""#, "status.metric.address: "),
        (HEDGEROW, r#"list = "/fabrics/{id}/operations/""#, r#"list = """#, "operation.list: "),
        (HEDGEROW, r#"list = "/account"#, r#"list = "account"#, "session.list: "),
        (HEDGEROW, r#"address = "/session/""#, r#"address = "session/""#, "session.address: "),
        (HEDGEROW, r#"start = ["/"]"#, r#"start = ["/", "//x"]"#, "crawl.start[1]: "),
        (HEDGEROW, r#"list = "/fabrics/{id}/objects/""#, r#"list = "x""#, "crawl.kinds.list: "),
        (HEDGEROW, r#"address = "/fabrics/{id}/objects/?"#, r#"address = "x"#, "crawl.kinds.address: "),
        (HEDGEROW, r#"address = "/activity/""#, r#"address = "x""#, "activity.address: "),
        (HEDGEROW, r#"object = "/fabrics"#, r#"object = "fabrics"#, "drift.object: "),
        (HEDGEROW, r#"list = "/fabrics/{id}/objects/?kind"#, r#"list = "?kind"#, "drift.list: "),
    ] {
        let all = found(text, from, to);
        let place = text.find(from).unwrap();
        // A table that holds too little is named by its head.
        let line = text[..place].matches('\n').count() + usize::from(said != "recognise: ");
        assert_eq!(all.len(), 1, "{to}: {all:?}");
        let number = all[0].strip_prefix("line ").and_then(|rest| rest.split_once(": "));
        let (number, rest) = number.unwrap_or_else(|| panic!("{all:?}"));
        assert!(rest.starts_with(said) && rest.len() > said.len(), "{to}: {all:?}");
        assert_eq!(number, line.to_string(), "{to}: {all:?}");
    }
}

#[test]
fn what_is_sound_stays_sound_and_all_that_is_wrong_is_said() {
    assert_eq!(found(HEDGEROW, "schema", "schema"), [""; 0]);
    assert_eq!(found(NETBOX, "schema", "schema"), [""; 0]);
    let both = HEDGEROW.replace("[\"in_sync\"]", "[\"fine\"]");
    let lines = found(&both, "address = \"/login/\"", "address = \"login\"");
    assert!(lines.len() == 2 && lines[0].contains("login.address") && lines[1].contains("status.good"), "{lines:?}");
}
