//! Starting an operation and following it to its end, as a page does: by its address, again and again.

use super::{Client, Fabric, Failure, Progress, text};
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::Duration;

/// How long to pause between two looks at an operation: at first, and later on.
const PAUSES: [Duration; 2] = [Duration::from_millis(200), Duration::from_secs(1)];
/// Outcomes of objects with which nothing was to be done.
const QUIET: [&str; 3] = ["unchanged", "extra", "left_out"];

/// Starts a verb on a fabric: the last word of its address. Gives the operation that came of it.
pub(crate) async fn begin(
    client: &Client,
    fabric: &Fabric,
    verb: &str,
    form: &[(&str, String)],
) -> Result<Value, Failure> {
    // One key for one run of this command: a second run is another request.
    let key = uuid::Uuid::new_v4().to_string();
    let answer = client.post(&format!("{}{verb}/", fabric.url), form, &key).await?;
    let operation = answer["operation"].clone();
    let _ = client.began.set(text(&operation, "url")?.to_owned());
    Ok(operation)
}

/// Follows an operation to its end, and gives it as it is then.
pub(crate) async fn follow(client: &Client, mut operation: Value, progress: &mut Progress) -> Result<Value, Failure> {
    let url = text(&operation, "url")?.to_owned();
    let mut pause = PAUSES[0];
    loop {
        progress.show(&operation);
        if operation["final"] == true {
            progress.end();
            return Ok(operation);
        }
        if client.is_over() {
            return Err(client.timed_out("The operation has not ended."));
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 5 / 4).min(PAUSES[1]);
        operation = client.get(&url).await?;
    }
}

/// What became of one object.
#[derive(Debug, Clone)]
pub(crate) struct Outcome {
    /// All of it.
    pub(crate) json: Value,
}

impl Outcome {
    /// The word of what became of it.
    pub(crate) fn word(&self) -> &str {
        self.json["outcome"].as_str().unwrap_or_default()
    }

    /// Whether nothing is left to do about it.
    pub(crate) fn is_good(&self) -> bool {
        matches!(self.word(), "created" | "updated" | "pruned" | "adopted")
    }

    /// The object as people say it.
    pub(crate) fn object(&self) -> String {
        object(&self.json["key"])
    }

    /// What there is to say about it, with its code.
    pub(crate) fn sentence(&self) -> String {
        let message = self.json["message"].as_str().unwrap_or_default();
        match self.json["code"].as_str() {
            Some(code) => format!("{message} ({code})"),
            None => message.to_owned(),
        }
    }
}

/// An object's key as people say it: `VPC default/vpc-01`.
pub(crate) fn object(key: &Value) -> String {
    let word = |name: &str| key[name].as_str().unwrap_or_default().to_owned();
    match word("namespace").as_str() {
        "" => format!("{} {}", word("kind"), word("name")),
        namespace => format!("{} {namespace}/{}", word("kind"), word("name")),
    }
}

/// The objects with which something was to be done, those that failed first.
pub(crate) async fn outcomes(client: &Client, operation: &Value) -> Result<Vec<Outcome>, Failure> {
    let counts: BTreeMap<String, Value> =
        operation["outcomes"]["counts"].as_object().cloned().unwrap_or_default().into_iter().collect();
    let mut found = Vec::new();
    for word in counts.keys().filter(|word| !QUIET.contains(&word.as_str())) {
        let mut number = Some(1);
        while let Some(page) = number {
            let path = format!("{}?outcome={word}&page={page}", text(operation, "url")?);
            let list = client.get(&path).await?["outcomes"].take();
            found.extend(list["results"].as_array().into_iter().flatten().map(|json| Outcome { json: json.clone() }));
            number = list["next_page"].as_u64().filter(|next| *next > page);
        }
    }
    found.sort_by_key(Outcome::is_good);
    Ok(found)
}
