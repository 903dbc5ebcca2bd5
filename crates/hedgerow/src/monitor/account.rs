//! The account that the monitor walks with: whether it is there, and whether it may do no more than look. What it may see
//! is what is walked.

use auth::{Action, Actor, ObjectType};
use store::{Scope, Store, User};

/// Why nothing is walked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Unfit {
    /// What is wrong, in a sentence.
    pub(super) sentence: String,
    /// What to do.
    pub(super) what_to_do: String,
}

/// An account that may only look.
pub(super) struct Reader {
    /// The account.
    pub(super) user: User,
    /// The fabrics that it may see.
    pub(super) scope: Scope,
}

/// Looks at the account.
pub(super) async fn look(store: &Store, username: &str) -> Result<Result<Reader, Unfit>, store::Error> {
    let Some(user) = store.users().by_name(username).await? else {
        return Ok(Err(Unfit {
            sentence: format!("Nothing was walked: there is no user {username}, whom verify.username names."),
            what_to_do: format!(
                "Make one: hedgerow user create {username}, then hedgerow user grant {username} --action view."
            ),
        }));
    };
    let actor = Actor::of_user(store, &user).await?;
    if let Some(unfit) = unfit(&user, &actor) {
        return Ok(Err(unfit));
    }
    let scope = actor.scope(Action::View, ObjectType::Fabric);
    Ok(Ok(Reader { user, scope }))
}

fn unfit(user: &User, actor: &Actor) -> Option<Unfit> {
    let name = &user.username;
    let own = "Give verify.username an account of its own: hedgerow user create, then grant --action view.".to_owned();
    if !user.is_active {
        return Some(Unfit {
            sentence: format!("Nothing was walked: the account {name} is switched off."),
            what_to_do: "Switch it on again, or set verify.username to another.".to_owned(),
        });
    }
    if user.is_superuser {
        return Some(Unfit {
            sentence: format!("Nothing was walked: {name} is a superuser, and the monitor's account may only look."),
            what_to_do: own,
        });
    }
    let may: Vec<String> = ObjectType::ALL
        .iter()
        .flat_map(|of| Action::ALL.iter().map(move |action| (*action, *of)))
        .filter(|(action, of)| *action != Action::View && of.takes(*action) && actor.may(*action, *of))
        .map(|(action, of)| of.permission(action))
        .collect();
    (!may.is_empty()).then(|| Unfit {
        sentence: format!(
            "Nothing was walked: {name} has {}, and the monitor's account may only look.",
            may.join(", ")
        ),
        what_to_do: own,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::Timestamp;
    use store::ObjectPermission;

    async fn store() -> (tempfile::TempDir, Store) {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path().join("a.db").to_str().unwrap()).await.unwrap();
        (folder, store)
    }

    async fn user(store: &Store, name: &str, is_superuser: bool) -> User {
        let new = store::NewUser { username: name.into(), password_hash: "x".into(), is_superuser, is_active: true };
        store.users().create(new, Timestamp::now()).await.unwrap()
    }

    async fn said(store: &Store, name: &str) -> String {
        look(store, name).await.unwrap().err().map(|unfit| unfit.sentence).unwrap_or_default()
    }

    async fn permit(store: &Store, user: &User, actions: &[&str]) {
        let permission = ObjectPermission {
            id: 0,
            name: format!("{} {}", user.username, actions.join(" ")),
            enabled: true,
            object_types: vec!["hedgerow.fabric".into()],
            actions: actions.iter().map(|action| (*action).to_owned()).collect(),
            constraints: None,
        };
        let id = store.permissions().create(&permission).await.unwrap();
        store.permissions().give_to_user(id, user.id).await.unwrap();
    }

    #[tokio::test]
    async fn an_account_that_may_do_more_than_look_is_refused() {
        let (_folder, store) = store().await;
        assert!(said(&store, "monitor").await.contains("no user monitor"));
        user(&store, "root", true).await;
        assert!(said(&store, "root").await.contains("root is a superuser"));
        let monitor = user(&store, "monitor", false).await;
        permit(&store, &monitor, &["view"]).await;
        assert_eq!(said(&store, "monitor").await, "");
        permit(&store, &monitor, &["sync"]).await;
        assert!(said(&store, "monitor").await.contains("monitor has hedgerow.sync_fabric"));
    }
}
