use std::collections::BTreeMap;
use std::time::Duration;

use futures::future::{BoxFuture, FutureExt};
use rmcp::handler::server::tool::{schema_for_input, schema_for_output};
use rmcp::model::{CallToolResult, JsonObject, Tool as ToolDefinition};
use serde_json::Value;

use super::context::ToolContext;
use super::error::ToolError;
use super::tool::Tool;

/// The largest result, as JSON, in bytes.
const RESULT_LIMIT: usize = 1024 * 1024;

type Run = fn(ToolContext, JsonObject) -> BoxFuture<'static, Result<Value, ToolError>>;

/// The tools by name.
#[derive(Default)]
pub struct Tools {
    entries: BTreeMap<&'static str, Entry>,
}

struct Entry {
    name: &'static str,
    definition: ToolDefinition,
    deadline: Duration,
    run: Run,
}

impl Tools {
    /// Adds a tool.
    ///
    /// # Panics
    /// When the schema of its input is not an object's: a mistake in the tool's types.
    #[must_use]
    pub fn with<T: Tool>(mut self) -> Self {
        let input_schema = schema_for_input::<T::Input>()
            .unwrap_or_else(|error| panic!("the input schema of {}: {error}", T::NAME));
        let definition = ToolDefinition::new(T::NAME, T::DESCRIPTION, input_schema)
            .with_title(T::TITLE)
            .with_raw_output_schema(schema_for_output::<T::Output>())
            .with_annotations(T::annotations());
        let entry = Entry {
            name: T::NAME,
            definition,
            deadline: T::DEADLINE,
            run: |context, arguments| run::<T>(context, arguments).boxed(),
        };
        self.entries.insert(T::NAME, entry);
        self
    }

    /// The definitions, in the order of their names.
    pub fn definitions(&self) -> Vec<ToolDefinition> {
        self.entries
            .values()
            .map(|entry| entry.definition.clone())
            .collect()
    }

    /// The definition of one tool.
    pub fn definition(&self, name: &str) -> Option<&ToolDefinition> {
        self.entries.get(name).map(|entry| &entry.definition)
    }

    /// Calls a tool; `None` when there is none of that name.
    ///
    /// Failures are results with `isError`, which a model can read and act on.
    pub fn call(
        &self,
        name: &str,
        context: ToolContext,
        arguments: JsonObject,
    ) -> Option<impl Future<Output = CallToolResult> + Send + use<>> {
        let Entry {
            name,
            deadline,
            run,
            ..
        } = self.entries.get(name)?;
        let deadline = *deadline;
        let record = context.record.clone();
        record.set_tool(name);
        let running = run(context, arguments);
        Some(async move {
            let outcome = tokio::time::timeout(deadline, running)
                .await
                .unwrap_or(Err(ToolError::DeadlineExceeded { deadline }));
            match outcome.and_then(within_limit) {
                Ok(value) => CallToolResult::structured(value),
                Err(error) => {
                    record.set_tool_error(error.code());
                    CallToolResult::structured_error(error.to_json())
                }
            }
        })
    }
}

async fn run<T: Tool>(context: ToolContext, arguments: JsonObject) -> Result<Value, ToolError> {
    let input = serde_path_to_error::deserialize(Value::Object(arguments))
        .map_err(|error| ToolError::InvalidInput(error.to_string()))?;
    let output = T::run(&context, input).await?;
    serde_json::to_value(output).map_err(|error| ToolError::Internal(error.to_string()))
}

fn within_limit(value: Value) -> Result<Value, ToolError> {
    let bytes = value.to_string().len();
    if bytes > RESULT_LIMIT {
        return Err(ToolError::ResultTooLarge {
            bytes,
            limit: RESULT_LIMIT,
        });
    }
    Ok(value)
}
