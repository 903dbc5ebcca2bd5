//! The flags of what manages a console on its server: users, their API tokens, the key of the credentials.

use super::*;
use clap::{Args, Subcommand};
use ipnet::IpNet;
use std::time::Duration;

/// Create users, set their passwords, say what they may do
#[derive(Debug, Subcommand)]
pub(crate) enum User {
    #[command(after_help = "Examples:
  hedgerow user create alice --superuser
  pass show hedgerow/alice | hedgerow user create alice --password-stdin")]
    Create(UserCreate),
    SetPassword(UserSetPassword),
    #[command(after_help = "Examples:
  hedgerow user grant bob --action view
  hedgerow user grant bob --action view,sync --constraints '{\"name__startswith\": \"lab-\"}'
  hedgerow user grant bob --action view,change --constraints '[{\"id\": 3}, {\"namespace\": \"test\"}]'")]
    Grant(UserGrant),
    #[command(after_help = "Examples:
  hedgerow user list                     shows the numbers
  hedgerow user revoke bob 7")]
    Revoke(UserRevoke),
    #[command(after_help = "Examples:
  hedgerow user change bob --active false
  hedgerow user change bob --superuser true")]
    Change(UserChange),
    Delete(UserDelete),
    #[command(after_help = "Examples:
  hedgerow user link alice --openid-subject 8f2d7a41
  hedgerow user link alice --none            logs in by password only, from now on")]
    Link(UserLink),
    List(UserList),
    #[command(subcommand, arg_required_else_help = true)]
    Token(UserToken),
}

/// How a password comes in.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct PasswordInput {
    /// Read the password from standard input instead of asking for it twice
    #[arg(long)]
    pub(crate) password_stdin: bool,
}

/// Create a user
#[derive(Debug, Args)]
pub(crate) struct UserCreate {
    /// Name to log in with: letters, digits, `.`, `_`, `-`, `+`, `@`
    #[arg(value_name = "NAME")]
    pub(crate) name: String,
    /// May do everything
    #[arg(long)]
    pub(crate) superuser: bool,
    #[command(flatten)]
    pub(crate) password: PasswordInput,
    #[command(flatten)]
    pub(crate) source: Source,
}

/// Set a user's password and end the user's sessions
#[derive(Debug, Args)]
pub(crate) struct UserSetPassword {
    /// The user
    #[arg(value_name = "NAME")]
    pub(crate) name: String,
    #[command(flatten)]
    pub(crate) password: PasswordInput,
    #[command(flatten)]
    pub(crate) source: Source,
}

/// Switch a user on or off, make one an administrator or no longer one
///
/// Whoever is switched off is logged out everywhere. The last active administrator stays one.
#[derive(Debug, Args)]
pub(crate) struct UserChange {
    /// The user
    #[arg(value_name = "NAME")]
    pub(crate) name: String,
    /// Whether the user may log in: true or false
    #[arg(long, value_name = "BOOL", required_unless_present = "superuser")]
    pub(crate) active: Option<bool>,
    /// Whether the user may do everything: true or false
    #[arg(long, value_name = "BOOL")]
    pub(crate) superuser: Option<bool>,
    #[command(flatten)]
    pub(crate) source: Source,
}

/// Delete a user with its sessions
///
/// What the user did stays in the activity, under this name. The last active administrator is not deleted.
#[derive(Debug, Args)]
pub(crate) struct UserDelete {
    /// The user
    #[arg(value_name = "NAME")]
    pub(crate) name: String,
    #[command(flatten)]
    pub(crate) source: Source,
}

/// Give a user a permission
///
/// A permission is a set of actions on a type of object, limited by constraints. Several add up. What a user may not
/// view does not exist for that user, so other actions need `view` beside them. A running console sees the change with
/// the user's next request.
#[derive(Debug, Args)]
pub(crate) struct UserGrant {
    /// The user
    #[arg(value_name = "NAME")]
    pub(crate) name: String,
    /// What the user may do: view, add, change, delete, sync
    #[arg(long = "action", value_name = "ACTION,...", value_delimiter = ',', required = true)]
    pub(crate) actions: Vec<auth::Action>,
    /// What it may be done to
    #[arg(long = "type", value_name = "TYPE", default_value = "fabric", value_parser = ["fabric", "user", "group", "permission"])]
    pub(crate) object_type: String,
    /// To which of them: JSON as in NetBox, an object of terms that must all hold, or a list of such objects
    ///
    /// Fields of fabrics: id, name, description, namespace, source_url, branch, path, sync_enabled; of users: id, username,
    /// is_active, is_superuser; of groups: id, name; of permissions: id, name, enabled. A comparison stands behind two
    /// underscores, for example `name__startswith`, `id__in`. Without constraints: to all of them.
    #[arg(long, value_name = "JSON")]
    pub(crate) constraints: Option<String>,
    #[command(flatten)]
    pub(crate) source: Source,
}

