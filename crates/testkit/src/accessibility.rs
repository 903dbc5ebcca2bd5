//! What axe-core finds in the page that a browser shows. The script comes from npm by `cargo xtask setup`, into the
//! user's cache; its version stands in `tests/axe-core.version`.

use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use crate::Browser;

const VERSION: &str = include_str!("../../../tests/axe-core.version");

/// Runs in the page: gives every rule that is broken, how badly, and where.
const RUN: &str = "axe.run(document, { resultTypes: ['violations'] }).then((found) => JSON.stringify({ \
    rules: found.passes.length + found.violations.length, \
    violations: found.violations.map((each) => ({ rule: each.id, impact: each.impact, help: each.help, \
        nodes: each.nodes.map((node) => node.target.join(' ') + ': ' + node.html.slice(0, 160)) })) }))";

/// A rule that a page breaks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// Its id, such as `color-contrast`.
    pub rule: String,
    /// How bad it is for those whom it concerns: `minor`, `moderate`, `serious` or `critical`.
    pub impact: String,
    /// What the rule demands.
    pub help: String,
    /// Where it is broken: selector and markup.
    pub nodes: Vec<String>,
}

/// The script: named by `HEDGEROW_TEST_AXE`, otherwise from the cache that `cargo xtask setup` fills.
fn script() -> Result<String> {
    let named = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let cache = || named("XDG_CACHE_HOME").or_else(|| named("HOME").map(|home| home.join(".cache")));
    let of_cache =
        |cache: PathBuf| cache.join(format!("hedgerow/axe-core-{}/node_modules/axe-core/axe.min.js", VERSION.trim()));
    let file =
        named("HEDGEROW_TEST_AXE").or_else(|| cache().map(of_cache)).context("neither HOME nor a cache is set")?;
    std::fs::read_to_string(&file)
        .with_context(|| format!("read {}; `cargo xtask setup --for tests` fetches it", file.display()))
}

impl Browser {
    /// Every rule of axe-core that the page breaks as it is shown now.
    pub async fn accessibility(&self) -> Result<Vec<Violation>> {
        // By the debugger, which a page's content security policy does not stop.
        if self.evaluate("typeof axe").await? != json!("object") {
            self.evaluate(&format!("{}; 0", script()?)).await?;
        }
        let text = self.evaluate(RUN).await?;
        let found: Value = serde_json::from_str(text.as_str().context("axe-core gave no text")?)?;
        ensure!(found["rules"].as_u64() > Some(10), "axe-core tried only {} rules", found["rules"]);
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let violation = |each: &Value| Violation {
            rule: text(&each["rule"]),
            impact: text(&each["impact"]),
            help: text(&each["help"]),
            nodes: each["nodes"].as_array().into_iter().flatten().map(text).collect(),
        };
        Ok(found["violations"].as_array().into_iter().flatten().map(violation).collect())
    }

    async fn evaluate(&self, expression: &str) -> Result<Value> {
        let parameters = json!({ "expression": expression, "awaitPromise": true, "returnByValue": true });
        let answer = self.cdp("Runtime.evaluate", parameters).await?;
        ensure!(answer["exceptionDetails"].is_null(), "the page threw {}", answer["exceptionDetails"]);
        Ok(answer["result"]["value"].clone())
    }
}
