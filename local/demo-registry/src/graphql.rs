//! Validates an operation against the schema, then executes it.

use apollo_compiler::resolvers::Execution;
use apollo_compiler::response::JsonMap;
use apollo_compiler::validation::Valid;
use apollo_compiler::{ExecutableDocument, Schema};
use serde_json::{Value, json};

use crate::DemoRegistry;
use crate::catalog::User;
use crate::http::GraphqlRequest;
use crate::resolvers::{Mutation, Query};

/// The schema that the registry answers by.
pub const SCHEMA_SDL: &str = include_str!("../../../server/schema/quilt-platform.graphql");

#[derive(Debug)]
pub(crate) struct Engine {
    schema: Valid<Schema>,
}

impl Engine {
    pub(crate) fn new() -> Self {
        let schema = Schema::parse_and_validate(SCHEMA_SDL, "quilt-platform.graphql")
            .expect("the schema of this repository is valid");
        Self { schema }
    }

    /// The GraphQL response, with `errors` when the operation is wrong.
    pub(crate) fn execute(
        &self,
        registry: &DemoRegistry,
        caller: Option<&User>,
        request: &GraphqlRequest,
    ) -> Value {
        self.try_execute(registry, caller, request)
            .unwrap_or_else(|errors| json!({ "errors": errors }))
    }

    fn try_execute(
        &self,
        registry: &DemoRegistry,
        caller: Option<&User>,
        request: &GraphqlRequest,
    ) -> Result<Value, Vec<Value>> {
        let document =
            ExecutableDocument::parse_and_validate(&self.schema, &request.query, "query.graphql")
                .map_err(|invalid| {
                invalid
                    .errors
                    .iter()
                    .map(|diagnostic| json!({ "message": diagnostic.error.to_string() }))
                    .collect::<Vec<_>>()
            })?;
        let variables: JsonMap = request
            .variables
            .iter()
            .map(|(name, value)| (name.as_str().into(), value.clone().into()))
            .collect();
        let one = |message: String| vec![json!({ "message": message })];
        let execution = Execution::new(&self.schema, &document)
            .operation_name(request.operation_name.as_deref())
            .map_err(|error| one(error.message().to_string()))?
            .raw_variable_values(&variables);
        let operation = document.operations.get(request.operation_name.as_deref());
        let is_mutation = operation.is_ok_and(|operation| operation.is_mutation());
        let response = if is_mutation {
            execution.execute_sync(&Mutation { registry, caller })
        } else {
            let catalog = registry.catalog();
            execution.execute_sync(&Query {
                catalog: &catalog,
                caller,
            })
        }
        .map_err(|error| one(error.message().to_string()))?;
        serde_json::to_value(&response).map_err(|error| one(error.to_string()))
    }
}
