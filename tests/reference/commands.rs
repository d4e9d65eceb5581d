//! The commands, from the command line's own description.

use clap::{Arg, Command, CommandFactory};
use quilt_mcp_deploy::cli::Cli;

use crate::page::{Page, code};

pub fn page() -> String {
    let mut program = Cli::command().disable_help_subcommand(true);
    program.build();
    let mut page = Page::new(
        "Commands",
        "As `quilt-mcp-deploy COMMAND --help` has them. `quilt-mcp-deploy man --dir DIR` makes manual \
         pages of the same, `quilt-mcp-deploy completions SHELL` what a shell completes.",
    );
    page.heading(2, "Options of every command");
    let common = program.get_arguments().filter(|one| one.is_global_set());
    options(&mut page, common);
    for command in shown(&program) {
        tell(&mut page, 2, command);
    }
    page.text()
}

fn shown(command: &Command) -> impl Iterator<Item = &Command> {
    command.get_subcommands().filter(|one| !one.is_hide_set())
}

fn tell(page: &mut Page, level: usize, command: &Command) {
    let words = command.get_bin_name().unwrap();
    let title = words.trim_start_matches("quilt-mcp-deploy ");
    page.heading(level, title);
    let about = command.get_long_about().or(command.get_about());
    page.paragraph(&about.map(ToString::to_string).unwrap_or_default());
    let usage = command.clone().render_usage().to_string();
    page.block(usage.trim_start_matches("Usage: "));
    options(
        page,
        command.get_arguments().filter(|one| !one.is_global_set()),
    );
    if let Some(after) = command.get_after_help() {
        let after = after.to_string();
        let (before, examples) = after.split_once("Example").unwrap();
        page.paragraph(before);
        let examples: Vec<&str> = examples
            .lines()
            .skip(1)
            .map(|line| line.strip_prefix("  ").unwrap_or(line))
            .collect();
        page.block(&examples.join("\n"));
    }
    for below in shown(command) {
        tell(page, 3.max(level + 1), below);
    }
}

fn options<'a>(page: &mut Page, arguments: impl Iterator<Item = &'a Arg>) {
    let rows = arguments
        .filter(|one| !one.is_hide_set() && !matches!(one.get_id().as_str(), "help" | "version"))
        .map(|one| [code(&spelled(one)), meaning(one)]);
    page.table(["option", "meaning"], rows.collect());
}

/// `-q, --quiet`, `--env <NAME>`, `<CLIENT>`.
fn spelled(argument: &Arg) -> String {
    let short = argument.get_short().map(|short| format!("-{short}"));
    let long = argument.get_long().map(|long| format!("--{long}"));
    let names: Vec<String> = short.into_iter().chain(long).collect();
    let mut words = Vec::new();
    if !names.is_empty() {
        words.push(names.join(", "));
    }
    if argument.is_positional() || argument.get_action().takes_values() {
        let value = argument
            .get_value_names()
            .and_then(<[_]>::first)
            .map_or(argument.get_id().as_str(), |name| name.as_str());
        let optional = argument
            .get_num_args()
            .is_some_and(|values| values.min_values() == 0);
        words.push(match optional {
            true => format!("[<{value}>]"),
            false => format!("<{value}>"),
        });
    }
    words.join(" ")
}

fn meaning(argument: &Arg) -> String {
    let help = argument.get_long_help().or(argument.get_help());
    let mut meaning = help.map(ToString::to_string).unwrap_or_default();
    let values: Vec<String> = argument
        .get_possible_values()
        .iter()
        .filter(|value| !value.is_hide_set())
        .map(|value| code(value.get_name()))
        .collect();
    if argument.get_action().takes_values() && !values.is_empty() {
        meaning += &format!("; one of {}", values.join(", "));
    }
    if let Some(variable) = argument.get_env() {
        meaning += &format!("; also `{}`", variable.to_string_lossy());
    }
    let defaults = argument.get_default_values().iter();
    let defaults: Vec<String> = defaults
        .map(|value| code(&value.to_string_lossy()))
        .collect();
    if argument.get_action().takes_values() && !defaults.is_empty() {
        meaning += &format!("; {} if absent", defaults.join(", "));
    }
    meaning
}
