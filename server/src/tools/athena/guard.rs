//! Lets pass only SQL that reads.
//!
//! The caller's role is what protects the data; this guard keeps a model from
//! changing it by mistake or by somebody else's words. It reads a statement as
//! Athena's two lexers do (Trino's for queries, Hive's for DDL, which differ in
//! whether a backslash escapes a quote), and refuses what either of them could
//! take for more than one statement that reads.

/// The first words of statements that read
/// (<https://docs.aws.amazon.com/athena/latest/ug/ddl-sql-reference.html>).
const READING: [&str; 7] = [
    "SELECT", "WITH", "VALUES", "TABLE", "SHOW", "DESCRIBE", "DESC",
];
/// Those that may follow `EXPLAIN`.
const EXPLAINED: [&str; 4] = ["SELECT", "WITH", "VALUES", "TABLE"];
/// Words that have no place in a statement that reads, unless they are quoted.
const CHANGING: [&str; 20] = [
    "INSERT",
    "UPDATE",
    "DELETE",
    "MERGE",
    "CREATE",
    "DROP",
    "ALTER",
    "UNLOAD",
    "GRANT",
    "REVOKE",
    "TRUNCATE",
    "MSCK",
    "VACUUM",
    "OPTIMIZE",
    "PREPARE",
    "EXECUTE",
    "DEALLOCATE",
    "INTO",
    "LAMBDA",
    "OVERWRITE",
];

/// Checks that `sql` is one statement, and that it only reads.
///
/// # Errors
/// With a sentence for the model that wrote it.
pub(super) fn check(sql: &str) -> Result<(), String> {
    // Whether it ends a line comment is a matter of the lexer.
    if sql.replace("\r\n", "\n").contains('\r') {
        return Err("a carriage return stands without a line feed".to_owned());
    }
    for escapes in [Escapes::Doubling, Escapes::Backslash] {
        check_tokens(&tokens(sql, escapes)?)?;
    }
    Ok(())
}

/// How a quote is written inside quotes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Escapes {
    /// `''`, as in Trino.
    Doubling,
    /// `\'` as well, as in Hive.
    Backslash,
}

#[derive(Debug, PartialEq, Eq)]
enum Token {
    /// A bare word, in upper case.
    Word(String),
    /// A text or identifier in quotes, without them.
    Quoted(String),
    /// Anything else that is not white space or a comment.
    Sign(char),
}

fn check_tokens(tokens: &[Token]) -> Result<(), String> {
    let tokens = match tokens {
        [rest @ .., Token::Sign(';')] => rest,
        all => all,
    };
    if tokens.contains(&Token::Sign(';')) {
        return Err("send one statement at a time, without a ; inside".to_owned());
    }
    let head: Vec<_> = tokens.iter().take(2).map(Token::word).collect();
    let mut words = tokens.iter().filter_map(Token::word);
    match head[..] {
        [Some("SHOW"), Some("CREATE")] => words = tokens[2..].iter().filter_map(Token::word),
        [Some("EXPLAIN"), ..] => check_head(after_explain(&tokens[1..]), &EXPLAINED)?,
        _ => check_head(tokens, &READING)?,
    }
    if let Some(word) = words.find(|word| CHANGING.contains(word)) {
        return Err(format!(
            "{word} is not for reading; if it is the name of a column or table, put it in double quotes"
        ));
    }
    if runs_foreign_text(tokens) {
        return Err("system.query runs a text that cannot be checked".to_owned());
    }
    Ok(())
}

/// The first word, behind the parentheses that may surround a query, must be a known one.
fn check_head(tokens: &[Token], known: &[&str]) -> Result<(), String> {
    let mut rest = tokens
        .iter()
        .skip_while(|token| **token == Token::Sign('('));
    match rest.next().and_then(Token::word) {
        Some(word) if known.contains(&word) => Ok(()),
        _ => Err(format!(
            "a statement here begins with one of {}",
            known.join(", ")
        )),
    }
}

/// `EXPLAIN [ANALYZE] [VERBOSE] [(option, …)] statement`
fn after_explain(mut tokens: &[Token]) -> &[Token] {
    while let Some(Some("ANALYZE" | "VERBOSE")) = tokens.first().map(Token::word) {
        tokens = &tokens[1..];
    }
    let option = tokens.get(1).and_then(Token::word);
    if tokens.first() == Some(&Token::Sign('(')) && matches!(option, Some("FORMAT" | "TYPE")) {
        let end = tokens.iter().position(|token| *token == Token::Sign(')'));
        return end.map_or(&[], |end| &tokens[end + 1..]);
    }
    tokens
}

