//! The text of a query: where its one statement begins and ends, and whether it only reads.
//!
//! Knows as much SQL as that needs: comments, quotes and semicolons. Whether the statement is right, and whether it reads
//! in the end, the database says.

/// In what the SQL of databases differs here.
#[derive(Clone, Copy, Debug)]
pub(in crate::checks) struct Dialect {
    /// Whether comments nest, and texts are also written `$$text$$` and `E'it\'s'`; else names are also written `[name]`
    /// and `` `name` ``.
    pub(in crate::checks) postgres: bool,
    /// The words that a statement which only reads may begin with.
    pub(in crate::checks) reads: &'static [&'static str],
}

/// Words at the beginning of a statement that writes, or that changes the session for whoever has it next.
const WRITES: [&str; 27] = [
    "alter", "analyze", "attach", "begin", "call", "commit", "copy", "create", "delete", "detach", "do",
    "drop", "grant", "insert", "lock", "merge", "pragma", "refresh", "reindex", "replace", "reset", "revoke",
    "rollback", "set", "truncate", "update", "vacuum",
];

/// Functions of PostgreSQL that take a lock for the session rather than the transaction.
const LOCKS: [&str; 4] =
    ["pg_advisory_lock", "pg_advisory_lock_shared", "pg_try_advisory_lock", "pg_try_advisory_lock_shared"];

/// The statement in `query`, without what stands around it: blanks, comments and semicolons.
///
/// # Errors
/// What has to be changed, where there is none, a second one, or one that does not only read.
pub(in crate::checks) fn statement(query: &str, dialect: Dialect) -> Result<&str, String> {
    let (mut start, mut end, mut ended, mut at) = (None, 0, false, 0);
    let mut locks = None;
    while let Some(rest) = query.get(at..).filter(|rest| !rest.is_empty()) {
        let (piece, length) = dialect.piece(rest);
        locks = locks.or_else(|| dialect.lasting_lock(rest.get(..length).unwrap_or_default()));
        match piece {
            Piece::Gap => {}
            Piece::End => ended = start.is_some(),
            Piece::Solid if ended => return Err("must be one statement".to_owned()),
            Piece::Solid => {
                start.get_or_insert(at);
                end = at + length;
            }
        }
        at += length;
    }
    let statement = start.and_then(|start| query.get(start..end)).ok_or("is empty")?;
    if let Some(lock) = locks {
        return Err(format!("is not read-only: `{lock}` takes a lock that outlives the query"));
    }
    let first = statement.split(|c: char| !c.is_ascii_alphabetic()).next().unwrap_or_default();
    let first = first.to_ascii_lowercase();
    let reads = dialect.reads.contains(&first.as_str()) || (first.is_empty() && dialect.postgres);
    if reads || (first == "pragma" && !dialect.postgres && is_reading_pragma(statement)) {
        Ok(statement)
    } else if WRITES.contains(&first.as_str()) {
        Err(format!("is not read-only: it begins with `{first}`"))
    } else {
        Err(format!("must begin with {}", dialect.reads.join(", ")))
    }
}

/// Whether a `pragma` of SQLite only reads: one of those that are known to, without a value for it.
fn is_reading_pragma(statement: &str) -> bool {
    const READ: [&str; 16] = [
        "application_id",
        "data_version",
        "encoding",
        "foreign_key_check",
        "freelist_count",
        "index_list",
        "integrity_check",
        "journal_mode",
        "max_page_count",
        "page_count",
        "page_size",
        "quick_check",
        "schema_version",
        "table_info",
        "table_list",
        "user_version",
    ];
    let (_, what) = statement.split_at_checked("pragma".len()).unwrap_or_default();
    let (name, value) = match what.split_once('(') {
        Some((name, value)) => (name, Some(value)),
        None => (what, None),
    };
    let name = name.trim().to_ascii_lowercase();
    let name = name.rsplit_once('.').map_or(name.as_str(), |(_, name)| name);
    // What takes an argument to look at something, and not a value to set.
    let looks = ["_check", "_info", "_list"].iter().any(|ending| name.ends_with(ending));
    READ.contains(&name) && (value.is_none() || looks)
}

