//! Login and logout, and the cookie of a session: fourteen days, hidden from scripts, not bound to HTTPS.

use axum::http::{HeaderValue, Method, header};
use axum::response::Response;

use super::csrf::Secret;
use super::pages::page;
use super::request::{Asked, escape, method_not_allowed, redirect};
use super::site::Site;

const REFUSAL: &str = "Please enter a correct username and password. Note that both fields may be case-sensitive.";
const FOURTEEN_DAYS: u32 = 14 * 24 * 60 * 60;

pub(super) fn login(site: &Site, asked: &Asked<'_>) -> Response {
    match asked.method {
        Method::GET | Method::HEAD if asked.user.is_some() => redirect(next(asked)),
        Method::GET | Method::HEAD => form(asked, None),
        Method::POST => {
            let given = |name: &str| asked.field(name).unwrap_or_default();
            let Some(user) = site.person(given("username"), given("password")) else {
                return form(asked, Some(REFUSAL));
            };
            let mut response = redirect(next(asked));
            Secret::fresh().set(&mut response);
            let cookie =
                format!("sessionid={}; HttpOnly; Max-Age={FOURTEEN_DAYS}; Path=/; SameSite=Lax", site.log_in(user));
            set_cookie(&mut response, &cookie);
            response
        }
        _ => method_not_allowed("GET, HEAD, POST"),
    }
}

/// A link, as in NetBox 4.3: whoever makes a browser follow it logs its user out.
pub(super) fn logout(site: &Site, asked: &Asked<'_>) -> Response {
    if ![Method::GET, Method::HEAD, Method::POST].contains(&asked.method) {
        return method_not_allowed("GET, HEAD, POST");
    }
    if let Some(session) = asked.cookie("sessionid") {
        site.log_out(session);
    }
    let mut response = redirect("/login/");
    let over = "sessionid=\"\"; expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=0; Path=/; SameSite=Lax";
    set_cookie(&mut response, over);
    response
}

fn form(asked: &Asked<'_>, refusal: Option<&str>) -> Response {
    let alert = refusal.map(|words| format!("<div class=\"alert alert-danger\" role=\"alert\">{words}</div>\n"));
    let wanted = asked.field("next").or_else(|| asked.parameter("next"));
    let next = wanted.map(|to| format!("<input type=\"hidden\" name=\"next\" value=\"{}\">\n", escape(to)));
    let name = asked.field("username").map(escape).unwrap_or_default();
    let secret = Secret::of(asked);
    let body = format!(
        "<h2>Log In</h2>\n{alert}<form action=\"/login/\" method=\"post\">\n\
         <input type=\"hidden\" name=\"csrfmiddlewaretoken\" value=\"{token}\">\n{next}\
         <label for=\"id_username\">Username</label>\n\
         <input type=\"text\" name=\"username\" value=\"{name}\" required id=\"id_username\">\n\
         <label for=\"id_password\">Password</label>\n\
         <input type=\"password\" name=\"password\" required id=\"id_password\">\n\
         <button type=\"submit\" class=\"btn btn-primary\">Sign In</button>\n</form>\n",
        alert = alert.unwrap_or_default(),
        token = secret.masked(),
        next = next.unwrap_or_default(),
    );
    page(asked, &secret, "Log In", &body)
}

/// Where a login leads: to a page of this site, or home.
fn next<'a>(asked: &'a Asked<'_>) -> &'a str {
    let wanted = asked.field("next").or_else(|| asked.parameter("next")).unwrap_or("/");
    let foreign = !wanted.starts_with('/') || wanted.starts_with("//") || wanted.contains(['\\', '\r', '\n', '\t']);
    if foreign { "/" } else { wanted }
}

fn set_cookie(response: &mut Response, cookie: &str) {
    let cookie = HeaderValue::from_str(cookie).expect("a cookie of letters, digits and its own attributes is a header");
    response.headers_mut().append(header::SET_COOKIE, cookie);
}
