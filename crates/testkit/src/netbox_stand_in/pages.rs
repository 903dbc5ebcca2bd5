//! The pages, which anybody may look at: home, the list of fabrics, and a fabric with its buttons.

use axum::http::{Method, StatusCode};
use axum::response::Response;
use jiff::Timestamp;

use super::csrf::Secret;
use super::request::{Asked, escape, html, method_not_allowed, not_found};
use super::site::Site;
use super::{StandInFabric, StandInStatus};

/// All script of the predecessor stood in the page.
const SCRIPT: &str = include_str!("press.js");

/// A page with the frame that all have. The token of the page is in it twice, for the scripts.
pub(super) fn page(asked: &Asked<'_>, secret: &Secret, title: &str, body: &str) -> Response {
    let person = match asked.user {
        Some(user) => format!("<span class=\"user\">{}</span> <a href=\"/logout/\">Log Out</a>", escape(&user.name)),
        None => format!("<a href=\"/login/?next={}\">Log In</a>", escape(&asked.path)),
    };
    let (title, token) = (escape(title), secret.masked());
    let mut response = html(
        StatusCode::OK,
        format!(
            "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<title>{title} | NetBox</title>\n\
             <meta name=\"csrf-token\" content=\"{token}\">\n<script>window.CSRF_TOKEN = \"{token}\";</script>\n\
             </head>\n<body>\n<header><a href=\"/\">Home</a> <a href=\"/plugins/hedgehog/fabrics/\">Fabrics</a> \
             {person}</header>\n<div id=\"alerts\"></div>\n<main>\n{body}</main>\n\
             <footer>A stand-in for tests. It is no NetBox.</footer>\n</body>\n</html>\n"
        ),
    );
    secret.set(&mut response);
    response
}

pub(super) fn home(asked: &Asked<'_>) -> Response {
    shown(asked, "Home", "<h1>Home</h1>\n")
}

/// The list shows the status as it is stored.
pub(super) fn fabrics(site: &Site, asked: &Asked<'_>) -> Response {
    let rows = site.fabrics().into_iter().map(|(id, fabric)| {
        format!(
            "<tr><td><a href=\"/plugins/hedgehog/fabrics/{id}/\">{}</a></td><td>{}</td><td>{}</td></tr>\n",
            escape(&fabric.name),
            badge(fabric.status),
            when(fabric.last_sync)
        )
    });
    let rows: String = rows.collect();
    let body = format!(
        "<h1>Fabrics</h1>\n<table class=\"table\">\n<thead><tr><th>Name</th><th>Status</th><th>Last Sync</th></tr></thead>\n\
         <tbody>\n{rows}</tbody>\n</table>\n"
    );
    shown(asked, "Fabrics", &body)
}

/// A fabric's page shows a status of its own making: an error that was stored once outlives every sync.
pub(super) fn fabric(site: &Site, asked: &Asked<'_>, id: u64) -> Response {
    let Some(fabric) = site.fabric(id) else { return not_found() };
    let StandInFabric { name, server, status, connection_status, error, last_sync, .. } = fabric;
    let status = if error.is_some() { StandInStatus::Error } else { status };
    let error = error.map(|error| format!("<tr><th>Last Error</th><td>{}</td></tr>\n", escape(&error)));
    let body = format!(
        "<h1>{name}</h1>\n<div class=\"buttons\">\n\
         <button type=\"button\" id=\"sync-button\" onclick=\"triggerSync({id})\">Sync from Git</button>\n\
         <button type=\"button\" id=\"sync-fabric-button\" onclick=\"syncFromFabric({id})\">Sync from Fabric</button>\n\
         <button type=\"button\" id=\"test-connection-button\" onclick=\"testConnection({id})\">Test Connection</button>\n\
         </div>\n<table class=\"table\">\n<tr><th>Sync Status</th><td id=\"sync-status\">{badge}</td></tr>\n\
         <tr><th>Connection Status</th><td>{connection}</td></tr>\n{error}\
         <tr><th>Kubernetes Server</th><td>{server}</td></tr>\n<tr><th>Last Sync</th><td id=\"last-sync\">{last}</td></tr>\n\
         </table>\n<div class=\"card\"><h2>Drift</h2>\n<p>No drift detected</p>\n<p>Last Drift Check: Never</p></div>\n\
         <script>\n{SCRIPT}</script>\n",
        name = escape(&name),
        badge = badge(status),
        connection = escape(&connection_status),
        error = error.unwrap_or_default(),
        server = server.as_deref().map_or("Not configured".to_owned(), escape),
        last = when(last_sync),
    );
    shown(asked, &name, &body)
}

fn shown(asked: &Asked<'_>, title: &str, body: &str) -> Response {
    match asked.method {
        Method::GET | Method::HEAD => page(asked, &Secret::of(asked), title, body),
        _ => method_not_allowed("GET, HEAD"),
    }
}

fn badge(status: StandInStatus) -> String {
    let colour = match status {
        StandInStatus::InSync => "success",
        StandInStatus::Error => "danger",
        StandInStatus::Syncing => "info",
        StandInStatus::OutOfSync => "warning",
        StandInStatus::NeverSynced => "secondary",
    };
    format!("<span class=\"badge text-bg-{colour}\">{}</span>", status.words())
}

fn when(time: Option<Timestamp>) -> String {
    time.map_or("Never".to_owned(), |time| time.to_string())
}
