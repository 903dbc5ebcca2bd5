//! `hedgerow reference`: the pages of `docs/reference`, written from the code, so that they cannot say anything else.
//! CI runs it with `--check`.

use crate::cli;
use crate::output;
use crate::settings::REGISTRY;
use anyhow::{Context as _, bail};
use model::Code;
use std::fmt::Write as _;
use std::path::Path;

/// One page: its file and its text.
type Page = (String, String);

/// Writes the pages, or compares them with what is there.
pub(crate) fn run(arguments: &cli::Reference) -> anyhow::Result<()> {
    let mut pages: Vec<Page> = [
        ("README.md", index()),
        ("settings.md", settings()),
        ("cli.md", command_line()),
        ("codes.md", codes()),
        ("routes.md", routes()),
        ("verify.md", verify()),
        ("verify-results.schema.json", ::verify::evidence::schema_file()),
        ("verify-profile.schema.json", profile_schema()?),
        ("verify-alert.schema.json", ::verify::monitor::Alert::schema_file()),
    ]
    .into_iter()
    .map(|(name, text)| (name.to_owned(), text))
    .collect();
    pages.extend(Code::ALL.iter().map(|code| (format!("codes/{code}.md"), one_code(*code))));
    if arguments.check { check(&arguments.output, &pages) } else { write(&arguments.output, &pages) }
}

fn write(folder: &Path, pages: &[Page]) -> anyhow::Result<()> {
    std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    for (name, text) in pages {
        let path = folder.join(name);
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent).with_context(|| format!("cannot make {}", parent.display()))?;
        }
        std::fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
    }
    output::text(&format!("wrote {} pages to {}\n", pages.len(), folder.display()))?;
    Ok(())
}

fn check(folder: &Path, pages: &[Page]) -> anyhow::Result<()> {
    let stale: Vec<&str> = pages
        .iter()
        .filter(|(name, text)| std::fs::read_to_string(folder.join(name)).ok().as_ref() != Some(text))
        .map(|(name, _)| name.as_str())
        .collect();
    if stale.is_empty() {
        output::text(&format!("{} pages in {} are fresh\n", pages.len(), folder.display()))?;
        return Ok(());
    }
    let folder = folder.display();
    bail!("stale in {folder}: {}; write them with `hedgerow reference --output {folder}`", stale.join(", "));
}

fn heading(title: &str, about: &str) -> String {
    format!("# {title}\n\n<!-- Written by `hedgerow reference`; change the code, not this page. -->\n\n{about}\n")
}

fn index() -> String {
    let mut page = heading("Reference", "Written from the code by `hedgerow reference`, and checked in CI.");
    page.push_str(
        "\n- [Settings](settings.md): every setting, its variable, default and meaning\n\
         - [Command line](cli.md): every command and flag\n\
         - [Codes](codes.md): everything that can go wrong, its HTTP status, and what to do\n\
         - [Routes](routes.md): every address, and what it needs\n\
         - [Verify](verify.md): the journeys, what each proves, and the causes that they tell apart; the schemas of\n  \
           [results.json](verify-results.schema.json), of [profiles](verify-profile.schema.json) and of\n  \
           [alerts](verify-alert.schema.json)\n\
         - [Faults](faults.md): what a user sees when something breaks in the middle of a sync; written by the test that\n  \
         breaks it\n",
    );
    page
}

fn profile_schema() -> anyhow::Result<String> {
    let schema = ::verify::profile::schema();
    let mut text = serde_json::to_string_pretty(&schema).context("cannot write the schema of profiles")?;
    text.push('\n');
    Ok(text)
}

