use std::fmt::Write;

use crate::tools::{ToolContext, ToolError, work_group};

/// Athena's own catalog: the Glue catalog of the account.
const OWN: &str = "AwsDataCatalog";

/// What `athena_query` reaches as the caller. What the caller's role may not
/// list is said to be so: a reference with a gap is better than none.
pub(super) async fn text(context: &ToolContext) -> Result<String, ToolError> {
    let mut text = String::from(
        "# Athena\n\n\
        `athena_query` runs one statement of Athena's SQL (Trino): SELECT, WITH, VALUES, SHOW, \
        DESCRIBE or EXPLAIN. It is billed by the bytes that it reads: name the columns, filter by \
        partition, use LIMIT. Put names in double quotes when they have other characters than \
        letters, digits and _, or are words of SQL.\n\n\
        Tabulator tables (`tabulator_table_list`) are in a catalog of their own, with a database \
        for each bucket: pass `catalog` and `database`, and name the table in double quotes.\n\n",
    );
    match work_group(context).await {
        Ok(group) => line(&mut text, &format!("Work group: `{group}`")),
        Err(error) => line(&mut text, &format!("Work group: not known ({error})")),
    }
    let athena = &context.stack.athena;
    let token = &context.caller.token;
    let catalogs = match athena.catalogs(token).await {
        Ok(catalogs) => catalogs,
        Err(error) => {
            line(&mut text, &format!("Catalogs: not known ({error})"));
            vec![OWN.to_owned()]
        }
    };
    for catalog in catalogs {
        match athena.databases(token, &catalog).await {
            Ok(databases) if databases.is_empty() => {
                line(&mut text, &format!("Catalog `{catalog}`: no databases"));
            }
            Ok(databases) => {
                let names = databases.join("`, `");
                line(
                    &mut text,
                    &format!("Catalog `{catalog}`: databases `{names}`"),
                );
            }
            Err(error) => line(
                &mut text,
                &format!("Catalog `{catalog}`: not known ({error})"),
            ),
        }
        if text.len() > super::TEXT_LIMIT - 1024 {
            line(
                &mut text,
                "There are more catalogs; SHOW SCHEMAS lists a catalog's databases",
            );
            break;
        }
    }
    text.truncate(text.floor_char_boundary(super::TEXT_LIMIT));
    Ok(text)
}

fn line(text: &mut String, line: &str) {
    writeln!(text, "- {line}").expect("a String takes any text");
}
