//! The variables that the server reads: one list, for the warning about others and for the
//! reference.

/// A variable of the server.
#[derive(Clone, Copy, Debug)]
pub struct Variable {
    /// Its name.
    pub name: &'static str,
    /// What holds where it is not set, in Markdown; `required` where it must be set, empty where
    /// nothing takes its place.
    pub default: &'static str,
    /// What it is for, in Markdown.
    pub meaning: &'static str,
}

const fn variable(name: &'static str, default: &'static str, meaning: &'static str) -> Variable {
    Variable {
        name,
        default,
        meaning,
    }
}

/// Every variable, in the order of the reference.
pub const VARIABLES: [Variable; 23] = [
    variable(
        "QUILT_CATALOG_URL",
        "required",
        "the stack's catalog, for links",
    ),
    variable(
        "QUILT_REGISTRY_URL",
        "required",
        "the stack's registry: who callers are, and all data",
    ),
    variable(
        "AWS_REGION",
        "`us-east-1`",
        "the stack's region, for S3 and Athena; ECS sets it",
    ),
    variable("MCP_LISTEN", "`0.0.0.0:8000`", "IP address and port"),
    variable(
        "MCP_METRICS_LISTEN",
        "off",
        "IP address and port of `/metrics`",
    ),
    variable(
        "MCP_ALLOWED_ORIGINS",
        "the catalog's origin",
        "browser origins that may call, comma separated; set but empty: none",
    ),
    variable(
        "MCP_ALLOWED_HOSTS",
        "any",
        "`Host` values that are accepted, comma separated; without a port, any port",
    ),
    variable(
        "MCP_MAX_IN_FLIGHT",
        "`256`",
        "requests served at a time; then 503",
    ),
    variable(
        "MCP_MAX_IN_FLIGHT_PER_TOKEN",
        "`16`",
        "of them with the same token; then 429",
    ),
    variable(
        "MCP_PUBLIC_URL",
        "",
        "the MCP endpoint as clients know it, such as `https://mcp.example.com/mcp`",
    ),
    variable(
        "MCP_AUTHORIZATION_SERVERS",
        "",
        "who issues tokens, comma separated; publishes metadata (RFC 9728); needs `MCP_PUBLIC_URL`",
    ),
    variable(
        "MCP_SCOPES",
        "",
        "scopes that a client should ask for, comma separated",
    ),
    variable(
        "MCP_AUDIENCES",
        "`<registry>/mcp/platform` and `MCP_PUBLIC_URL`",
        "values of `aud` that a token which has one may have, comma separated",
    ),
    variable(
        "MCP_ATHENA_WORKGROUP",
        "found",
        "the work group for queries; else one whose name has \"quilt\" in it, else `primary`",
    ),
    variable("MCP_LOG", "`info,rmcp=warn`", "a `tracing` filter"),
    variable(
        "MCP_DRAIN_GRACE_SECONDS",
        "`2`",
        "after SIGTERM: `/healthz` is 503, calls are still accepted",
    ),
    variable(
        "MCP_DRAIN_TIMEOUT_SECONDS",
        "`25`",
        "then: the listener is closed, calls in flight may finish",
    ),
    variable(
        "MCP_BUILD_COMMIT",
        "",
        "the commit that the image was built from; the image sets it",
    ),
    variable(
        "AWS_ENDPOINT_URL",
        "AWS's own",
        "another endpoint for S3 and Athena, for rehearsals",
    ),
    variable(
        "SSL_CERT_FILE",
        "the platform's",
        "certification authorities; where there are none, Mozilla's list in the binary",
    ),
    variable(
        "SSL_CERT_DIR",
        "the platform's",
        "certification authorities; where there are none, Mozilla's list in the binary",
    ),
    variable(
        "HTTPS_PROXY",
        "",
        "as usual, for the way to the registry and AWS",
    ),
    variable(
        "NO_PROXY",
        "",
        "as usual, for the way to the registry and AWS",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    /// What other libraries read by themselves.
    const OF_LIBRARIES: [&str; 4] = ["SSL_CERT_FILE", "SSL_CERT_DIR", "HTTPS_PROXY", "NO_PROXY"];

    #[test]
    fn the_defaults_are_those_of_the_code() {
        use super::super::{
            DEFAULT_DRAIN_GRACE, DEFAULT_DRAIN_TIMEOUT, DEFAULT_IN_FLIGHT, DEFAULT_LISTEN,
            DEFAULT_LOG, DEFAULT_PER_TOKEN,
        };
        for (name, value) in [
            ("MCP_LISTEN", DEFAULT_LISTEN.to_string()),
            ("MCP_MAX_IN_FLIGHT", DEFAULT_IN_FLIGHT.to_string()),
            ("MCP_MAX_IN_FLIGHT_PER_TOKEN", DEFAULT_PER_TOKEN.to_string()),
            ("MCP_LOG", DEFAULT_LOG.to_owned()),
            ("MCP_DRAIN_GRACE_SECONDS", DEFAULT_DRAIN_GRACE.to_string()),
            (
                "MCP_DRAIN_TIMEOUT_SECONDS",
                DEFAULT_DRAIN_TIMEOUT.to_string(),
            ),
        ] {
            let listed = VARIABLES.iter().find(|variable| variable.name == name);
            assert_eq!(listed.unwrap().default, format!("`{value}`"), "{name}");
        }
    }

    #[test]
    fn the_list_is_what_is_read() {
        let source = include_str!("mod.rs");
        let mut read: Vec<&str> = ["required(\"", "optional(\"", "list(\""]
            .iter()
            .flat_map(|call| source.split(call).skip(1))
            .map(|rest| rest.split('"').next().unwrap())
            .collect();
        read.extend(OF_LIBRARIES);
        read.sort_unstable();
        read.dedup();
        let mut listed: Vec<&str> = VARIABLES.iter().map(|variable| variable.name).collect();
        listed.sort_unstable();
        assert_eq!(listed, read);
    }
}
