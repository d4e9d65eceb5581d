//! Who calls: bearer tokens, validated by the registry that issued them.

mod challenge;
mod layer;
mod me;
mod token;
mod validator;

pub use layer::{BearerPolicy, require_bearer};
pub use me::{Me, MeQuery, NoVariables, Role};
pub use token::{BearerToken, TokenError, TokenHash};
pub use validator::{Caller, Refusal, Validator};
