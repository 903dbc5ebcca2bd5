//! Which address is what. In the predecessor's order: an address that is none, then the CSRF check of whatever is not
//! just looked at, then the page, which asks for a session where it wants one.

use axum::extract::Request;
use axum::http::Method;
use axum::response::Response;

use super::request::{Asked, not_found};
use super::site::Site;
use super::{csrf, login, pages, rest, sync};

enum Place {
    Home,
    Login,
    Logout,
    Fabrics,
    Fabric(u64),
    Sync(u64),
    TestConnection(u64),
    RestFabrics,
    RestFabric(u64),
}

pub(super) async fn answer(site: &Site, request: Request) -> Response {
    let asked = Asked::read(site, request).await;
    let Some(place) = find(&asked.path) else { return not_found() };
    let looks = [Method::GET, Method::HEAD, Method::OPTIONS].contains(&asked.method);
    let is_rest = matches!(place, Place::RestFabrics | Place::RestFabric(_));
    if !looks && !is_rest && !csrf::is_good(&asked) {
        return csrf::refusal(&asked);
    }
    match place {
        Place::Home => pages::home(&asked),
        Place::Login => login::login(site, &asked),
        Place::Logout => login::logout(site, &asked),
        Place::Fabrics => pages::fabrics(site, &asked),
        Place::Fabric(id) => pages::fabric(site, &asked, id),
        Place::Sync(id) => sync::sync(site, &asked, id).await,
        Place::TestConnection(id) => sync::test_connection(site, &asked, id).await,
        Place::RestFabrics => rest::fabrics(site, &asked),
        Place::RestFabric(id) => rest::fabric(site, &asked, id),
    }
}

/// The two other addresses that the plugin's own scripts and papers name for a sync, `/plugins/hedgehog/api/fabrics/1/sync/`
/// and `/api/plugins/hedgehog/fabrics/1/sync/`, are not here, as they were not there.
fn find(path: &str) -> Option<Place> {
    let number = |text: &str| text.parse().ok();
    let parts: Vec<&str> = path.strip_prefix('/')?.split('/').collect();
    Some(match parts[..] {
        [""] => Place::Home,
        ["login", ""] => Place::Login,
        ["logout", ""] => Place::Logout,
        ["plugins", "hedgehog", "fabrics", ""] => Place::Fabrics,
        ["plugins", "hedgehog", "fabrics", id, ""] => Place::Fabric(number(id)?),
        ["plugins", "hedgehog", "fabrics", id, "sync", ""] => Place::Sync(number(id)?),
        ["plugins", "hedgehog", "fabrics", id, "test-connection", ""] => Place::TestConnection(number(id)?),
        ["api", "plugins", "hedgehog", "fabrics", ""] => Place::RestFabrics,
        ["api", "plugins", "hedgehog", "fabrics", id, ""] => Place::RestFabric(number(id)?),
        _ => return None,
    })
}
