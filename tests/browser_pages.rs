//! Every main page in a real browser, light, dark and narrow: nothing in the console, nothing wider than the window,
//! every text that is shown can be read, and axe-core finds nothing serious. With `HEDGEROW_SCREENSHOTS` set to a folder, pictures are left there.

use crate::browser_tab::Tab;
use crate::kube_adopt::with_vpcs;
use crate::world::{Fabric, NAMESPACES, vpc, world};
use anyhow::{Result, ensure};
use serde_json::json;

/// Each visible text whose contrast with what is painted behind it is below 4.5 : 1, or 3 : 1 for large text. Colours
/// are what the browser computed; a hatched ground counts with its base colour. Disabled controls are exempt, as WCAG has it.
const UNREADABLE: &str = r#"
const parse = (text) => { const p = (text.match(/[\d.]+/g) || []).map(Number); return p.length < 3 ? null : [p[0], p[1], p[2], p[3] ?? 1]; };
const over = (top, under) => [0, 1, 2].map((i) => top[i] * top[3] + under[i] * (1 - top[3])).concat(1);
const ground = (node) => {
  const layers = [];
  for (let each = node; each; each = each.parentElement) {
    const colour = parse(getComputedStyle(each).backgroundColor);
    if (colour && colour[3] > 0) layers.push(colour);
    if (colour && colour[3] === 1) break;
  }
  return layers.reverse().reduce((under, top) => over(top, under), [255, 255, 255, 1]);
};
const luminance = (c) => { const l = c.slice(0, 3).map((v) => v / 255).map((v) => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4); return 0.2126 * l[0] + 0.7152 * l[1] + 0.0722 * l[2]; };
const ratio = (a, b) => { const [x, y] = [luminance(a), luminance(b)]; return (Math.max(x, y) + 0.05) / (Math.min(x, y) + 0.05); };
const bad = []; let seen = 0;
const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
for (let text = walker.nextNode(); text; text = walker.nextNode()) {
  const node = text.parentElement;
  if (!text.data.trim() || !node.checkVisibility({ visibilityProperty: true, opacityProperty: true }) || node.closest(".visually-hidden, :disabled, noscript, script, style, option")) continue;
  const box = node.getBoundingClientRect();
  if (box.width < 2 || box.height < 2 || box.bottom < 0) continue;
  seen += 1;
  const style = getComputedStyle(node);
  let opacity = 1; for (let each = node; each; each = each.parentElement) opacity *= Number(getComputedStyle(each).opacity);
  const back = ground(node);
  const colour = parse(style.color);
  const found = ratio(over([colour[0], colour[1], colour[2], colour[3] * opacity], back), back);
  const size = parseFloat(style.fontSize);
  const least = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700) ? 3 : 4.5;
  if (found < least) bad.push(`${found.toFixed(2)} ${node.tagName}.${node.className}: ${text.data.trim().slice(0, 40)}`);
}
for (const mark of document.querySelectorAll("svg.icon")) {
  if (!mark.checkVisibility() || mark.closest(":disabled")) continue;
  const colour = parse(getComputedStyle(mark).color);
  const found = ratio(colour, ground(mark));
  if (found < 3) bad.push(`${found.toFixed(2)} mark in ${mark.parentElement.className}: ${mark.parentElement.textContent.trim().slice(0, 40)}`);
}
return { seen, bad };
"#;

/// What reaches beyond the window, other than what scrolls in a frame of its own.
const TOO_WIDE: &str = "
if (document.documentElement.scrollWidth <= innerWidth) return [];
return [...document.querySelectorAll('body *')].filter((each) => each.getBoundingClientRect().right > innerWidth + 1 \
&& each.checkVisibility()).map((each) => `${each.tagName}.${each.className}`).slice(0, 8);";