/// The table function `system.query` of federated catalogs passes its argument
/// on as it is, whatever it does.
fn runs_foreign_text(tokens: &[Token]) -> bool {
    let named = |token: &Token, name: &str| match token {
        Token::Word(word) | Token::Quoted(word) => word.eq_ignore_ascii_case(name),
        Token::Sign(_) => false,
    };
    tokens.windows(3).any(|three| {
        named(&three[0], "system") && three[1] == Token::Sign('.') && named(&three[2], "query")
    })
}

impl Token {
    fn word(&self) -> Option<&str> {
        match self {
            Self::Word(word) => Some(word),
            Self::Quoted(_) | Self::Sign(_) => None,
        }
    }
}

fn tokens(sql: &str, escapes: Escapes) -> Result<Vec<Token>, String> {
    let mut tokens = Vec::new();
    let mut rest = sql;
    while let Some(first) = rest.chars().next() {
        let after = &rest[first.len_utf8()..];
        rest = match first {
            ' ' | '\t' | '\r' | '\n' => after,
            '-' if after.starts_with('-') => after.split_once('\n').map_or("", |(_, next)| next),
            '/' if after.starts_with('*') => match after[1..].split_once("*/") {
                Some((_, next)) => next,
                None => return Err("a comment has no end".to_owned()),
            },
            '\'' | '"' | '`' => {
                let (text, next) = quoted(after, first, escapes)?;
                tokens.push(Token::Quoted(text));
                next
            }
            _ if is_word(first) => {
                let end = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
                tokens.push(Token::Word(rest[..end].to_ascii_uppercase()));
                &rest[end..]
            }
            _ if first.is_ascii_graphic() => {
                tokens.push(Token::Sign(first));
                after
            }
            _ => {
                return Err(format!(
                    "{first:?} stands outside quotes, where SQL has plain ASCII only"
                ));
            }
        };
    }
    Ok(tokens)
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

/// What is inside the quotes, and what follows them.
fn quoted(text: &str, quote: char, escapes: Escapes) -> Result<(String, &str), String> {
    let mut inside = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '\\' if escapes == Escapes::Backslash => {
                inside.extend(chars.next().map(|(_, escaped)| escaped));
            }
            _ if c == quote && text[at + 1..].starts_with(quote) => {
                inside.push(quote);
                chars.next();
            }
            _ if c == quote => return Ok((inside, &text[at + 1..])),
            '\0' => return Err("a text holds a NUL".to_owned()),
            _ => inside.push(c),
        }
    }
    Err(format!("a {quote} is not closed"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_reads_passes() {
        for sql in [
            "SELECT 1",
            "select * from t;",
            "  -- why\n/* and how */ SELECT a, 'it''s; -- no comment' FROM \"drop\" ;  ",
            "WITH a AS (SELECT 1), b AS (SELECT 2) SELECT * FROM a, b",
            "(SELECT 1) UNION ALL (SELECT 2)",
            "SELECT start, \"end\", replace(x, 'DELETE', '') FROM genes WHERE note = 'DROP TABLE x'",
            "SHOW TABLES IN db",
            "SHOW CREATE TABLE db.t",
            "DESCRIBE db.t",
            "EXPLAIN SELECT 1",
            "EXPLAIN ANALYZE VERBOSE SELECT 1",
            "EXPLAIN (FORMAT JSON, TYPE LOGICAL) WITH a AS (SELECT 1) SELECT * FROM a",
            "VALUES 1, 2",
            "TABLE t",
            "SELECT created, updated_at, inserted FROM t WHERE x <> 1 AND y -> 2 > 3 LIMIT 5",
            "SELECT * FROM \"bucket\".\"genes$partitions\"",
            "SELECT 'Grüße', '日本'",
            "SELECT 1 -- why\r\nFROM t",
        ] {
            assert_eq!(check(sql), Ok(()), "{sql}");
        }
    }

    /// Each of these would change something, or could, in one reading or another.
    const ATTACKS: &[&str] = &[
        "",
        ";",
        "DROP TABLE t",
        "dRoP\ttable t",
        "/**/DROP TABLE t",
        "-- SELECT 1\nDROP TABLE t",
        "/* SELECT */ DELETE FROM t",
        "/* /* */ DROP TABLE t -- */",
        "SELECT 1; DROP TABLE t",
        "SELECT 1;; ",
        "SELECT 1 /* ; */ ; DROP TABLE t",
        "SELECT ';' ; DROP TABLE t",
        "SELECT '\\' ; DROP TABLE t -- '",
        "SELECT '\\'; DROP TABLE t; SELECT '\\''",
        "SELECT \"\\\" ; DROP TABLE t -- \"",
        "SELECT '' ; DROP TABLE t -- '",
        "SELECT '''; DROP TABLE t -- ",
        "SELECT 'open",
        "SELECT \"open",
        "SELECT `open",
        "SELECT 1 /* open",
        "WITH a AS (SELECT 1) INSERT INTO t SELECT * FROM a",
        "WITH a AS (SELECT 1) DELETE FROM t",
        "WITH a AS (DELETE FROM t RETURNING *) SELECT * FROM a",
        "UNLOAD (SELECT 1) TO 's3://evil/' WITH (format = 'JSON')",
        "(UNLOAD (SELECT 1) TO 's3://evil/')",
        "CREATE TABLE t AS SELECT 1",
        "CREATE OR REPLACE VIEW v AS SELECT 1",
        "INSERT INTO t VALUES (1)",
        "INSERT OVERWRITE t SELECT 1",
        "UPDATE t SET a = 1",
        "MERGE INTO t USING s ON true WHEN MATCHED THEN DELETE",
        "ALTER TABLE t ADD COLUMNS (a int)",
        "MSCK REPAIR TABLE t",
        "VACUUM t",
        "OPTIMIZE t REWRITE DATA USING BIN_PACK",
        "TRUNCATE TABLE t",
        "GRANT SELECT ON t TO u",
        "PREPARE p FROM DELETE FROM t",
        "EXECUTE p",
        "DEALLOCATE PREPARE p",
        "CALL system.sync()",
        "SET ROLE admin",
        "USE db",
        "START TRANSACTION",
        "LOAD DATA INPATH 's3://x' INTO TABLE t",
        "FROM t INSERT OVERWRITE TABLE u SELECT *",
        "EXPLAIN INSERT INTO t SELECT 1",
        "EXPLAIN ANALYZE INSERT INTO t SELECT 1",
        "EXPLAIN ANALYZE DELETE FROM t",
        "EXPLAIN (FORMAT JSON) DROP TABLE t",
        "EXPLAIN (DROP TABLE t)",
        "EXPLAIN",
        "SHOW CREATE TABLE t; DROP TABLE t",
        "SHOW CREATE TABLE t DROP TABLE t",
        "SHOW TABLES; DROP TABLE t",
        "USING EXTERNAL FUNCTION f(x INT) RETURNS INT LAMBDA 'arn' SELECT f(1)",
        "SELECT * FROM TABLE(pg.system.query(query => 'DELETE FROM t'))",
        "SELECT * FROM TABLE(pg.\"SYSTEM\".\"Query\"(query => 'DELETE FROM t'))",
        "SELECT * FROM TABLE(pg.system/**/./**/query(query => 'x'))",
        "\u{feff}SELECT 1",
        "SELECT\u{a0}1",
        "SELECT 1\u{37e} DROP TABLE t",
        "SELECT 1\u{ff1b}",
        "ＤＲＯＰ TABLE t",
        "SELECT 1\0; DROP TABLE t",
        "SELECT 1\u{2028}DROP TABLE t",
        "-- x\rDROP TABLE t -- \nSELECT 1",
        "-- x\rSELECT '\nDROP TABLE t -- '",
        "SELECT '\\' FROM t WHERE a = '\\'",
    ];

    #[test]
    fn what_could_change_something_does_not_pass() {
        for sql in ATTACKS {
            assert!(check(sql).is_err(), "{sql}");
        }
    }

    #[test]
    fn a_line_comment_ends_with_its_line() {
        assert_eq!(check("SELECT 1 -- DROP TABLE t"), Ok(()));
        assert!(check("SELECT 1 -- x\nDROP TABLE t").is_err());
    }

    proptest! {
        #[test]
        fn any_text_is_judged_without_a_panic(sql in "\\PC{0,200}|[;'\"`\\\\/*\\- a-zA-Z\\n]{0,80}") {
            let _ = check(&sql);
        }

        #[test]
        fn no_disguise_lets_a_write_pass(
            noise in prop::sample::select(vec!["", " ", "\t", "\n", "/**/", "/*'*/", "-- '\n", "-- \"\n", "(", "/*;*/"]),
            verb in prop::sample::select(CHANGING.to_vec()),
            upper in any::<bool>(),
            prefix in prop::sample::select(vec!["", "SELECT 1;", "WITH a AS (SELECT 1) ", "EXPLAIN ", "EXPLAIN ANALYZE ", "SELECT '\\';", "SELECT 'a''b';", "SELECT 1 UNION "]),
        ) {
            let verb = if upper { verb.to_owned() } else { verb.to_lowercase() };
            let sql = format!("{prefix}{noise}{verb} TABLE t");
            prop_assert!(check(&sql).is_err(), "{}", sql);
        }

        #[test]
        fn quoting_makes_any_text_data(text in "\\PC{0,60}") {
            let literal = text.replace('\'', "''").replace('\\', "/");
            let sql = format!("SELECT '{literal}' AS a");
            prop_assert_eq!(check(&sql), Ok(()));
        }
    }
}