fn verify() -> String {
    let mut page = heading(
        "Verify",
        "`hedgerow verify` walks the path of a user and judges what came of it. A journey passes, fails, is inconclusive or is\n\
         skipped; inconclusive is never success. A precondition that does not hold makes the whole run invalid.",
    );
    page.push_str("\n## Journeys\n\nOne that changes something is made only with `--allow-sync`.\n\n| journey | changes | proves |\n|---|---|---|\n");
    for journey in ::verify::journeys::ALL {
        let changes = if journey.changes { "yes" } else { "no" };
        let _ = writeln!(page, "| `{}` | {changes} | {} |", journey.name, journey.proves);
    }
    page.push_str("\n## Exit codes\n\n| code | verdict |\n|---|---|\n");
    use ::verify::verdict::RunVerdict;
    for verdict in RunVerdict::ALL {
        let _ = writeln!(page, "| {} | {} |", verdict.exit_code(), verdict.word());
    }
    page.push_str("| 2 | called in a way that cannot work |\n");
    page.push_str(
        "\n## Causes\n\nEach failure has one. *Layer* is where on the path it stands, *point* which of the nine\n\
         [failure points](../concepts/failure-points.md) a user met.\n\n| cause | layer | point | what it is | what to do |\n|---|---|---|---|---|\n",
    );
    for cause in ::verify::cause::Cause::ALL {
        let point = cause.failure_point().map_or_else(String::new, |point| point.to_string());
        let (layer, title, todo) = (cause.layer().word(), cause.title(), cause.todo());
        let _ = writeln!(page, "| `{}` | {layer} | {point} | {title} | {todo} |", cause.code());
    }
    page
}

fn settings() -> String {
    let mut page = heading(
        "Settings",
        "A setting is taken from the first place that has it: a flag, an environment variable, the file, the default.\n\
         `hedgerow config` shows each setting with its value and where it comes from. `--set KEY=VALUE` is a flag for\n\
         every setting. The file is TOML, named by `--config` or `HEDGEROW_CONFIG`; there is no file by default:\n\
         \n\
         ```toml\n\
         listen = \"0.0.0.0:443\"\n\
         data = \"/var/lib/hedgerow\"\n\
         \n\
         [tls]\n\
         cert = \"/etc/hedgerow/fullchain.pem\"\n\
         key = \"/etc/hedgerow/key.pem\"\n\
         \n\
         [session]\n\
         idle = \"30m\"\n\
         ```\n\
         \n\
         - An unknown key, an unknown variable that begins with `HEDGEROW_`, and a value that does not fit are errors.\n\
         - Left alone are `HEDGEROW_TOKEN` and `HEDGEROW_SERVER`, which `sync`, `diff` and `wait` read, `HEDGEROW_TEST_*`,\n  \
           `HEDGEROW_BIN`, `HEDGEROW_BUILD_*` and the variables that Kubernetes puts into every pod beside a Service named\n  \
           `hedgerow` (`HEDGEROW_SERVICE_HOST`, `HEDGEROW_SERVICE_PORT*`, `HEDGEROW_PORT`, `HEDGEROW_PORT_<number>*`).\n\
         - An empty variable counts as not set. A relative path in the file is relative to the file.\n\
         - A duration is a number with `ms`, `s`, `m`, `h` or `d`, such as `90s` or `1h30m`. A size is a number with\n  \
           `KiB`, `MiB` or `GiB`.",
    );
    let mut section = "";
    for setting in REGISTRY {
        if setting.section != section {
            section = setting.section;
            let _ = write!(page, "\n## {section}\n");
        }
        let default = if setting.default.is_empty() { "none".to_owned() } else { format!("`{}`", setting.default) };
        let flag = setting.flag().map(|flag| format!(", flag `{flag}`")).unwrap_or_default();
        let _ = write!(
            page,
            "\n### `{}`\n\n{}\n\n- Type: {} ({})\n- Default: {default}\n- Variable: `{}`{flag}\n",
            setting.key,
            setting.doc.trim(),
            setting.kind,
            setting.form,
            setting.variable(),
        );
    }
    page
}

