//! What ships: the program that is tested is the one that this tree makes, holds nothing that is there for show, and
//! leaves the machine that it runs on alone.

use crate::world::{Fabric, NAMESPACES, token, vpc, world};
use anyhow::{Context, Result, ensure};
use regex::Regex;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use testkit::{ClosedFolder, Console, ConsoleOptions, belongings, built_program, hedgerow, nobodys_number, sources_of};

#[tokio::test(flavor = "multi_thread")]
async fn lesson_40_what_is_tested_is_what_this_tree_makes() -> Result<()> {
    let (console, workspace) = (&world().await.console, testkit::workspace());
    // It refuses a program that is older than one of the files that it is made of.
    let program = built_program()?.canonicalize()?;
    let running = std::fs::read_link(format!("/proc/{}/exe", console.id()?)).context("which program runs")?;
    assert_eq!(running, program, "the console of the journeys is that program");
    let sources = sources_of(&program);
    for part in ["model", "store", "auth", "cluster", "source", "engine", "web", "lab", "verify", "hedgerow"] {
        let folder = workspace.join("crates").join(part).join("src");
        assert!(sources.iter().any(|file| file.starts_with(&folder)), "it is made of {}", folder.display());
    }
    // What it says of itself is what stands in the tree.
    let folder = workspace.join("docs/reference");
    let check = ["reference", "--check", "--output", folder.to_str().context("a path in UTF-8")?];
    let checked = hedgerow(&check, &[], None).await?;
    assert!(checked.status.success(), "{checked:?}");
    let version = hedgerow(&["version", "--json"], &[], None).await?;
    let version: serde_json::Value = serde_json::from_slice(&version.stdout)?;
    assert_eq!(version["version"], env!("CARGO_PKG_VERSION"));
    // And so is what it serves.
    let mut nobody = console.visitor()?;
    let login = nobody.visit("/login/").await?;
    let loaded: Vec<String> =
        [login.attributes("link[rel=stylesheet]", "href"), login.attributes("script[src]", "src")].concat();
    assert!(loaded.len() > 1, "the page loads sheets and scripts: {loaded:?}");
    for path in loaded {
        let name = path.rsplit('/').next().unwrap_or_default();
        let file = workspace.join("crates/web/static").join(name);
        let text = std::fs::read_to_string(&file).with_context(|| file.display().to_string())?;
        assert_eq!(nobody.get(&path).await?.body, text, "{path}");
    }
    Ok(())
}

/// Words that stand in unfinished work, and calls that end it with a crash.
const UNFINISHED: [&str; 12] = [
    "todo!(",
    "unimplemented!(",
    "dbg!(",
    "TODO",
    "FIXME",
    "XXX",
    "lorem ipsum",
    "Lorem ipsum",
    "alert(",
    "window.confirm(",
    "console.log(",
    "debugger;",
];

/// Every file below a folder.
fn below(folder: &Path, found: &mut Vec<PathBuf>) -> Result<()> {
    for entry in std::fs::read_dir(folder).with_context(|| folder.display().to_string())? {
        let path = entry?.path();
        if path.is_dir() { below(&path, found)? } else { found.push(path) }
    }
    Ok(())
}

