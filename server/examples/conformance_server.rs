//! MCP's conformance suite wants a server with tools, resources and prompts of
//! its own. This one serves them through the very stack that serves Quilt's:
//! the same listener, limits, authentication and transport. The suite brings no
//! token, so one is put into its requests before they enter.
//!
//! `cargo run -p quilt-mcp-server --example conformance_server` prints its URL.

#![expect(
    deprecated,
    reason = "the suite still asks for logging, which older protocol versions have"
)]

use std::net::Ipv4Addr;

use axum::extract::Request;
use axum::middleware::{Next, from_fn};
use http::{HeaderValue, header};
use quilt_demo_registry::{DEMO_TOKEN, DemoRegistry};
use quilt_mcp_server::auth::Validator;
use quilt_mcp_server::config::Config;
use quilt_mcp_server::http::{Readiness, Services, router, serve_connections};
use quilt_mcp_server::metrics::Metrics;
use quilt_mcp_server::registry::RegistryClient;
use rmcp::model::{
    CacheScope, CallToolRequestParams, CallToolResponse, CallToolResult, CompleteRequestParams,
    CompleteResult, CompletionInfo, ContentBlock, ErrorCode, GetPromptRequestParams,
    GetPromptResponse, GetPromptResult, JsonObject, ListPromptsResult, ListResourceTemplatesResult,
    ListResourcesResult, ListToolsResult, LoggingLevel, LoggingMessageNotificationParam,
    PaginatedRequestParams, ProgressNotificationParam, Prompt, PromptArgument, PromptMessage,
    ReadResourceRequestParams, ReadResourceResponse, ReadResourceResult, Resource,
    ResourceContents, ResourceTemplate, Role, ServerCapabilities, ServerConfig,
    SetLevelRequestParams, Tool,
};
use rmcp::service::RequestContext;
use rmcp::{ErrorData, RoleServer, ServerHandler};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// A picture of one pixel, and a sound of no length.
const PNG: &str = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";
const WAV: &str = "UklGRiQAAABXQVZFZm10IBAAAAABAAEARKwAAIhYAQACABAAZGF0YQAAAAA=";
const TTL_MS: u64 = 60_000;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let registry = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let registry_url = format!("http://{}", registry.local_addr()?);
    tokio::spawn(DemoRegistry::sample().serve(registry, CancellationToken::new()));
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let address = listener.local_addr()?;
    let vars = [
        ("QUILT_CATALOG_URL", "http://localhost"),
        ("QUILT_REGISTRY_URL", &registry_url),
        ("MCP_ALLOWED_HOSTS", "localhost,127.0.0.1"),
        (
            "MCP_ALLOWED_ORIGINS",
            &format!("http://{address},http://localhost:{}", address.port()),
        ),
    ];
    let vars = vars.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let config = Config::from_vars(vars)?.config;
    let services = Services {
        validator: Validator::new(RegistryClient::new(&config.registry)?),
        readiness: Readiness::default(),
        metrics: Metrics::new(&config.build),
    };
    let app = router(&config, services, Fixtures).layer(from_fn(bring_a_token));
    println!("http://{address}/mcp");
    serve_connections(listener, app, CancellationToken::new()).await;
    Ok(())
}

async fn bring_a_token(mut request: Request, next: Next) -> axum::response::Response {
    let value = HeaderValue::try_from(format!("Bearer {DEMO_TOKEN}")).expect("plain ASCII");
    request.headers_mut().insert(header::AUTHORIZATION, value);
    next.run(request).await
}

#[derive(Clone)]
struct Fixtures;

fn schema(value: Value) -> JsonObject {
    value.as_object().cloned().unwrap_or_default()
}