fn command_line() -> String {
    let mut page = heading(
        "Command line",
        "Results go to standard output, errors and the log to standard error. Exit codes: 0 done, 1 failed, 2 called or\n\
         configured wrongly. `sync`, `diff` and `wait` end with 0 in sync or done, 1 where something differs, 2 failed.",
    );
    let mut root = cli::command().term_width(100);
    root.build();
    let _ = write!(page, "\n## `hedgerow`\n\n```text\n{}\n```\n", plain(&mut root.clone()));
    describe(&root, &mut page);
    page
}

fn describe(parent: &clap::Command, page: &mut String) {
    for sub in parent.get_subcommands().filter(|sub| sub.get_name() != "help" && !sub.is_hide_set()) {
        let mut sub = sub.clone().term_width(100);
        let name = sub.get_bin_name().unwrap_or(sub.get_name()).to_owned();
        let _ = write!(page, "\n## `{name}`\n\n```text\n{}\n```\n", plain(&mut sub));
        describe(&sub, page);
    }
}

fn plain(command: &mut clap::Command) -> String {
    let text = command.render_long_help().to_string();
    text.lines().map(str::trim_end).collect::<Vec<_>>().join("\n").trim().to_owned()
}

fn codes() -> String {
    let mut page = heading(
        "Codes",
        "Every failure has a code that never changes. It stands on the page, in the answer to a script\n\
         (`application/problem+json`), in the operation's row and in the log. *Point* is the place on the way from the\n\
         click to the cluster, 1 the browser, 9 Kubernetes. *Again* says whether the same request may succeed without\n\
         anybody changing anything. Each code has a page of its own, here and in the console under `/docs/codes/`.",
    );
    page.push_str("\n| code | HTTP | point | again | what to do |\n|---|---|---|---|---|\n");
    for code in Code::ALL {
        let point = code.failure_point().map(|point| point.to_string()).unwrap_or_default();
        let again = if code.retryable() { "yes" } else { "no" };
        let _ = writeln!(
            page,
            "| [`{code}`](codes/{code}.md) | {} | {point} | {again} | {} |",
            code.http_status(),
            code.what_to_do()
        );
    }
    page
}

fn one_code(code: Code) -> String {
    let explained = code.explained();
    let list = |items: &[&str], mark: &str| items.iter().map(|item| format!("{mark} {item}\n")).collect::<String>();
    let mut page = heading(explained.title, &format!("Code `{code}`. [All codes](../codes.md)"));
    let _ = write!(
        page,
        "\n## What happened\n\n{}\n\n## Why\n\n{}\n## What you see\n\n{}\n\n## What to do\n\n{}\n\n{}\n",
        explained.happened,
        list(explained.causes, "-"),
        explained.seen,
        code.what_to_do(),
        list(explained.steps, "1."),
    );
    let _ = write!(page, "## For scripts\n\n- HTTP status: {}\n", code.http_status());
    if let (Some(point), Some(words)) = (code.failure_point(), code.failure_point_in_words()) {
        let _ = writeln!(page, "- [Failure point](../../concepts/failure-points.md): {point} of 9, {words}");
    }
    let again = if code.retryable() {
        "yes, the same request may succeed without anybody changing anything"
    } else {
        "no, something has to be changed first"
    };
    let _ = writeln!(page, "- Worth repeating: {again}");
    page
}

fn routes() -> String {
    let mut page = heading(
        "Routes",
        "Every address that the console answers, from the table that the router is built of. *Needs* is checked before the\n\
         handler runs. The addresses under `/plugins/hedgehog/` are those of the NetBox plugin that Hedgerow replaces.",
    );
    page.push_str("\n| method | address | answers | needs |\n|---|---|---|---|\n");
    let mut rows: Vec<String> = web::routes()
        .iter()
        .map(|route| format!("| {} | `{}` | {} | {} |\n", route.method, route.path, route.kind, route.needs))
        .collect();
    rows.sort_by(|a, b| address(a).cmp(address(b)).then(a.cmp(b)));
    page.extend(rows);
    page
}

/// The second cell of a row.
fn address(row: &str) -> &str {
    row.split('|').nth(2).unwrap_or(row)
}