#[test]
fn every_lesson_with_a_test_has_a_row_and_every_row_has_a_test() -> Result<()> {
    let workspace = testkit::workspace();
    let mut files = Vec::new();
    below(&workspace.join("tests"), &mut files)?;
    below(&workspace.join("crates"), &mut files)?;
    files.retain(|file| file.extension().is_some_and(|end| end == "rs"));
    let (name, number) = (Regex::new(r"fn lesson((?:_and)?_\d+)+_")?, Regex::new(r"_(\d+)")?);
    let mut tested = BTreeSet::new();
    for file in files {
        let text = std::fs::read_to_string(&file).with_context(|| format!("read {}", file.display()))?;
        for found in name.find_iter(&text) {
            let numbers = number.captures_iter(found.as_str()).map(|one| one[1].parse::<u32>());
            tested.extend(numbers.collect::<std::result::Result<Vec<_>, _>>()?);
        }
    }
    let page = std::fs::read_to_string(workspace.join("docs/concepts/lessons.md"))?;
    let numbers = |pattern: &str| -> Result<BTreeSet<u32>> {
        let pattern = Regex::new(pattern)?;
        Ok(pattern.captures_iter(&page).map(|row| row[1].parse()).collect::<std::result::Result<_, _>>()?)
    };
    let rows = numbers(r"(?m)^\| (\d+) \|")?;
    assert!(rows.len() > 40, "{rows:?}");
    assert_eq!(rows, tested, "the rows of docs/concepts/lessons.md, and the lessons that tests are named after");
    // What has neither is said to be missing, by its number.
    let said = page.split("The missing numbers, ").nth(1).and_then(|rest| rest.split(", belong").next());
    let said = said.context("it says which are missing")?.split(" and ").map(str::parse);
    let said = said.collect::<std::result::Result<BTreeSet<u32>, _>>()?;
    let last = *rows.last().context("rows")?;
    assert_eq!(said, (1..=last).filter(|number| !rows.contains(number)).collect(), "what is said to be missing");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn lesson_34_nothing_that_ships_is_for_show() -> Result<()> {
    let (program, workspace) = (built_program()?, testkit::workspace());
    let mut files = sources_of(&program);
    ensure!(files.len() > 200, "the program is made of {} files", files.len());
    for not_shipped in ["crates/testkit", "tests", "bench", "crates/web/src/gallery"] {
        let folder = workspace.join(not_shipped);
        let found = files.iter().find(|file| file.starts_with(&folder));
        assert!(found.is_none(), "{found:?} is part of the program");
    }
    below(&workspace.join("crates/web/templates"), &mut files)?;
    below(&workspace.join("crates/web/static"), &mut files)?;
    for file in &files {
        let text = std::fs::read_to_string(file).with_context(|| file.display().to_string())?;
        // What stands behind the first test module does not ship.
        let shipped = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
        for word in UNFINISHED {
            assert!(!shipped.contains(word), "{} holds {word}", file.display());
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn lesson_34_a_new_console_shows_nothing_that_nobody_made() -> Result<()> {
    let (console, mut user) = Console::start_logged_in().await?;
    let log = user.visit("/activity/").await?;
    let rows = log.texts("main tbody tr td.name");
    assert_eq!(rows, ["Log in by admin"], "what was done is that somebody logged in");
    for path in ["/", "/fabrics/", "/activity/?show=operations", "/activity/?show=refused"] {
        let page = user.visit(path).await?;
        assert_eq!(page.status, 200, "{path}");
        assert_eq!(page.texts("main tbody tr"), Vec::<String>::new(), "{path}");
        assert!(!page.visible_text().to_lowercase().contains("demo"), "{path}: {}", page.visible_text());
    }
    // Every button of a page belongs to a form that leads to a route, or to a script of ours that is named in it.
    let form = user.visit("/fabrics/add/").await?;
    let sent = form.texts("form[method=post] button").len();
    assert!(sent > 0 && !form.body.contains("onclick"), "{}", form.visible_text());
    let users = console.run(&["user", "list", "--json"], None).await?;
    let users: serde_json::Value = serde_json::from_slice(&users.stdout)?;
    assert_eq!(users.as_array().map(Vec::len), Some(1), "no account but the first administrator's: {users}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn lesson_47_only_the_data_folder_is_written_to() -> Result<()> {
    let world = world().await;
    let (name, own) = Fabric::place().await?;
    let planted = vpc("planted-on-the-server", 200, 2200);
    let files = [
        ("inventory.yaml", planted.as_str()),
        ("raw/site.yml", &planted),
        ("managed/vpcs/one.yaml", &planted),
        (".config/hedgerow/hedgerow.toml", "this is not read"),
        (".gitconfig", "[core]\n\tbare = false\n"),
    ];
    let machine = ClosedFolder::new("machine", &files)?;
    let user = nobodys_number();
    let home = Some(machine.path().to_path_buf());
    let console = Console::start(ConsoleOptions { home, user, ..ConsoleOptions::default() }).await?;
    let before = machine.entries()?;
    let (mut person, _) = console.login(console.username()?, console.password()?).await?;
    let form = person.visit("/fabrics/add/").await?;
    let all = |path| {
        let mut all: Vec<(&str, &str)> = own.iter().map(|(field, value)| (*field, value.as_str())).collect();
        all.push(("path", path));
        all
    };
    // The folder that the predecessor took for its own.
    let root = person.submit(&form, "form.form", &all("/")).await?;
    assert_eq!(root.status, 422, "{}", root.visible_text());
    world
        .git
        .commit(&name, "main", &[("n.yaml", Some(NAMESPACES)), ("1.yaml", Some(&vpc("vpc-01", 1, 1001)))], "Begin")
        .await?;
    let added = person.submit(&form, "form.form", &all(".")).await?;
    let place = added.location().with_context(|| added.visible_text())?;
    let local = [("name", "local"), ("cluster_kind", "none"), ("credential_kind", "none"), ("path", "./")];
    let added = person.submit(&form, "form.form", &local).await?;
    let second = added.location().with_context(|| added.visible_text())?;

    let mut verbs = vec![(second.clone(), "sync-from-git")];
    verbs.extend(["test-connection", "sync-from-git", "sync-from-fabric", "sync"].map(|verb| (place.clone(), verb)));
    for (fabric, verb) in verbs {
        let csrf = token(&person.visit(&fabric).await?)?;
        let path = format!("{fabric}{verb}/?wait=50");
        let answer = person.script("POST", &path, &[("X-CSRFToken", &csrf)], Some("{}")).await?;
        assert_eq!(answer.status, 200, "{verb}: {}", answer.body);
    }
    let live = world.plane.client()?.get("VPC", &format!("{name}/vpc-01")).await?;
    assert!(live.is_some(), "the job was done, with everything else closed to it");
    let objects = person.visit(&format!("{place}objects/")).await?.visible_text();
    assert!(objects.contains("vpc-01") && !objects.contains("planted"), "only the repository is read: {objects}");
    let page = person.visit(&format!("{second}delete/")).await?;
    assert_eq!(person.submit(&page, "form.form", &[("confirm", "local")]).await?.status, 303);

    let after = machine.entries()?;
    let differ: Vec<_> = after.iter().filter(|entry| !before.contains(entry)).map(|entry| &entry.path).collect();
    assert!(differ.is_empty() && before.len() == after.len(), "changed: {differ:?}");
    if let Some(user) = user {
        let open_to_all = ["/tmp", "/var/tmp", "/dev/shm", "/run/lock", "/var/lock"];
        let left = belongings(user, &open_to_all, console.data_dir());
        assert_eq!(left, Vec::<PathBuf>::new(), "written where everybody may write");
    }
    assert!(console.data_dir().join("hedgerow.db").is_file(), "the control: the data folder is what it wrote to");
    Ok(())
}
