//! What may be read of a fabric shows no secret: neither its list, nor its page, nor what scripts read; and not to those who
//! may only look either. Known secrets are those that the run was given, sessions, keys, and tokens by their shape.

use crate::cause::Cause;
use crate::drivers::Ask;
use crate::scene::{Scene, path_and_query};
use crate::stop::Walked;

pub(super) async fn walk(scene: &mut Scene<'_>) -> Walked<()> {
    let profile = scene.profile();
    let fabric = scene.fabric()?;
    let read = profile.status.api.iter().chain(&profile.fabric.last_success);
    let mut data: Vec<String> = read.map(|api| api.address.replace("{id}", &fabric.id)).collect();
    data.sort();
    data.dedup();
    let mut accounts = vec![scene.site.plan.account.clone()];
    accounts.extend(scene.site.plan.reader.clone());
    for account in accounts {
        let mut visitor = scene.logged_in(&account).await?;
        let mut seen = Vec::new();
        for address in [&profile.fabrics.address, &fabric.address] {
            seen.push(path_and_query(&visitor.open(address).await?.url));
        }
        for address in &data {
            seen.push(path_and_query(&visitor.ask(&Ask::get(address)).await?.url));
        }
        scene.shown_by(&visitor);
        // Also what an earlier journey met there.
        let leaks = scene.site.redactor.leaks();
        let shown = leaks.iter().find(|leak| seen.iter().any(|path| leak.place.ends_with(&format!(" {path}"))));
        let observed = match shown {
            Some(leak) => format!("{} in the answer to {}", leak.what, leak.place),
            None => format!("{} answers hold none", seen.len()),
        };
        let expected = format!("nothing that {} reads of {} shows a secret", account.username, fabric.name);
        scene.assert(shown.is_none(), Cause::SecretShown, &expected, observed)?;
        visitor.close().await;
    }
    Ok(())
}
