//! The MCP server: rmcp's handler around the tools.

use std::sync::Arc;

use axum::http::request::Parts;
use rmcp::model::{
    CacheScope, CallToolRequestParams, CallToolResponse, CustomRequest, CustomResult, ErrorCode,
    Implementation, ListResourcesResult, ListToolsResult, PaginatedRequestParams,
    ReadResourceRequestParams, ReadResourceResponse, ReadResourceResult, ResourceContents,
    ServerCapabilities, ServerConfig, Tool as ToolDefinition,
};
use rmcp::service::RequestContext;
use rmcp::{ErrorData, RoleServer, ServerHandler};

use crate::auth::{Caller, Validator};
use crate::aws::{Athena, AwsClient, S3};
use crate::build_info::SERVER_NAME;
use crate::config::Config;
use crate::http::RequestRecord;
use crate::registry::RegistryClient;
use crate::resources::{self, Resource};
use crate::tools::{Stack, ToolContext, Tools};

/// How long a client may keep the lists, which change only with a release.
const LIST_TTL_MS: u64 = 5 * 60 * 1000;
/// How long a client may keep a resource, which is the caller's own.
const RESOURCE_TTL_MS: u64 = 60 * 1000;

const INSTRUCTIONS: &str = "Tools for one Quilt data stack, used with your own rights. \
A package is a versioned, named set of files (`namespace/name`) in an S3 bucket. \
Start with bucket_list or search_packages; package_info describes one package and its files; \
package_browse walks through its files and object_read shows one. \
catalog_url makes links for people. Read quilt-platform://search_syntax before searching with \
more than words, and quilt-platform://athena before athena_query.";

/// Answers MCP requests. Clones share everything.
#[derive(Clone)]
pub struct QuiltMcpServer {
    tools: Arc<Tools>,
    stack: Arc<Stack>,
    info: Arc<ServerConfig>,
}

impl QuiltMcpServer {
    /// A server of the configured stack.
    pub fn new(
        config: &Config,
        registry: RegistryClient,
        aws: AwsClient,
        validator: Validator,
    ) -> Self {
        let implementation = Implementation::new(SERVER_NAME, config.build.to_string())
            .with_title("Quilt")
            .with_website_url(config.catalog.to_string());
        let info = ServerConfig::new(
            ServerCapabilities::builder()
                .enable_tools()
                .enable_resources()
                .build(),
        )
        .with_server_info(implementation)
        .with_instructions(INSTRUCTIONS);
        Self {
            tools: Arc::new(Tools::all()),
            stack: Arc::new(Stack {
                catalog: config.catalog.clone(),
                registry_url: config.registry.clone(),
                registry,
                s3: S3::new(aws.clone()),
                athena: Athena::new(aws),
                work_group: config.athena_work_group.clone(),
                validator,
            }),
            info: Arc::new(info),
        }
    }

    fn context(&self, request: &RequestContext<RoleServer>) -> Result<ToolContext, ErrorData> {
        let extensions = request
            .extensions
            .get::<Parts>()
            .map(|parts| &parts.extensions);
        let caller = extensions.and_then(|extensions| extensions.get::<Caller>());
        let record = extensions.and_then(|extensions| extensions.get::<RequestRecord>());
        let (Some(caller), Some(record)) = (caller, record) else {
            return Err(ErrorData::internal_error("the request has no caller", None));
        };
        Ok(ToolContext {
            stack: Arc::clone(&self.stack),
            caller: caller.clone(),
            record: record.clone(),
        })
    }
}

impl ServerHandler for QuiltMcpServer {
    fn get_info(&self) -> ServerConfig {
        (*self.info).clone()
    }

    fn get_tool(&self, name: &str) -> Option<ToolDefinition> {
        self.tools.definition(name).cloned()
    }

    async fn list_tools(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        let tools = ListToolsResult::with_all_items(self.tools.definitions());
        Ok(tools
            .with_ttl_ms(LIST_TTL_MS)
            .with_cache_scope(CacheScope::Public))
    }

    async fn list_resources(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListResourcesResult, ErrorData> {
        let resources = ListResourcesResult::with_all_items(resources::definitions());
        Ok(resources
            .with_ttl_ms(LIST_TTL_MS)
            .with_cache_scope(CacheScope::Public))
    }

    async fn read_resource(
        &self,
        request: ReadResourceRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<ReadResourceResponse, ErrorData> {
        let tool_context = self.context(&context)?;
        let Some(resource) = Resource::named(&request.uri) else {
            return Err(ErrorData::resource_not_found(resources::UNKNOWN, None));
        };
        let reading = tokio::time::timeout(resources::DEADLINE, resource.read(&tool_context));
        tokio::select! {
            read = reading => match read {
                Ok(Ok(text)) => {
                    let contents = ResourceContents::text(text, request.uri)
                        .with_mime_type(resource.mime_type());
                    let result = ReadResourceResult::new(vec![contents])
                        .with_ttl_ms(RESOURCE_TTL_MS)
                        .with_cache_scope(CacheScope::Private);
                    Ok(result.into())
                }
                Ok(Err(error)) => {
                    Err(ErrorData::internal_error(error.to_string(), Some(error.to_json())))
                }
                Err(_) => Err(ErrorData::internal_error("no answer in time", None)),
            },
            () = context.ct.cancelled() => {
                Err(ErrorData::internal_error("the request was cancelled", None))
            }
        }
    }

    async fn on_custom_request(
        &self,
        request: CustomRequest,
        _: RequestContext<RoleServer>,
    ) -> Result<CustomResult, ErrorData> {
        let message = format!("this server has no method {}", request.method);
        Err(ErrorData::new(ErrorCode::METHOD_NOT_FOUND, message, None))
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let tool_context = self.context(&context)?;
        let arguments = request.arguments.unwrap_or_default();
        let call = self
            .tools
            .call(&request.name, tool_context, arguments)
            .ok_or_else(|| {
                ErrorData::invalid_params(format!("unknown tool: {}", request.name), None)
            })?;
        tokio::select! {
            result = call => Ok(result.into()),
            () = context.ct.cancelled() => {
                Err(ErrorData::internal_error("the request was cancelled", None))
            }
        }
    }
}