/// Looks at the page that the tab shows, in both themes and narrow.
pub async fn look(tab: &Tab, name: &str) -> Result<()> {
    for (view, (width, height), dark) in
        [("light", (1440, 900), false), ("dark", (1440, 900), true), ("narrow", (390, 844), false)]
    {
        tab.browser.set_size(width, height).await?;
        tab.browser.set_dark(dark).await?;
        // Colours may be on their way: what moves has to arrive first.
        tab.script("document.getAnimations().forEach((each) => { try { each.finish() } catch {} })").await?;
        if let Some(folder) = std::env::var_os("HEDGEROW_SCREENSHOTS") {
            let folder = std::path::PathBuf::from(folder);
            std::fs::create_dir_all(&folder)?;
            tab.browser.screenshot(&folder.join(format!("{name}-{view}.png"))).await?;
        }
        let read = tab.script(UNREADABLE).await?;
        ensure!(read["seen"].as_u64() > Some(3), "{name}, {view}: the page shows {} texts", read["seen"]);
        assert_eq!(read["bad"], json!([]), "{name}, {view}: cannot be read");
        assert_eq!(tab.script(TOO_WIDE).await?, json!([]), "{name}, {view}: wider than the window");
        let broken = tab.browser.accessibility().await?;
        let bad: Vec<_> = broken.iter().filter(|each| matches!(each.impact.as_str(), "serious" | "critical")).collect();
        ensure!(bad.is_empty(), "{name}, {view}: {bad:#?}");
    }
    tab.browser.set_size(1440, 900).await?;
    tab.browser.set_dark(false).await
}

/// Opens a page and looks at it.
async fn visit(tab: &Tab, name: &str, path: &str) -> Result<()> {
    tab.open(path).await?;
    look(tab, name).await?;
    tab.no_complaints(name, &[]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn browser_lesson_38_every_main_page_can_be_read_in_both_themes_and_narrow() -> Result<()> {
    let world = world().await;
    let mut fabric = Fabric::add().await?;
    let one = vpc("vpc-with-a-name-that-is-long", 1, 1001);
    let two = vpc("vpc-02", 2, 1002);
    fabric.commit(&[("all.yaml", Some(NAMESPACES)), ("one.yaml", Some(&one)), ("two.yaml", Some(&two))]).await?;
    let path = format!("/fabrics/{}/", fabric.id);

    let tab = Tab::start(world.console.url()).await?;
    visit(&tab, "login", "/login/").await?;
    tab.login("/fabrics/", "admin", &world.password).await?;
    visit(&tab, "fabric-never-synced", &path).await?;
    let ended = fabric.press("sync_to_kubernetes").await?;
    assert_eq!(ended["state"], "succeeded", "{ended}");
    visit(&tab, "fabric-in-sync", &path).await?;
    let operation = ended["url"].as_str().unwrap_or_default().to_owned();
    visit(&tab, "operation", &operation).await?;

    fabric
        .kubectl(&["patch", "vpc", "vpc-02", "--type=merge", "-p", r#"{"spec":{"subnets":{"default":{"vlan":1500}}}}"#])
        .await?;
    fabric.kubectl(&["delete", "vpc", "vpc-with-a-name-that-is-long"]).await?;
    fabric.press("sync_from_fabric").await?;
    visit(&tab, "fabric-out-of-sync", &path).await?;
    visit(&tab, "object-modified", &format!("{path}objects/VPC.vpc.githedgehog.com/{}/vpc-02/", fabric.name)).await?;
    for (name, page) in [
        ("objects", format!("{path}objects/")),
        ("objects-of-one-kind", format!("{path}objects/?kind=VPC.vpc.githedgehog.com&wide=1")),
        ("operations", format!("{path}operations/")),
        ("activity", format!("{path}activity/")),
        ("settings", format!("{path}edit/")),
        ("delete", format!("{path}delete/")),
        ("add", "/fabrics/add/".to_owned()),
        ("dashboard", "/".to_owned()),
        ("all-activity", "/activity/".to_owned()),
    ] {
        visit(&tab, name, &page).await?;
    }

    with_vpcs(&mut fabric, 3..5).await?;
    visit(&tab, "adopt", &format!("{path}adopt/")).await?;
    visit(&tab, "adopt-review", &format!("{path}adopt/?all=1&step=review")).await?;

    world.git.in_repo(&fabric.name, &["update-ref", "-d", "refs/heads/main"]).await?;
    let failed = fabric.press("sync_from_git").await?;
    assert_eq!(failed["state"], "failed", "{failed}");
    visit(&tab, "fabric-error", &path).await?;
    tab.says("[data-live='notices']", "There is no branch").await?;
    visit(&tab, "operation-failed", failed["url"].as_str().unwrap_or_default()).await?;
    tab.open("/fabrics/999999/").await?;
    look(&tab, "not-found").await?;
    tab.no_complaints("not-found", &["404 (Not Found)"]).await
}