enum Piece {
    /// Blank or comment.
    Gap,
    /// A semicolon.
    End,
    /// Anything else.
    Solid,
}

impl Dialect {
    /// What `text`, which is not empty, begins with, and how long that is.
    fn piece(self, text: &str) -> (Piece, usize) {
        let mut characters = text.chars();
        let (first, second) = (characters.next().unwrap_or_default(), characters.next().unwrap_or_default());
        match (first, second) {
            (';', _) => (Piece::End, 1),
            ('-', '-') => (Piece::Gap, text.find('\n').unwrap_or(text.len())),
            ('/', '*') => (Piece::Gap, self.comment(text)),
            ('\'' | '"', _) => (Piece::Solid, until(text, 1, first)),
            ('`', _) if !self.postgres => (Piece::Solid, until(text, 1, '`')),
            ('[', _) if !self.postgres => (Piece::Solid, until(text, 1, ']')),
            ('e' | 'E', '\'') if self.postgres => (Piece::Solid, escaped(text)),
            ('$', _) if self.postgres => (Piece::Solid, dollar_quoted(text)),
            (first, _) if first.is_whitespace() => (Piece::Gap, first.len_utf8()),
            (first, _) if is_of_word(first) => {
                (Piece::Solid, text.find(|c| !is_of_word(c) && c != '$').unwrap_or(text.len()))
            }
            (first, _) => (Piece::Solid, first.len_utf8()),
        }
    }

    /// Whether `piece` is the name of a function that takes what the end of a transaction does not give back: a pooler
    /// would hand it to the next client.
    fn lasting_lock(self, piece: &str) -> Option<&'static str> {
        let name = piece.trim_matches('"');
        LOCKS.into_iter().find(|lock| self.postgres && lock.eq_ignore_ascii_case(name))
    }

    fn comment(self, text: &str) -> usize {
        let (mut depth, mut at) = (0_usize, 0);
        while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
            if rest.starts_with("/*") && (depth == 0 || self.postgres) {
                depth += 1;
                at += 2;
            } else if rest.starts_with("*/") {
                depth -= 1;
                at += 2;
                if depth == 0 {
                    return at;
                }
            } else {
                at += rest.chars().next().map_or(1, char::len_utf8);
            }
        }
        text.len()
    }
}

fn is_of_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// How long `text` is up to the first `quote` behind the first `from` bytes, with it.
fn until(text: &str, from: usize, quote: char) -> usize {
    let found = text.get(from..).and_then(|rest| rest.find(quote));
    found.map_or(text.len(), |at| from + at + quote.len_utf8())
}

