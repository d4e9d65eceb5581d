//! Basic authentication with the token that ECR's GetAuthorizationToken gives out.

use axum::http::HeaderMap;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::header;

use super::error::Error;
use crate::world::World;

/// The user name that belongs to every token of ECR.
pub(crate) const USER: &str = "AWS";

pub(super) fn check(world: &World, headers: &HeaderMap) -> Result<(), Error> {
    let refused = || Error::Unauthorized {
        realm: world.read(|state| format!("http://{}/", state.addresses.registry_host())),
    };
    let value = headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .ok_or_else(refused)?;
    let (scheme, credentials) = value.split_once(' ').ok_or_else(refused)?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return Err(refused());
    }
    let decoded = STANDARD.decode(credentials.trim()).map_err(|_| refused())?;
    let expected = format!("{USER}:{}", world.registry_password);
    if decoded == expected.as_bytes() {
        Ok(())
    } else {
        Err(refused())
    }
}
