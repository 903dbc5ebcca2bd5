//! The table: every address has a route and a declaration, and nothing else leads anywhere.

use super::*;
use std::collections::HashSet;

#[test]
fn every_route_and_what_it_needs() {
    let mut lines: Vec<String> = routes()
        .iter()
        .map(|route| format!("{:4} {:72} {:52} {}", route.method.as_str(), route.path, route.needs, route.kind))
        .collect();
    lines.sort_by_key(|line| line[5..].to_owned());
    let listing = lines.join("\n") + "\n";
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/src/routes/listing.txt");
    if std::env::var_os("HEDGEROW_ACCEPT").is_some() {
        std::fs::write(path, &listing).unwrap();
    }
    let accepted = std::fs::read_to_string(path).unwrap_or_default();
    assert_eq!(listing, accepted, "the routes changed; accept with HEDGEROW_ACCEPT=1");
}

#[test]
fn no_route_stands_twice() {
    let mut seen = HashSet::new();
    for route in routes() {
        assert!(seen.insert((route.method.to_string(), route.path.clone())), "{} {}", route.method, route.path);
    }
}

#[test]
fn every_address_is_routed_and_every_route_has_an_address() {
    let table = own();
    for (name, pattern) in url::ALL {
        assert!(table.iter().any(|route| route.path == *pattern), "{name} {pattern} is not routed");
    }
    for route in &table {
        assert!(url::ALL.iter().any(|(_, pattern)| *pattern == route.path), "{} is not in url.rs", route.path);
    }
}

#[test]
fn what_writes_needs_more_than_nothing() {
    let open: Vec<String> = routes()
        .into_iter()
        .filter(|route| route.method == Method::POST && route.needs == Needs::Public)
        .map(|route| route.path)
        .collect();
    // Logging in cannot need a login, and a script that fails on the login page may say so.
    assert_eq!(open, ["/login/", "/client-error/"]);
}

#[test]
fn the_predecessors_addresses_answer() {
    for path in ["/plugins/hedgehog/fabrics/7/sync/", "/plugins/hedgehog/api/fabrics/7/sync/"] {
        let post = resolve(&Method::POST, path).unwrap();
        assert_eq!((post.name, post.needs), ("sync", Needs::Fabric(Action::Sync)));
        assert_eq!(resolve(&Method::GET, path).unwrap().kind, Kind::Back);
        assert_eq!(object_of(path), "/fabrics/7/");
    }
    assert_eq!(resolve(&Method::GET, "/plugins/hedgehog/fabrics/7/").unwrap().name, "fabric");
    assert_eq!(resolve(&Method::GET, "/plugins/hedgehog/").unwrap().name, "home");
}

#[test]
fn a_login_leads_to_pages_only() {
    for good in
        ["/", "/fabrics/7/", "/fabrics/7/objects/?kind=VPC.vpc.githedgehog.com&page=2", "/plugins/hedgehog/fabrics/7/"]
    {
        assert_eq!(safe_next(good), Some(good));
    }
    let bad = [
        "",
        "//evil.example/",
        "/\\evil.example/",
        "https://evil.example/",
        "/fabrics/7/sync/",
        "/logout/",
        "/login/",
        "/nowhere/",
        "/fabrics/7/events/",
        "/static/x/y",
        "/fabrics/\n7/",
        "javascript:alert(1)",
        "/session/",
        "/fabrics//7/",
        // Where a browser goes is not what was looked up.
        "/fabrics/../objects/../../logout/",
        "/fabrics/%2e%2E/objects/.%2e/../logout/",
        "/fabrics/./",
        "/fabrics/?name=\u{e9}",
        "/fabrics/?name=\u{1}",
    ];
    for bad in bad {
        assert_eq!(safe_next(bad), None, "{bad:?}");
    }
}

#[test]
fn lesson_10_no_template_and_no_script_writes_an_address_of_its_own() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    for folder in ["templates", "templates/parts", "static"] {
        files.extend(std::fs::read_dir(root.join(folder)).unwrap().map(|entry| entry.unwrap().path()));
    }
    let mut looked_at = 0;
    for file in files.iter().filter(|file| file.is_file()) {
        let text = std::fs::read_to_string(file).unwrap();
        let name = file.display();
        let script = file.extension().is_some_and(|e| e == "js");
        if script {
            // Scripts take addresses from the page; the only paths they may write are of their own modules.
            for quoted in text.split(['"', '\'', '`']).skip(1).step_by(2) {
                assert!(!quoted.starts_with('/') || quoted == "/", "{name} writes the address {quoted}");
            }
            looked_at += 1;
        } else if file.extension().is_some_and(|e| e == "html") {
            for attribute in ["href=\"", "action=\"", "src=\""] {
                for value in text.split(attribute).skip(1).map(|rest| rest.split('"').next().unwrap_or_default()) {
                    assert!(value.starts_with("{{") || value.starts_with('#'), "{name} writes the address {value}");
                }
            }
            looked_at += 1;
        }
    }
    assert!(looked_at > 25, "only {looked_at} files were looked at");
}

#[test]
fn lesson_10_every_address_in_a_rendered_page_resolves() {
    for (page, html) in crate::gallery::pages() {
        for (attribute, method) in [("href=\"", Method::GET), ("src=\"", Method::GET), ("data-events=\"", Method::GET)]
        {
            for value in html.split(attribute).skip(1).map(|rest| rest.split('"').next().unwrap_or_default()) {
                if !value.starts_with('#') {
                    let path = value.split(['?', '#']).next().unwrap_or_default();
                    assert!(resolve(&method, path).is_some(), "{page}: {method} {value} leads nowhere");
                }
            }
        }
        for form in html.split("<form").skip(1).map(|rest| rest.split('>').next().unwrap_or_default()) {
            let Some(action) = form.split("action=\"").nth(1).and_then(|rest| rest.split('"').next()) else { continue };
            let method = if form.contains("method=\"post\"") { Method::POST } else { Method::GET };
            assert!(resolve(&method, action).is_some(), "{page}: {method} {action} leads nowhere");
        }
    }
}
