//! The lines of a page's `sh` blocks that call the program.

use crate::markdown::Page;

const PROGRAM: &str = "quilt-mcp-deploy ";

/// The lines of a script that call the program, also to fill a variable, with what follows a `\`
/// joined on and without comments.
pub fn lines(script: &str) -> Vec<String> {
    let joined = script.replace("\\\n", " ");
    joined
        .lines()
        .map(|line| line.split(" #").next().unwrap().trim())
        .filter(|line| {
            let call = line.split_once("=$(").map_or(*line, |(_, call)| call);
            call.starts_with(PROGRAM)
        })
        .map(str::to_owned)
        .collect()
}

/// The lines of a page's `sh` blocks that call the program.
pub fn lines_of(page: &Page) -> Vec<String> {
    let blocks = page.blocks().into_iter();
    blocks
        .filter(|block| block.language == "sh")
        .flat_map(|block| lines(&block.text))
        .collect()
}

#[test]
fn calls_are_found() {
    let script = "# quilt-mcp-deploy no\ncd x\nquilt-mcp-deploy plan --tag \\\n    y  # why\n\
                  x=$(quilt-mcp-deploy status --output json | jq -r .x)\n";
    assert_eq!(
        lines(script),
        [
            "quilt-mcp-deploy plan --tag      y",
            "x=$(quilt-mcp-deploy status --output json | jq -r .x)"
        ]
    );
}