/// Take a permission from a user
///
/// A permission that nobody has any more is deleted.
#[derive(Debug, Args)]
pub(crate) struct UserRevoke {
    /// The user
    #[arg(value_name = "NAME")]
    pub(crate) name: String,
    /// Number of the permission, as `user list` shows it
    #[arg(value_name = "PERMISSION")]
    pub(crate) permission: i64,
    #[command(flatten)]
    pub(crate) source: Source,
}

/// Connect a user with a person of the OpenID Connect provider
///
/// A login by the provider finds its user by the provider's own number for the person, the claim `sub`, and never by a
/// name. The page that refuses somebody whose name is taken shows that number.
#[derive(Debug, Args)]
pub(crate) struct UserLink {
    /// The user
    #[arg(value_name = "NAME")]
    pub(crate) name: String,
    /// The provider's number for the person: the claim `sub`
    #[arg(long, value_name = "SUBJECT", required_unless_present = "none")]
    pub(crate) openid_subject: Option<String>,
    /// The provider's issuer, when it is not that of the setting `openid.issuer`
    #[arg(long, value_name = "URL", requires = "openid_subject")]
    pub(crate) openid_issuer: Option<String>,
    /// Connect the user with nobody any more
    #[arg(long, conflicts_with = "openid_subject")]
    pub(crate) none: bool,
    #[command(flatten)]
    pub(crate) source: Source,
}

/// List the users and what they may do
#[derive(Debug, Args)]
pub(crate) struct UserList {
    /// Print JSON
    #[arg(long, help_heading = "Output")]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) source: Source,
}

/// Manage the key that seals credentials in the database
#[derive(Debug, Subcommand)]
pub(crate) enum Key {
    Rotate(KeyRotate),
}

/// Exchange the key of the credentials for a new one
///
/// Servers may run meanwhile: the key's file holds both keys until nothing is sealed with the old one. Ended in the
/// middle, the command goes on where it was. The old key is kept in a file beside, for the backups from before.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  hedgerow key rotate --data /var/lib/hedgerow
  hedgerow key rotate --begin      with several servers: first the file with both keys goes to each of them")]
pub(crate) struct KeyRotate {
    /// Put a new key into the file and stop there
    #[arg(long)]
    pub(crate) begin: bool,
    #[command(flatten)]
    pub(crate) source: Source,
}

/// Make, list and revoke API tokens of users
#[derive(Debug, Subcommand)]
pub(crate) enum UserToken {
    #[command(after_help = "Examples:
  hedgerow user token add bob --description pipeline > token
  hedgerow user token add bob --description monitor --read-only --expires 90d --from 192.0.2.0/24")]
    Add(UserTokenAdd),
    List(UserTokenList),
    Revoke(UserTokenRevoke),
}

/// Make an API token of a user, and print it, once
///
/// The database keeps a hash of it only, so it cannot be printed again.
#[derive(Debug, Args)]
pub(crate) struct UserTokenAdd {
    /// The user
    #[arg(value_name = "NAME")]
    pub(crate) name: String,
    /// What it is for
    #[arg(long, value_name = "TEXT")]
    pub(crate) description: String,
    /// How long it lasts, for example 90d; for ever by default
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub(crate) expires: Option<Duration>,
    /// The networks that it may be used from; from anywhere by default
    #[arg(long, value_name = "NETWORK,...", value_delimiter = ',', value_parser = network)]
    pub(crate) from: Vec<IpNet>,
    /// It can look at what the user may see, and change nothing
    #[arg(long)]
    pub(crate) read_only: bool,
    #[command(flatten)]
    pub(crate) source: Source,
}

/// List a user's API tokens
#[derive(Debug, Args)]
pub(crate) struct UserTokenList {
    /// The user
    #[arg(value_name = "NAME")]
    pub(crate) name: String,
    /// Print JSON
    #[arg(long, help_heading = "Output")]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) source: Source,
}

/// Revoke an API token
///
/// A running console refuses it from the next request on.
#[derive(Debug, Args)]
pub(crate) struct UserTokenRevoke {
    /// Key of the token, as `user token list` shows it
    #[arg(value_name = "KEY")]
    pub(crate) key: String,
    #[command(flatten)]
    pub(crate) source: Source,
}
