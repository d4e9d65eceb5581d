use serde::{Deserialize, Serialize};

use crate::registry::Operation;

/// The caller as the registry knows them.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Me {
    /// The login name.
    pub name: String,
    /// The address that the name belongs to.
    pub email: String,
    /// Whether the caller administers the stack.
    pub is_admin: bool,
    /// The active role.
    pub role: Role,
    /// The roles that the caller may switch to, the active one among them.
    pub roles: Vec<Role>,
}

/// A role of the stack.
#[derive(Clone, Debug, Deserialize)]
pub struct Role {
    /// The role's name.
    pub name: String,
}

/// Asks who the holder of a token is.
pub struct MeQuery;

/// No variables.
#[derive(Serialize)]
pub struct NoVariables {}

/// `me` is null when the registry does not know the token.
#[derive(Deserialize)]
pub struct MeData {
    /// The caller.
    pub me: Option<Me>,
}

impl Operation for MeQuery {
    const NAME: &'static str = "Me";
    const DOCUMENT: &'static str = include_str!("me.graphql");
    type Variables = NoVariables;
    type Data = MeData;
}