/// The same for a text in which a backslash takes the meaning of what follows it away.
fn escaped(text: &str) -> usize {
    let mut characters = text.char_indices().skip(2);
    while let Some((at, c)) = characters.next() {
        match c {
            '\\' => drop(characters.next()),
            '\'' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// The same for `$tag$text$tag$`; a lone dollar is not one.
fn dollar_quoted(text: &str) -> usize {
    let Some(tag) = text.get(1..).and_then(|rest| rest.split_once('$')).map(|(tag, _)| tag) else { return 1 };
    if !tag.chars().all(is_of_word) || tag.starts_with(|c: char| c.is_ascii_digit()) {
        return 1;
    }
    let tag = text.get(..tag.len() + 2).unwrap_or(text);
    let inside = text.get(tag.len()..).unwrap_or_default();
    inside.find(tag).map_or(text.len(), |at| tag.len() + at + tag.len())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const POSTGRES: Dialect = Dialect { postgres: true, reads: &["select", "with", "values", "table"] };
    const SQLITE: Dialect = Dialect { postgres: false, reads: &["select", "with", "values"] };

    fn same(query: &str, dialect: Dialect) {
        assert_eq!(statement(query, dialect), Ok(query));
    }

    #[test]
    fn what_stands_around_a_statement_is_left_out() {
        for dialect in [POSTGRES, SQLITE] {
            for query in [
                "select 1",
                " ;; select 1;",
                "-- a count; of nothing\n select 1; -- all\n;",
                "/* one; */ select 1 /* two */; /* 'three */",
                "select 1 -- no line follows",
            ] {
                assert_eq!(statement(query, dialect), Ok("select 1"), "{query}");
            }
        }
        assert_eq!(statement("/* a /* b */ c */ select 1", POSTGRES), Ok("select 1"));
        assert_eq!(statement("/* a /* b */ select 1 /*", SQLITE), Ok("select 1"));
    }

    #[test]
    fn quoted_semicolons_and_comments_are_no_such_thing() {
        for query in [
            "select ';' as \"a;--b\", 'it''s; /*'",
            "WITH x AS (VALUES (';')) SELECT 1",
            "select 'é;' || 'ü'",
        ] {
            same(query, POSTGRES);
            same(query, SQLITE);
        }
        for query in
            [r"select E'it\';s', e'\\'", "select $$;$$, $a$;$$;$a$, $1, a$b", "(select 1) union (select 2)"]
        {
            same(query, POSTGRES);
        }
        for query in ["select [a;b], `c;d`", "select '\\'"] {
            same(query, SQLITE);
        }
    }

    #[test]
    fn a_second_statement_and_none_are_refused() {
        assert_eq!(
            statement("select 1; delete from orders", POSTGRES),
            Err("must be one statement".to_owned())
        );
        assert_eq!(
            statement("select '\\'; drop table x --'", SQLITE),
            Err("must be one statement".to_owned())
        );
        for empty in ["", " ; ", "-- only this"] {
            assert_eq!(statement(empty, SQLITE), Err("is empty".to_owned()));
        }
    }

    #[test]
    fn what_writes_is_told_from_what_is_wrong() {
        let flaw = |query, dialect| statement(query, dialect).unwrap_err();
        for (query, word) in [
            ("update orders set paid = true", "update"),
            ("/* x */ VACUUM INTO '/etc/cron.d/x'", "vacuum"),
            ("attach 'other.db' as other", "attach"),
            ("set role admin", "set"),
        ] {
            assert_eq!(flaw(query, SQLITE), format!("is not read-only: it begins with `{word}`"));
            assert_eq!(flaw(query, POSTGRES), flaw(query, SQLITE));
        }
        assert_eq!(flaw("selec 1", POSTGRES), "must begin with select, with, values, table");
        assert_eq!(flaw("(select 1)", SQLITE), "must begin with select, with, values");
    }

    #[test]
    fn a_lock_that_outlives_the_query_is_refused() {
        for query in [
            "select pg_advisory_lock(1)",
            "select * from (select pg_catalog.\"pg_try_advisory_lock\"(1)) x",
            "select 1 where PG_ADVISORY_LOCK_SHARED(1, 2) is null",
        ] {
            assert!(statement(query, POSTGRES).unwrap_err().contains("outlives the query"), "{query}");
        }
        for query in [
            "select pg_advisory_xact_lock(1)",
            "select count(*) from pg_stat_activity where query like '%pg_advisory_lock%'",
        ] {
            same(query, POSTGRES);
        }
    }

    #[test]
    fn a_pragma_reads_or_is_refused() {
        for reads in [
            "PRAGMA integrity_check",
            "pragma main.quick_check(1)",
            "pragma page_count;",
            "pragma journal_mode",
            "pragma table_info('orders')",
        ] {
            assert!(statement(reads, SQLITE).is_ok(), "{reads}");
        }
        for writes in [
            "pragma user_version = 7",
            "pragma journal_mode(wal)",
            "pragma wal_checkpoint",
            "pragma optimize",
            "pragma page_count = (1)",
            "pragma",
        ] {
            assert_eq!(
                statement(writes, SQLITE).unwrap_err(),
                "is not read-only: it begins with `pragma`",
                "{writes}"
            );
        }
        assert!(statement("pragma page_count", POSTGRES).is_err());
    }

    proptest! {
        #[test]
        fn any_text_is_read_to_its_end(text in any::<String>(), sql in "[a-z;'\"$/*\\-\n\\\\eE\\[\\]` ]{0,40}") {
            for dialect in [POSTGRES, SQLITE] {
                let _ = statement(&text, dialect);
                if let Ok(found) = statement(&format!("select {sql}"), dialect) {
                    prop_assert!(found.starts_with("select"));
                    prop_assert_eq!(statement(found, dialect), Ok(found));
                }
            }
        }
    }
}
