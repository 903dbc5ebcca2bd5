//! What the markup of every page must keep.

use super::pages;
use std::collections::HashSet;

/// The values of an attribute in a page.
fn attribute<'a>(html: &'a str, name: &str) -> Vec<&'a str> {
    let needle = format!(" {name}=\"");
    let mut found = Vec::new();
    let mut rest = html;
    while let Some(at) = rest.find(&needle) {
        rest = &rest[at + needle.len()..];
        let end = rest.find('"').expect("an attribute ends");
        found.push(&rest[..end]);
        rest = &rest[end..];
    }
    found
}

#[test]
fn no_page_holds_an_inline_script_or_style() {
    for (name, html) in pages() {
        assert!(!html.contains("<style"), "{name}: a style element");
        assert!(attribute(&html, "style").is_empty(), "{name}: a style attribute");
        for tag in html.split("<script").skip(1) {
            assert!(tag.starts_with(" type=\"module\" src=\"/static/"), "{name}: an inline script");
            assert!(tag.split_once('>').unwrap().1.starts_with("</script>"), "{name}: a script with content");
        }
        let lower = html.to_lowercase();
        for word in [" onclick=", " onload=", " onerror=", " onsubmit=", " onchange=", "javascript:"] {
            assert!(!lower.contains(word), "{name}: {word}");
        }
    }
}

#[test]
fn ids_are_unique_and_references_lead_somewhere() {
    for (name, html) in pages() {
        let ids = attribute(&html, "id");
        let unique: HashSet<&str> = ids.iter().copied().collect();
        assert_eq!(ids.len(), unique.len(), "{name}: an id stands twice: {ids:?}");
        for list in ["for", "aria-labelledby", "aria-describedby"] {
            for value in attribute(&html, list) {
                for id in value.split(' ') {
                    assert!(unique.contains(id), "{name}: {list}=\"{id}\" leads nowhere");
                }
            }
        }
        for href in attribute(&html, "href").into_iter().filter_map(|href| href.strip_prefix('#')) {
            assert!(unique.contains(href), "{name}: #{href} leads nowhere");
        }
    }
}

#[test]
fn every_field_has_a_label_and_every_post_form_a_token() {
    for (name, html) in pages() {
        let labelled: HashSet<&str> = attribute(&html, "for").into_iter().collect();
        for tag in ["<input", "<textarea", "<select"] {
            for (at, _) in html.match_indices(tag) {
                let (before, element) = html.split_at(at);
                let element = element.split_once('>').unwrap().0;
                if element.contains("type=\"hidden\"") {
                    continue;
                }
                match attribute(element, "id").first() {
                    Some(id) => assert!(labelled.contains(id), "{name}: {tag} {id} has no label"),
                    // Filters and boxes in lists stand inside their labels.
                    None => {
                        let inside = before.rfind("<label") > before.rfind("</label>");
                        assert!(inside, "{name}: {element} has no label");
                    }
                }
            }
        }
        for form in html.split("<form").skip(1) {
            let form = form.split_once("</form>").unwrap().0;
            // The login over a page fetches the token that belongs to the browser when it is sent.
            let is_login = form.contains("again_username");
            if form.contains("method=\"post\"") && !is_login {
                assert!(form.contains("name=\"csrfmiddlewaretoken\""), "{name}: a form without a token: {form}");
            }
        }
    }
}

#[test]
fn one_heading_one_primary_button() {
    for (name, html) in pages() {
        assert_eq!(html.matches("<h1").count(), 1, "{name}");
        // What opens over a page has a button of its own.
        let (bare, over) = html.split_once("<dialog").unwrap_or((&html, ""));
        let rest = over.rsplit("</dialog>").next().unwrap_or_default();
        let html = format!("{bare}{rest}");
        let primary = html.matches("class=\"primary\"").count() + html.matches("class=\"button primary").count();
        // A page of settings stands under the fabric's head, which has the fabric's own primary button.
        assert!(primary <= 1 || name == "fabric-form", "{name}: {primary} primary buttons");
    }
}

#[test]
fn the_button_that_users_know_is_there() {
    for (name, html) in pages().into_iter().filter(|(name, _)| name.starts_with("fabric") && *name != "fabric-form") {
        let button = html.split("<button id=\"sync-now-btn\"").nth(1).unwrap_or_else(|| panic!("{name}: no button"));
        let (attributes, rest) = button.split_once('>').unwrap();
        assert!(
            attributes.contains("data-fabric-id=\"7\"") && attributes.contains("aria-label=\"Sync to Kubernetes: ")
        );
        assert!(rest.starts_with("Sync to Kubernetes</button>"), "{name}");
    }
}
