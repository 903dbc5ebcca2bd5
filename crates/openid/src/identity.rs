//! Who came, as the provider says it.

use crate::{Error, Settings};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use secrecy::SecretString;
use serde_json::{Map, Value};

/// Groups of one person that are looked at; nobody has more for a good reason.
const MOST_GROUPS: usize = 2_000;

/// Who came.
#[derive(Debug, Clone)]
pub struct Identity {
    /// The provider, as it names itself.
    pub issuer: String,
    /// The person, as the provider knows it; never given to another.
    pub subject: String,
    /// The name for a new user.
    pub username: String,
    /// The person's groups; none when the provider says nothing of groups.
    pub groups: Option<Vec<String>>,
    /// When the person proved to the provider who it is, if that is said.
    pub authenticated_at: Option<Timestamp>,
    /// The ID token, which a logout shows to the provider.
    pub id_token: SecretString,
}

/// The claims of a token whose signature was checked. Read a second time, from its text, because a claim's name is a
/// setting.
pub(crate) fn claims_of(token: &str) -> Result<Map<String, Value>, Error> {
    let payload = token.split('.').nth(1).and_then(|part| URL_SAFE_NO_PAD.decode(part).ok());
    payload
        .and_then(|payload| serde_json::from_slice(&payload).ok())
        .ok_or_else(|| Error::refused("The ID token of the provider cannot be read."))
}

/// The groups of a claim: a list of names, or one name. `None` when the claim is not there.
pub(crate) fn groups(claims: &Map<String, Value>, settings: &Settings) -> Option<Vec<String>> {
    match claims.get(&settings.groups_claim)? {
        Value::Array(all) => Some(all.iter().filter_map(Value::as_str).take(MOST_GROUPS).map(str::to_owned).collect()),
        Value::String(one) => Some(vec![one.clone()]),
        _ => None,
    }
}

/// The name of a claim's value.
pub(crate) fn username(claims: &Map<String, Value>, settings: &Settings) -> Option<String> {
    let name = claims.get(&settings.username_claim)?.as_str()?.trim();
    // An address proves nothing while the provider says that nobody has confirmed it.
    let is_unconfirmed =
        settings.username_claim == "email" && claims.get("email_verified") == Some(&Value::Bool(false));
    (!name.is_empty() && !is_unconfirmed).then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn settings(username_claim: &str) -> Settings {
        Settings {
            issuer: "https://id.example.net".to_owned(),
            client_id: "hedgerow".to_owned(),
            client_secret: SecretString::from("secret"),
            scopes: Vec::new(),
            username_claim: username_claim.to_owned(),
            groups_claim: "groups".to_owned(),
            ca_file: None,
        }
    }

    fn map(value: Value) -> Map<String, Value> {
        value.as_object().cloned().unwrap_or_default()
    }

    #[test]
    fn groups_are_a_list_or_one_name_and_their_absence_is_told_from_none() {
        let settings = settings("preferred_username");
        assert_eq!(groups(&map(json!({"groups": ["a", 1, "b"]})), &settings), Some(vec!["a".into(), "b".into()]));
        assert_eq!(groups(&map(json!({"groups": "a"})), &settings), Some(vec!["a".into()]));
        assert_eq!(groups(&map(json!({"groups": []})), &settings), Some(vec![]));
        assert_eq!(groups(&map(json!({})), &settings), None);
    }

    #[test]
    fn an_address_that_nobody_confirmed_is_no_name() {
        let by_address = settings("email");
        let claims = |verified: Value| map(json!({"email": "anna@example.net", "email_verified": verified}));
        assert_eq!(username(&claims(json!(true)), &by_address).as_deref(), Some("anna@example.net"));
        assert_eq!(username(&claims(json!(null)), &by_address).as_deref(), Some("anna@example.net"));
        assert_eq!(username(&claims(json!(false)), &by_address), None);
        assert_eq!(username(&map(json!({"email": " "})), &by_address), None);
    }
}