fn tools() -> Vec<Tool> {
    let nothing = || schema(json!({"type": "object", "properties": {}}));
    let mut tools: Vec<_> = [
        "test_simple_text",
        "test_image_content",
        "test_audio_content",
        "test_embedded_resource",
        "test_multiple_content_types",
        "test_tool_with_logging",
        "test_tool_with_progress",
        "test_error_handling",
        "test_logging_tool",
        "test_missing_capability",
    ]
    .into_iter()
    .map(|name| Tool::new(name, format!("The suite's {name}"), nothing()))
    .collect();
    let header = schema(json!({
        "type": "object",
        "properties": { "region": { "type": "string", "x-mcp-header": "Region" } },
        "required": ["region"]
    }));
    tools.push(Tool::new(
        "test_header_param",
        "An argument that travels as a header too",
        header,
    ));
    tools.push(Tool::new("json_schema_2020_12_tool", "The suite's schema", schema(json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "$defs": {
            "address": {
                "$anchor": "addressDef",
                "type": "object",
                "properties": { "street": { "type": "string" }, "city": { "type": "string" } }
            }
        },
        "properties": {
            "name": { "type": "string" },
            "address": { "$ref": "#/$defs/address" },
            "contactMethod": { "type": "string", "enum": ["phone", "email"] },
            "phone": { "type": "string" },
            "email": { "type": "string" }
        },
        "allOf": [{ "anyOf": [{ "required": ["phone"] }, { "required": ["email"] }] }],
        "if": { "properties": { "contactMethod": { "const": "phone" } }, "required": ["contactMethod"] },
        "then": { "required": ["phone"] },
        "else": { "required": ["email"] },
        "additionalProperties": false
    }))));
    tools
}

impl ServerHandler for Fixtures {
    fn get_info(&self) -> ServerConfig {
        let capabilities = ServerCapabilities::builder()
            .enable_tools()
            .enable_resources()
            .enable_prompts()
            .enable_completions()
            .enable_logging()
            .build();
        ServerConfig::new(capabilities)
    }

    fn get_tool(&self, name: &str) -> Option<Tool> {
        tools().into_iter().find(|tool| tool.name == name)
    }

    async fn set_level(
        &self,
        _: SetLevelRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        Ok(())
    }

    async fn list_tools(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        Ok(ListToolsResult::with_all_items(tools())
            .with_ttl_ms(TTL_MS)
            .with_cache_scope(CacheScope::Public))
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let embedded = || {
            ContentBlock::embedded_text(
                "test://embedded-resource",
                "This is an embedded resource content.",
            )
        };
        let content = match request.name.as_ref() {
            "test_simple_text" => vec![ContentBlock::text(
                "This is a simple text response for testing.",
            )],
            "test_image_content" => vec![ContentBlock::image(PNG, "image/png")],
            "test_audio_content" => vec![ContentBlock::audio(WAV, "audio/wav")],
            "test_embedded_resource" => vec![embedded()],
            "test_multiple_content_types" => vec![
                ContentBlock::text("Multiple content types test:"),
                ContentBlock::image(PNG, "image/png"),
                embedded(),
            ],
            "test_tool_with_logging" => {
                for line in [
                    "Tool execution started",
                    "Tool processing data",
                    "Tool execution completed",
                ] {
                    let message =
                        LoggingMessageNotificationParam::new(LoggingLevel::Info, json!(line));
                    let _ = context.peer.notify_logging_message(message).await;
                }
                vec![ContentBlock::text("Logged three times.")]
            }
            "test_tool_with_progress" => {
                for step in [0.0, 50.0, 100.0] {
                    if let Some(token) = context.meta.get_progress_token() {
                        let progress =
                            ProgressNotificationParam::new(token, step).with_total(100.0);
                        let _ = context.peer.notify_progress(progress).await;
                    }
                }
                vec![ContentBlock::text("Three steps.")]
            }
            "test_error_handling" => {
                let text = "This tool intentionally returns an error for testing";
                return Ok(CallToolResult::error(vec![ContentBlock::text(text)]).into());
            }
            "test_logging_tool" => vec![ContentBlock::text("Nothing is logged unasked.")],
            "test_missing_capability" => {
                let message = "this tool needs sampling, which the client has not declared";
                let needed = json!({ "requiredCapabilities": { "sampling": {} } });
                return Err(ErrorData::new(ErrorCode(-32021), message, Some(needed)));
            }
            "test_header_param" => vec![ContentBlock::text("As the header says.")],
            "json_schema_2020_12_tool" => vec![ContentBlock::text("As the schema says.")],
            other => {
                return Err(ErrorData::invalid_params(
                    format!("unknown tool: {other}"),
                    None,
                ));
            }
        };
        Ok(CallToolResult::success(content).into())
    }

