//! Every address of the console, once. The route table takes the patterns from here, templates and handlers the
//! functions, and a test holds that each pattern is routed and that no template or script writes an address of its own.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use std::fmt::Display;

/// What may stand in a path segment as it is.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// The prefix under which the predecessor's addresses answer too.
pub const ALIAS: &str = "/plugins/hedgehog";

fn segment(value: impl Display) -> String {
    utf8_percent_encode(&value.to_string(), SEGMENT).to_string()
}

macro_rules! paths {
    ($( $(#[$doc:meta])* $name:ident ( $($arg:ident : $ty:ty),* ) = $pattern:literal; )*) => {
        /// The patterns, as the router takes them.
        #[expect(non_upper_case_globals, reason = "a pattern has the name of the function that fills it")]
        pub mod pattern {
            $( $(#[$doc])* pub const $name: &str = $pattern; )*
        }

        $( $(#[$doc])*
        #[allow(dead_code, reason = "some addresses are only routed, none of our pages leads there")]
        pub fn $name($($arg: $ty),*) -> String {
            #[allow(unused_mut, reason = "an address without variables stays as it is")]
            let mut path = $pattern.to_owned();
            $( path = path.replacen(concat!("{", stringify!($arg), "}"), &segment($arg), 1); )*
            path
        } )*

        /// Name and pattern of every address.
        #[cfg(test)]
        pub const ALL: &[(&str, &str)] = &[$((stringify!($name), $pattern),)*];
    };
}

paths! {
    /// The dashboard.
    home() = "/";
    /// The list of fabrics; the same page as the dashboard.
    fabrics() = "/fabrics/";
    /// The form that adds a fabric.
    fabric_add() = "/fabrics/add/";
    /// A fabric's page.
    fabric(id: impl Display) = "/fabrics/{id}/";
    /// A fabric's settings.
    fabric_edit(id: impl Display) = "/fabrics/{id}/edit/";
    /// Deleting a fabric, with confirmation.
    fabric_delete(id: impl Display) = "/fabrics/{id}/delete/";
    /// Confirming that a fabric's cluster really changed.
    fabric_confirm_cluster(id: impl Display) = "/fabrics/{id}/confirm-cluster/";
    /// Suspending a fabric's automatic syncs, with a reason.
    fabric_suspend(id: impl Display) = "/fabrics/{id}/suspend/";
    /// Letting a fabric's automatic syncs go on.
    fabric_resume(id: impl Display) = "/fabrics/{id}/resume/";
    /// The objects of a fabric.
    objects(id: impl Display) = "/fabrics/{id}/objects/";
    /// One object: `kind` is `Kind.group`, `namespace` is `-` for cluster-scoped objects.
    object_page(id: impl Display, kind: impl Display, namespace: impl Display, name: impl Display) = "/fabrics/{id}/objects/{kind}/{namespace}/{name}/";
    /// What the API server would change if the object were applied now.
    object_server_view(id: impl Display, kind: impl Display, namespace: impl Display, name: impl Display) = "/fabrics/{id}/objects/{kind}/{namespace}/{name}/server/";
    /// The objects that only the cluster holds, to be taken over into Git.
    adopt(id: impl Display) = "/fabrics/{id}/adopt/";
    /// The operations of a fabric.
    fabric_operations(id: impl Display) = "/fabrics/{id}/operations/";
    /// The operations and attempts of a fabric.
    fabric_activity(id: impl Display) = "/fabrics/{id}/activity/";
    /// The stream of hints that something about a fabric changed.
    fabric_events(id: impl Display) = "/fabrics/{id}/events/";
    /// Verb: Test Connection.
    test_connection(id: impl Display) = "/fabrics/{id}/test-connection/";
    /// Verb: Sync from Git.
    sync_from_git(id: impl Display) = "/fabrics/{id}/sync-from-git/";
    /// Verb: Sync from Fabric.
    sync_from_fabric(id: impl Display) = "/fabrics/{id}/sync-from-fabric/";
    /// Verb: Sync to Kubernetes.
    sync(id: impl Display) = "/fabrics/{id}/sync/";
    /// What a Sync to Kubernetes would do, and the choices for one.
    sync_review(id: impl Display) = "/fabrics/{id}/sync/review/";
    /// One operation.
    operation(id: impl Display) = "/operations/{id}/";
    /// Cancelling an operation.
    operation_cancel(id: impl Display) = "/operations/{id}/cancel/";
    /// The stream of hints that an operation moved.
    operation_events(id: impl Display) = "/operations/{id}/events/";
    /// Every operation and every attempt.
    activity() = "/activity/";
    /// The same as a file.
    activity_export() = "/activity/export/";
    /// What one user did, or what happened to one fabric, one thing after the other.
    timeline() = "/activity/timeline/";
    /// What the console's own monitor found.
    verify() = "/verify/";
    /// The monitor's runs about one fabric.
    fabric_verify(id: impl Display) = "/fabrics/{id}/verify/";
    /// The stream of hints that any visible fabric changed.
    events() = "/events/";
    /// The users.
    users() = "/users/";
    /// The form that adds a user.
    user_add() = "/users/add/";
    /// A user.
    user(id: impl Display) = "/users/{id}/";
    /// Changing a user.
    user_edit(id: impl Display) = "/users/{id}/edit/";
    /// Setting a user's password.
    user_password(id: impl Display) = "/users/{id}/password/";
    /// Ending a user's sessions.
    user_sessions_end(id: impl Display) = "/users/{id}/sessions/end/";
    /// Revoking an API token of somebody else.
    user_token_revoke(id: impl Display, token: impl Display) = "/users/{id}/tokens/{token}/revoke/";
    /// Deleting a user, with confirmation.
    user_delete(id: impl Display) = "/users/{id}/delete/";
    /// The groups.
    groups() = "/groups/";
    /// The form that adds a group.
    group_add() = "/groups/add/";
    /// A group.
    group(id: impl Display) = "/groups/{id}/";
    /// Changing a group.
    group_edit(id: impl Display) = "/groups/{id}/edit/";
    /// Deleting a group, with confirmation.
    group_delete(id: impl Display) = "/groups/{id}/delete/";
    /// The object permissions.
    permissions() = "/permissions/";
    /// The form that adds an object permission.
    permission_add() = "/permissions/add/";
    /// What constraints match, of what the reader may see.
    permission_preview() = "/permissions/preview/";
    /// Why a user may, or may not, do something.
    permission_explain() = "/permissions/explain/";
    /// An object permission.
    permission(id: impl Display) = "/permissions/{id}/";
    /// Changing an object permission.
    permission_edit(id: impl Display) = "/permissions/{id}/edit/";
    /// Deleting an object permission, with confirmation.
    permission_delete(id: impl Display) = "/permissions/{id}/delete/";
    /// Who one is, and what one may do.
    account() = "/account/";
    /// The login form.
    login() = "/login/";
    /// Leads to the provider of the login.
    openid_login() = "/login/openid/";
    /// Where the provider leads back to.
    openid_callback() = "/login/openid/callback/";
    /// Leads to the provider, so that somebody who is logged in proves once more who it is.
    openid_again() = "/login/openid/again/";
    /// Logging out.
    logout() = "/logout/";
    /// Who is logged in, until when, with a fresh CSRF token.
    session() = "/session/";
    /// A form that was sent after its session had ended.
    kept(token: impl Display) = "/kept/{token}/";
    /// One's own sessions.
    account_sessions() = "/account/sessions/";
    /// Ending one of one's own sessions.
    account_session_end(id: impl Display) = "/account/sessions/{id}/end/";
    /// Ending all of one's own sessions.
    account_sessions_end() = "/account/sessions/end/";
    /// Changing one's own password.
    account_password() = "/account/password/";
    /// Somebody's own API tokens.
    tokens() = "/account/tokens/";
    /// Revoking one of them.
    token_revoke(id: impl Display) = "/account/tokens/{id}/revoke/";
    /// Choosing light, dark or the system's theme.
    theme() = "/theme/";
    /// Where the pages report errors of their scripts.
    client_error() = "/client-error/";
    /// Whether the process lives.
    healthz() = "/healthz";
    /// Whether the process can serve.
    readyz() = "/readyz";
    /// What Prometheus reads.
    metrics() = "/metrics";
    /// Every code of a failure.
    docs_codes() = "/docs/codes/";
    /// What there is to say about one code.
    docs_code(code: impl Display) = "/docs/codes/{code}/";
    /// A static file.
    static_file(version: impl Display, file: impl Display) = "/static/{version}/{file}";
}

/// One object's page, by its identity.
pub fn object(fabric_id: i64, key: &model::ObjectKey) -> String {
    let namespace = if key.namespace.is_empty() { "-" } else { &key.namespace };
    object_page(fabric_id, format!("{}.{}", key.kind, key.group), namespace, &key.name)
}

/// What the server would make of one object, by its identity.
pub fn object_server(fabric_id: i64, key: &model::ObjectKey) -> String {
    format!("{}server/", object(fabric_id, key))
}

/// A static file of this build.
pub fn asset(file: &str) -> String {
    static_file(crate::assets::version(), file)
}

/// The login page that leads back to `next`.
pub fn login_next(next: &str) -> String {
    if next.is_empty() || next == "/" { login() } else { with_query(&login(), &[("next", next)]) }
}

/// A path with a query string; pairs with an empty value are left out.
pub fn with_query(path: &str, pairs: &[(&str, &str)]) -> String {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    let mut any = false;
    for (name, value) in pairs.iter().filter(|(_, value)| !value.is_empty()) {
        query.append_pair(name, value);
        any = true;
    }
    if any { format!("{path}?{}", query.finish()) } else { path.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments_are_escaped() {
        let key = model::ObjectKey::new("vpc.githedgehog.com", "VPC", "default", "a/b c");
        assert_eq!(object(7, &key), "/fabrics/7/objects/VPC.vpc.githedgehog.com/default/a%2Fb%20c/");
        let cluster_scoped = model::ObjectKey::new("x.githedgehog.com", "Thing", "", "t");
        assert_eq!(object(7, &cluster_scoped), "/fabrics/7/objects/Thing.x.githedgehog.com/-/t/");
    }

    #[test]
    fn queries_leave_out_what_is_empty() {
        assert_eq!(with_query("/a/", &[("x", ""), ("y", "1 2&3")]), "/a/?y=1+2%263");
        assert_eq!(with_query("/a/", &[("x", "")]), "/a/");
        assert_eq!(login_next("/"), "/login/");
        assert_eq!(login_next("/fabrics/1/?x=1"), "/login/?next=%2Ffabrics%2F1%2F%3Fx%3D1");
    }
}
