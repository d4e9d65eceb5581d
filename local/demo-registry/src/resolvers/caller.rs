use apollo_compiler::resolvers::{ObjectValue, ResolveInfo, ResolvedValue};

use super::{Resolved, json};
use crate::catalog::User;

pub(super) struct Me<'c>(pub(super) &'c User);

struct MyRole<'c>(&'c str);

impl ObjectValue for Me<'_> {
    fn type_name(&self) -> &str {
        "Me"
    }

    fn resolve_field<'a>(&'a self, info: &'a ResolveInfo<'a>) -> Resolved<'a> {
        match info.field_name() {
            "name" => Ok(json(self.0.name.as_str())),
            "email" => Ok(json(self.0.email.as_str())),
            "isAdmin" => Ok(json(self.0.is_admin)),
            "role" => Ok(ResolvedValue::nullable_object(
                self.0.roles.first().map(|role| MyRole(role)),
            )),
            "roles" => Ok(ResolvedValue::list(
                self.0
                    .roles
                    .iter()
                    .map(|role| ResolvedValue::object(MyRole(role))),
            )),
            _ => Err(self.unknown_field_error(info)),
        }
    }
}

impl ObjectValue for MyRole<'_> {
    fn type_name(&self) -> &str {
        "MyRole"
    }

    fn resolve_field<'a>(&'a self, info: &'a ResolveInfo<'a>) -> Resolved<'a> {
        match info.field_name() {
            "name" => Ok(json(self.0)),
            _ => Err(self.unknown_field_error(info)),
        }
    }
}