    async fn list_resources(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListResourcesResult, ErrorData> {
        let resource = |uri: &str, kind: &str| {
            Resource::new(uri, uri.trim_start_matches("test://"))
                .with_description("The suite's")
                .with_mime_type(kind)
        };
        let resources = vec![
            resource("test://static-text", "text/plain"),
            resource("test://static-binary", "image/png"),
        ];
        Ok(ListResourcesResult::with_all_items(resources)
            .with_ttl_ms(TTL_MS)
            .with_cache_scope(CacheScope::Public))
    }

    async fn list_resource_templates(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListResourceTemplatesResult, ErrorData> {
        let template = ResourceTemplate::new("test://template/{id}/data", "template")
            .with_mime_type("application/json");
        Ok(ListResourceTemplatesResult::with_all_items(vec![template])
            .with_ttl_ms(TTL_MS)
            .with_cache_scope(CacheScope::Public))
    }

    async fn read_resource(
        &self,
        request: ReadResourceRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<ReadResourceResponse, ErrorData> {
        let uri = request.uri.as_str();
        let id = uri
            .strip_prefix("test://template/")
            .and_then(|rest| rest.strip_suffix("/data"));
        let contents = match (uri, id) {
            ("test://static-text", _) => {
                ResourceContents::text("This is the content of the static text resource.", uri)
                    .with_mime_type("text/plain")
            }
            ("test://static-binary", _) => {
                ResourceContents::blob(PNG, uri).with_mime_type("image/png")
            }
            (_, Some(id)) => {
                let data =
                    json!({ "id": id, "templateTest": true, "data": format!("Data for ID: {id}") });
                ResourceContents::text(data.to_string(), uri).with_mime_type("application/json")
            }
            _ => {
                let data = json!({ "uri": uri });
                return Err(ErrorData::resource_not_found(
                    "no such resource",
                    Some(data),
                ));
            }
        };
        let result = ReadResourceResult::new(vec![contents])
            .with_ttl_ms(TTL_MS)
            .with_cache_scope(CacheScope::Public);
        Ok(result.into())
    }

    async fn list_prompts(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListPromptsResult, ErrorData> {
        let argument = |name: &str| {
            PromptArgument::new(name)
                .with_description("The suite's")
                .with_required(true)
        };
        let prompt = |name: &str, arguments: Option<Vec<PromptArgument>>| {
            Prompt::new(name, Some("The suite's"), arguments)
        };
        let prompts = vec![
            prompt("test_simple_prompt", None),
            prompt(
                "test_prompt_with_arguments",
                Some(vec![argument("arg1"), argument("arg2")]),
            ),
            prompt(
                "test_prompt_with_embedded_resource",
                Some(vec![argument("resourceUri")]),
            ),
            prompt("test_prompt_with_image", None),
        ];
        Ok(ListPromptsResult::with_all_items(prompts)
            .with_ttl_ms(TTL_MS)
            .with_cache_scope(CacheScope::Public))
    }

    async fn get_prompt(
        &self,
        request: GetPromptRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<GetPromptResponse, ErrorData> {
        let arguments = request.arguments.unwrap_or_default();
        let argument = |name: &str| {
            arguments
                .get(name)
                .map_or(String::new(), |value| match value.as_str() {
                    Some(text) => text.to_owned(),
                    None => value.to_string(),
                })
        };
        let say = |content| PromptMessage::new(Role::User, content);
        let messages = match request.name.as_str() {
            "test_simple_prompt" => vec![say(ContentBlock::text(
                "This is a simple prompt for testing.",
            ))],
            "test_prompt_with_arguments" => {
                let text = format!(
                    "Prompt with arguments: arg1='{}', arg2='{}'",
                    argument("arg1"),
                    argument("arg2")
                );
                vec![say(ContentBlock::text(text))]
            }
            "test_prompt_with_embedded_resource" => vec![
                say(ContentBlock::embedded_text(
                    argument("resourceUri"),
                    "Embedded resource content for testing.",
                )),
                say(ContentBlock::text(
                    "Please process the embedded resource above.",
                )),
            ],
            "test_prompt_with_image" => vec![
                say(ContentBlock::image(PNG, "image/png")),
                say(ContentBlock::text("Please analyze the image above.")),
            ],
            other => {
                return Err(ErrorData::invalid_params(
                    format!("unknown prompt: {other}"),
                    None,
                ));
            }
        };
        Ok(GetPromptResult::new(messages).into())
    }

    async fn complete(
        &self,
        _: CompleteRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<CompleteResult, ErrorData> {
        let values = CompletionInfo::new(vec!["paris".to_owned(), "park".to_owned()]);
        let values = values.map_err(|error| ErrorData::internal_error(error, None))?;
        Ok(CompleteResult::new(values))
    }
}
