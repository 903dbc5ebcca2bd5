//! `cargo xtask supplies`: what other people's code the program is made of. Where it comes from, under which licences
//! it stands, and that some of it is not there. Known vulnerabilities are not looked up (docs/decisions/0016 says why).

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result, bail};
use serde_json::Value;
use spdx::{Expression, ParseMode};

use crate::command::{cargo, output, workspace};

/// The only place that code of others comes from.
const SOURCE: &str = "registry+https://github.com/rust-lang/crates.io-index";

/// What may be linked into a program that others get, under its own licence.
const SHIPPED: &[&str] = &[
    "0BSD",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "CDLA-Permissive-2.0",
    "ISC",
    "MIT",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
];

/// What may be used by tests and tools, which nobody is given.
const UNSHIPPED: &[&str] = &["MPL-2.0"];

/// What must not come in by the back door, and why.
const BANNED: &[(&str, &str)] = &[
    ("openssl-sys", "TLS is rustls: one file without a library of the system's"),
    ("native-tls", "the same"),
    ("aws-lc-sys", "cryptography is ring's, once"),
    ("libgit2-sys", "git is the git program (docs/decisions/0003)"),
];

/// One package that is not ours.
#[derive(Debug)]
struct Supply {
    name: String,
    version: String,
    licence: String,
    source: String,
    is_shipped: bool,
}

/// Looks through everything in the lock file.
pub fn run_supplies() -> Result<()> {
    let text = output(cargo().current_dir(workspace()).args(["metadata", "--format-version", "1", "--locked"]))?;
    let metadata = serde_json::from_str(&text).context("read what cargo says of the packages")?;
    let lock = std::fs::read_to_string(workspace().join("Cargo.lock")).context("read Cargo.lock")?;
    println!("{}", sound(&metadata, &lock)?);
    Ok(())
}

/// One sentence, when nothing is wrong with any of them.
fn sound(metadata: &Value, lock: &str) -> Result<String> {
    let supplies = read(metadata)?;
    let mut wrong: Vec<String> = supplies.iter().filter_map(fault).collect();
    let (sums, packages) = (lock.matches("\nchecksum = ").count(), lock.matches(&format!("\"{SOURCE}\"")).count());
    if sums != packages {
        wrong.push(format!("Cargo.lock holds {packages} packages of crates.io and {sums} checksums"));
    }
    for fault in &wrong {
        println!("{fault}");
    }
    if !wrong.is_empty() {
        bail!("{} of {} supplies cannot be used as they are", wrong.len(), supplies.len());
    }
    let shipped = supplies.iter().filter(|supply| supply.is_shipped).count();
    Ok(format!("{} packages of others are sound, of which {shipped} are in the program", supplies.len()))
}

/// What is wrong with a package.
fn fault(supply: &Supply) -> Option<String> {
    let what = format!("{} {}", supply.name, supply.version);
    if supply.source != SOURCE {
        return Some(format!("{what} comes from {}, and not from crates.io", supply.source));
    }
    if let Some((_, why)) = BANNED.iter().find(|(name, _)| *name == supply.name) {
        return Some(format!("{what} is not wanted: {why}"));
    }
    let Ok(expression) = Expression::parse_mode(&supply.licence, ParseMode::LAX) else {
        return Some(format!("{what} has a licence that cannot be read: {:?}", supply.licence));
    };
    let is_fine = expression.evaluate(|needed| {
        let needed = needed.to_string();
        SHIPPED.contains(&needed.as_str()) || (!supply.is_shipped && UNSHIPPED.contains(&needed.as_str()))
    });
    let place = if supply.is_shipped { "the program" } else { "a tool or a test" };
    (!is_fine).then(|| format!("{what} stands under {}, which is not for {place}", supply.licence))
}

