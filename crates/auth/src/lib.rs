//! Who asks, and what they may: passwords, sessions, CSRF tokens, throttling, object permissions, and the sealing of
//! secrets.
//!
//! [`Sessions`] turns a cookie into a user or into the reason why not, [`ApiTokens`] does the same for a program's token;
//! [`Csrf`] proves that a form is of ours; [`Access`] hands out a fabric, user, group or permission only together with the
//! proof that the action is permitted ([`Granted`]), so that a handler without the check does not compile; [`Sealer`] is the
//! only door to secrets at rest. Cookies, headers and pages are not here: they are in the room `web`. Time comes from a
//! [`Clock`], so that every limit is testable.

mod access;
mod api_tokens;
mod clock;
mod constraints;
mod csrf;
mod explain;
mod external;
mod keys;
mod passwords;
mod permissions;
mod sealing;
mod sessions;
mod throttle;
mod tokens;
mod usernames;

pub use access::{Access, AccessError, Granted};
pub use api_tokens::{
    ApiTokens, MadeToken, MakeTokenError, PREFIX as TOKEN_PREFIX, PresentedToken, TOKENS_OF_A_USER, TokenDenied,
    TokenError, TokenUser, TokenWishes,
};
pub use clock::{Clock, ManualClock, SystemClock};
pub use constraints::{BadConstraints, check_constraints, matching};
pub use csrf::{Csrf, CsrfError};
pub use explain::{Considered, Explanation, Finding, Rank, Step, explain};
pub use external::{Mapping, Named, NamedError, Origin};
pub use keys::{KeyError, MasterKey};
pub use passwords::{PASSWORD_LENGTH, PasswordError, Passwords, check_password, first_password};
pub use permissions::{Action, Actor, Denied, ObjectType, UserActor};
pub use sealing::{Place, SealError, Sealer};
pub use sessions::{Authenticated, By, Limits, LoggedIn, LoginError, SessionDenied, SessionError, Sessions};
pub use throttle::{Throttle, ThrottleLimits, Window};
pub use tokens::{PreSession, SessionToken};
pub use usernames::{USERNAME_LENGTH, USERNAME_WORDS, is_username};
