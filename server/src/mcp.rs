//! The MCP server: rmcp's transport and handler around the tools.

use std::sync::Arc;

use axum::http::request::Parts;
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, Implementation, ListToolsResult,
    PaginatedRequestParams, ServerCapabilities, ServerConfig, Tool as ToolDefinition,
};
use rmcp::service::RequestContext;
use rmcp::transport::streamable_http_server::session::never::NeverSessionManager;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};
use rmcp::{ErrorData, RoleServer, ServerHandler};

use crate::auth::{Caller, Validator};
use crate::build_info::SERVER_NAME;
use crate::config::Config;
use crate::http::RequestRecord;
use crate::registry::RegistryClient;
use crate::tools::{Stack, ToolContext, Tools};

const INSTRUCTIONS: &str = "Tools for one Quilt data stack, used with your own rights. \
A package is a versioned, named set of files (`namespace/name`) in an S3 bucket. \
Start with bucket_list or search_packages; package_info describes one package and its files; \
catalog_url makes links for people.";

/// Streamable HTTP without sessions: any task can answer any request.
pub fn service(
    config: &Config,
    registry: RegistryClient,
    validator: Validator,
) -> StreamableHttpService<QuiltMcpServer, NeverSessionManager> {
    let server = QuiltMcpServer::new(config, registry, validator);
    let origins = config
        .allowed_origins
        .iter()
        .map(|origin| origin.with_port());
    let hosts = config.allowed_hosts.iter().map(ToString::to_string);
    let transport = StreamableHttpServerConfig::default()
        .with_legacy_session_mode(false)
        .with_allowed_hosts(hosts)
        .with_allowed_origins(origins)
        .enforce_origin_validation();
    StreamableHttpService::new(
        move || Ok(server.clone()),
        Arc::new(NeverSessionManager::default()),
        transport,
    )
}

/// Answers MCP requests. Clones share everything.
#[derive(Clone)]
pub struct QuiltMcpServer {
    tools: Arc<Tools>,
    stack: Arc<Stack>,
    info: Arc<ServerConfig>,
}

impl QuiltMcpServer {
    fn new(config: &Config, registry: RegistryClient, validator: Validator) -> Self {
        let implementation = Implementation::new(SERVER_NAME, config.build.to_string())
            .with_title("Quilt")
            .with_website_url(config.catalog.to_string());
        let info = ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
            .with_server_info(implementation)
            .with_instructions(INSTRUCTIONS);
        Self {
            tools: Arc::new(Tools::all()),
            stack: Arc::new(Stack {
                catalog: config.catalog.clone(),
                registry_url: config.registry.clone(),
                registry,
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
        Ok(ListToolsResult::with_all_items(self.tools.definitions()))
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