/// The packages of others, and whether they end up in the program.
fn read(metadata: &Value) -> Result<Vec<Supply>> {
    let list = |value: &Value, name: &str| -> Result<Vec<Value>> {
        Ok(value[name].as_array().with_context(|| format!("cargo says nothing of {name}"))?.clone())
    };
    let text = |value: &Value, name: &str| value[name].as_str().unwrap_or_default().to_owned();
    let packages = list(metadata, "packages")?;
    let mut needs: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for node in list(&metadata["resolve"], "nodes")? {
        // `dev` is for tests; no kind and `build` make the program.
        let makes_it = |needed: &Value| {
            let kinds = needed["dep_kinds"].as_array().into_iter().flatten();
            kinds.into_iter().any(|kind| kind["kind"].as_str() != Some("dev"))
        };
        let needed =
            list(&node, "deps")?.iter().filter(|needed| makes_it(needed)).map(|one| text(one, "pkg")).collect();
        needs.insert(text(&node, "id"), needed);
    }
    let program =
        packages.iter().find(|package| package["name"] == "hedgerow").context("there is no package hedgerow")?;
    let (mut shipped, mut open) = (BTreeSet::new(), vec![text(program, "id")]);
    while let Some(id) = open.pop() {
        if shipped.insert(id.clone()) {
            open.extend(needs.get(&id).into_iter().flatten().cloned());
        }
    }
    let ours: BTreeSet<String> =
        list(metadata, "workspace_members")?.iter().filter_map(|id| id.as_str()).map(str::to_owned).collect();
    let others = packages.iter().filter(|package| !ours.contains(&text(package, "id")));
    let supply = |package: &Value| Supply {
        name: text(package, "name"),
        version: text(package, "version"),
        licence: text(package, "license"),
        source: text(package, "source"),
        is_shipped: shipped.contains(&text(package, "id")),
    };
    Ok(others.map(supply).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(name: &str, licence: &str, source: &str, is_shipped: bool) -> Option<String> {
        let (name, licence, source) = (name.to_owned(), licence.to_owned(), source.to_owned());
        fault(&Supply { name, version: "1.0.0".to_owned(), licence, source, is_shipped })
    }

    #[test]
    fn a_licence_is_one_of_the_list_and_code_comes_from_one_place() {
        for good in ["MIT", "MIT/Apache-2.0", "MIT OR GPL-3.0-only", "(MIT OR Apache-2.0) AND Unicode-3.0"] {
            assert_eq!(said("a", good, SOURCE, true), None, "{good}");
        }
        for bad in
            ["GPL-3.0-only", "MIT AND AGPL-3.0-only", "MPL-2.0", "", "as you like", "Apache-2.0 WITH GCC-exception-3.1"]
        {
            assert!(said("a", bad, SOURCE, true).is_some(), "{bad}");
        }
        assert_eq!(said("a", "MPL-2.0", SOURCE, false), None);
        assert!(said("a", "GPL-3.0-only", SOURCE, false).is_some());
        assert!(said("a", "MIT", "git+https://git.example/a", true).is_some());
        assert!(said("openssl-sys", "MIT", SOURCE, false).is_some_and(|fault| fault.contains("rustls")));
    }

    #[test]
    fn what_only_tests_need_is_not_in_the_program() {
        let package =
            |id: &str| serde_json::json!({"id": id, "name": id, "version": "1", "license": "MIT", "source": SOURCE});
        let need = |id: &str, kind: Option<&str>| serde_json::json!({"pkg": id, "dep_kinds": [{"kind": kind}]});
        let packages = ["hedgerow", "linked", "builder", "deep", "tested"].map(package);
        let metadata = serde_json::json!({
            "packages": packages,
            "workspace_members": ["hedgerow"],
            "resolve": {"nodes": [
                {"id": "hedgerow", "deps": [need("linked", None), need("builder", Some("build")), need("tested", Some("dev"))]},
                {"id": "linked", "deps": [need("deep", None)]},
                {"id": "builder", "deps": []},
                {"id": "deep", "deps": []},
                {"id": "tested", "deps": []},
            ]},
        });
        let lock = |sums: usize| format!("source = \"{SOURCE}\"\n").repeat(4) + &"\nchecksum = \"0\"".repeat(sums);
        assert!(sound(&metadata, &lock(4)).unwrap().starts_with("4 packages of others are sound, of which 3"));
        assert!(sound(&metadata, &lock(3)).is_err(), "one has no checksum");
        let mut elsewhere = metadata.clone();
        elsewhere["packages"][1]["source"] = "git+https://git.example/a".into();
        assert!(sound(&elsewhere, &lock(4)).is_err(), "one is of another place");
        let found = read(&metadata).unwrap();
        let shipped: Vec<&str> = found.iter().filter(|one| one.is_shipped).map(|one| one.name.as_str()).collect();
        assert_eq!((shipped, found.len()), (vec!["linked", "builder", "deep"], 4));
    }
}
