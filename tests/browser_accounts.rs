//! An administrator makes a user and a permission with a limit in the browser, and the user sees exactly what matches.
//! Every page of it can be read in both themes and narrow.

use crate::browser_pages::look;
use crate::browser_tab::Tab;
use crate::world::add_fabric;
use anyhow::{Result, ensure};
use serde_json::json;
use testkit::{Console, ConsoleOptions};

const PASSWORD: &str = "quiet-orchard-lamp-7";

/// The names of the fabrics that a tab's list shows.
const LISTED: &str =
    "return [...document.querySelectorAll('table.fabrics td.name a')].map((a) => a.textContent.trim())";

#[tokio::test(flavor = "multi_thread")]
async fn a_user_and_a_permission_are_made_by_clicks_and_the_user_sees_what_matches() -> Result<()> {
    let console = Console::start(ConsoleOptions::default()).await?;
    let mut visitor = console.visitor()?;
    visitor.login(console.username()?, console.password()?).await?;
    let mut ids = Vec::new();
    for name in ["lab-1", "production"] {
        ids.push(add_fabric(&mut visitor, &[("name", name), ("cluster_kind", "none")]).await?);
    }
    let tab = Tab::start(console.url()).await?;
    tab.login("/users/", console.username()?, console.password()?).await?;
    look(&tab, "users").await?;
    tab.click("a.button.primary").await?;
    tab.at("/users/add/").await?;
    look(&tab, "user-add").await?;
    for (field, text) in [("username", "bob"), ("password", PASSWORD), ("password_again", PASSWORD)] {
        tab.type_into(&format!("#id_{field}"), text).await?;
    }
    tab.click("form.form button.primary").await?;
    tab.at("/users/2/").await?;
    look(&tab, "user").await?;

    // Refused by the server, nothing that was typed is lost, and the error stands at its field.
    tab.open("/permissions/add/").await?;
    tab.type_into("#id_name", "labs").await?;
    tab.click("input[name=actions][value=view]").await?;
    tab.click("form.form button.primary").await?;
    tab.says(".field-object_types .error", "Tick what it may be done to.").await?;
    tab.no_complaints("a form that is refused", &["422"]).await?;
    tab.click("input[name=object_types][value='hedgerow.fabric']").await?;
    tab.says("[data-matches]", "Matches 2 of the 2 fabrics that you may see.").await?;
    tab.choose("#builder-field", "name").await?;
    tab.choose("#builder-lookup", "startswith").await?;
    tab.type_into("#builder-value", "lab-").await?;
    tab.click("[data-builder] button").await?;
    let written = tab.script("return JSON.parse(document.querySelector('#id_constraints').value)").await?;
    ensure!(written == json!({"name__startswith": "lab-"}), "{written}");
    tab.says("[data-matches]", "Matches 1 of the 2 fabrics that you may see. lab-1").await?;
    tab.type_into("#id_constraints", "{\"nmae\": 1}").await?;
    tab.says("[data-matches]", "the field 'nmae' of fabrics").await?;
    tab.no_complaints("constraints that cannot be used", &["422"]).await?;
    look(&tab, "permission-add").await?;
    tab.type_into("#id_constraints", "{\"name__startswith\": \"lab-\"}").await?;
    tab.click("input[name=user][value='2']").await?;
    tab.click("form.form button.primary").await?;
    tab.at("/permissions/1/").await?;
    look(&tab, "permission").await?;

    let bob = Tab::start(console.url()).await?;
    bob.login("/fabrics/", "bob", PASSWORD).await?;
    let listed = bob.script(LISTED).await?;
    ensure!(listed == json!(["lab-1"]), "{listed}");
    bob.open(&format!("/fabrics/{}/", ids[1])).await?;
    bob.says("main", "There is no such fabric, or you may not see it.").await?;
    bob.open("/account/").await?;
    bob.says("main", "View: fabrics whose name begins with lab-").await?;
    look(&bob, "account").await?;

    let explain = format!("/permissions/explain/?user=2&action=view&object={}", ids[1]);
    for (name, path, said) in [
        ("explain", explain.as_str(), "the name is “production”"),
        ("permissions", "/permissions/", "labs"),
        ("user-edit", "/users/2/edit/", "Edit bob"),
        ("user-password", "/users/2/password/", "Set the password of bob"),
        ("user-delete", "/users/2/delete/", "Delete the user bob"),
        ("groups", "/groups/", "There is no group that you may see."),
    ] {
        tab.open(path).await?;
        tab.says("main", said).await?;
        look(&tab, name).await?;
        tab.no_complaints(name, &[]).await?;
    }
    Ok(())
}
