//! The documents are true: the guides' commands do what the guides show, workflows run the very
//! same commands, and every link leads somewhere.

#[path = "docs/clients.rs"]
mod clients;
#[path = "docs/commands.rs"]
mod commands;
#[path = "docs/console.rs"]
mod console;
#[path = "docs/guides.rs"]
mod guides;
#[path = "docs/links.rs"]
mod links;
#[path = "docs/markdown.rs"]
mod markdown;
#[path = "docs/place.rs"]
mod place;
#[path = "docs/scripts.rs"]
mod scripts;
#[path = "docs/snippets.rs"]
mod snippets;
#[path = "docs/workflows.rs"]
mod workflows;

mod support;
