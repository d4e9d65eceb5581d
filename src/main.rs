//! The `quilt-mcp-deploy` command: parse, run, exit code; nothing else.

use std::process::ExitCode;

fn main() -> ExitCode {
    quilt_mcp_deploy::cli::main()
}
