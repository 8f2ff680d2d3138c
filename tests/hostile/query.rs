//! Rule: a query reads. Whatever stands in its text, nothing is written, and nothing is left on the session for whoever has
//! it next.

use std::time::Duration;

use serde_json::Value;

use crate::harness::{
    agent::Launch,
    eventually::eventually,
    pgbouncer::PgBouncer,
    postgres::Postgres,
    process::{command, installed, output},
    scratch::Scratch,
    user::User,
};

const SOON: Duration = Duration::from_secs(120);

/// Settings that a query could leave on a session, and what it could hold there.
const SESSION: &str = "select pg_backend_pid(), current_setting('application_name'), current_setting('TimeZone'), \
     current_setting('DateStyle'), current_setting('client_encoding'), current_setting('statement_timeout'), \
     current_setting('lock_timeout'), current_setting('extra_float_digits'), current_setting('search_path'), \
     current_setting('work_mem'), current_setting('transaction_read_only'), \
     current_setting('default_transaction_read_only'), \
     (select count(*) from pg_locks where pid = pg_backend_pid() and locktype = 'advisory'), \
     (select count(*) from pg_prepared_statements), (select count(*) from pg_cursors), \
     (select count(*) from pg_class where relpersistence = 't'), (select count(*) from pg_listening_channels())";

/// Texts that leave a transaction, a subquery or the role of a query, or try to.
const ESCAPES: [&str; 28] = [
    "select 1) as x; commit; insert into notes values ('escaped'); select 1 --",
    "select 1) as x limit 1; commit; insert into notes values ('escaped'); begin; select * from (select 1",
    "select 1; commit; insert into notes values ('escaped')",
    "select 1; rollback; insert into notes values ('escaped')",
    "select 1 -- ; \\n; insert into notes values ('escaped')",
    "select /* */ 1; /* */ insert into notes values ('escaped')",
    "select /* /* */ 1; insert into notes values ('escaped') -- */",
    "select $a$ $b$ $a$; insert into notes values ('escaped') -- $b$",
    "select E'\\\\'; insert into notes values (''escaped'') --'",
    "select '\\\\'; insert into notes values ('escaped') --'",
    "select U&'\\\\0027'; insert into notes values ('escaped')",
    "with x as (insert into notes values ('escaped') returning 1) select * from x",
    "with x as (delete from notes returning 1) select count(*) from x",
    "select 'x' as word into escaped",
    "select 'x' as word into temp escaped",
    "select add_note()",
    "select add_note_in_its_own_words()",
    "select set_config('transaction_read_only', 'off', false), add_note()",
    "select set_config('transaction_read_only', 'off', true), add_note()",
    "select set_config('default_transaction_read_only', 'off', false), add_note()",
    "select set_config('search_path', 'escaped', false), set_config('work_mem', '1GB', false), 1 as n",
    "select set_config('statement_timeout', '1', false), set_config('application_name', 'escaped', false), 1 as n",
    "select nextval('tickets')",
    "select lo_create(0)",
    "select pg_advisory_xact_lock(7), 1 as n",
    "select * from notes for update",
    "select query_to_xml('insert into notes values (''escaped'')', true, false, '')",
    "values (1), (2)",
];

/// What is refused before anything runs.
const REFUSED: [&str; 12] = [
    "set transaction read write",
    "do $$ begin insert into notes values ('escaped'); end $$",
    "copy notes to program 'touch /tmp/escaped'",
    "copy (select 1) to stdout",
    "begin",
    "commit",
    "listen news",
    "prepare p as select 1",
    "call add_notes()",
    "discard all",
    "select pg_advisory_lock(7)",
    "select pg_catalog.\"pg_try_advisory_lock\"(7)",
];

const SCHEMA: &str = "create table notes(word text); create sequence tickets; \
     create table other(id int); \
     create function add_note() returns int language sql as \
         'insert into notes values (''escaped''); select 1'; \
     create function add_note_in_its_own_words() returns int language plpgsql as \
         'begin set transaction read write; insert into notes values (''escaped''); return 1; end'; \
     create procedure add_notes() language sql as 'insert into notes values (''escaped'')'; \
     grant all on all tables in schema public to vitalsign; \
     grant all on all sequences in schema public to vitalsign; \
     grant create on schema public to vitalsign; grant temporary on database postgres to vitalsign";

fn quoted(query: &str) -> String {
    // In YAML's double quotes a backslash and a quote are written with a backslash; `\n` of a text is a line's end.
    let text = query.replace("\\n", "\n").replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
    format!("\"{text}\"")
}

/// One run each of checks with these queries at `url`: the state by query.
fn run<'q>(url: &'q str, queries: &'q [&'q str]) -> impl Iterator<Item = (&'q str, Value)> {
    queries.iter().map(move |query| {
        let settings = format!("kind: postgres, url: '{url}', query: {}", quoted(query));
        let done = Launch::new(&format!("checks: {{ it: {{ {settings} }} }}"))
            .arg("check")
            .arg("--format=json")
            .run();
        let health = serde_json::from_str(&done.stdout).unwrap_or(Value::Null);
        (*query, health["checks"]["it"].clone())
    })
}

/// Everything that was written anywhere.
fn written(postgres: &Postgres) -> String {
    postgres.psql(
        "select (select count(*) from notes), (select is_called from tickets), \
         (select count(*) from pg_largeobject_metadata), \
         (select count(*) from pg_class where relname = 'escaped'), \
         (select count(*) from pg_settings where source = 'database')",
    )
}

#[test]
fn no_text_writes_or_leaves_anything() {
    let postgres = Postgres::start();
    postgres.psql(SCHEMA);
    let before = written(&postgres);
    let pooler = PgBouncer::start(&postgres, &["pool_mode = transaction", "default_pool_size = 1"]);
    let session = pooler.psql(SESSION);
    for (query, it) in run(&pooler.url(), &ESCAPES) {
        assert_eq!(written(&postgres), before, "{query} wrote: {it}");
        assert_eq!(pooler.psql(SESSION), session, "{query} left something: {it}");
    }
    for (query, it) in run(&postgres.url(), &REFUSED) {
        assert_eq!(it, Value::Null, "{query} was not refused with the configuration");
    }
    let idle = "select count(*) from pg_stat_activity where state like 'idle in transaction%' or xact_start < now() - interval '1s'";
    assert_eq!(postgres.psql(idle), "0");
}

/// What the configuration takes for a text between quotes is none to a server that is told to read it otherwise, which gets
/// it as one statement all the same.
#[test]
fn a_second_statement_is_refused_by_the_server_whatever_its_text() {
    let postgres = Postgres::start();
    postgres.psql(SCHEMA);
    postgres.psql("alter role vitalsign set standard_conforming_strings = off");
    for query in [
        r"select '\' || ') as x; commit; insert into notes values (1); select * from (select 1 as n --'",
        r"select '\' || '; commit; insert into notes values (1); select 1 as n --'",
    ] {
        let (_, it) = run(&postgres.url(), &[query]).next().unwrap();
        assert_eq!(postgres.psql("select count(*) from notes"), "0", "{query} wrote: {it}");
        assert_eq!(it["cause"], "invalid_query", "{query}: {it}");
    }
}

/// Checks as the application's neighbours on the only session of a pool.
#[test]
fn after_a_hundred_runs_the_application_still_writes_by_the_same_session() {
    let postgres = Postgres::start();
    postgres.psql(SCHEMA);
    let pooler = PgBouncer::start(&postgres, &["pool_mode = transaction", "default_pool_size = 1"]);
    let session = pooler.psql(SESSION);
    let url = pooler.url();
    let mut config = "checks:\n".to_owned();
    for n in 0..10 {
        for (name, query, more) in [
            ("reads", "select count(*) as notes from notes", ""),
            ("fails", "select add_note()", ", breaker: off"),
            ("sets", "select set_config('work_mem', '1GB', false), 1 as n", ", reuse: true"),
        ] {
            let settings = format!("kind: postgres, url: '{url}', query: \"{query}\"{more}");
            config.push_str(&format!("  {name}{n}: {{ {settings}, interval: 2s, timeout: 1900ms }}\n"));
        }
    }
    let agent = Launch::new(&config).start();
    let mut notes = 0;
    let runs = |name: &str| -> f64 {
        let page = agent.scrape();
        let one = |n| page.value("healthcheck_runs_total", &[("healthcheck_name", &format!("{name}{n}"))]);
        (0..10).filter_map(one).sum()
    };
    eventually("a hundred runs", SOON, || {
        pooler.psql("insert into notes values ('of the application')");
        notes += 1;
        ["reads", "fails", "sets"].iter().all(|name| runs(name) >= 100.0)
    });
    let health = agent.health();
    assert_eq!(health["checks"]["reads0"]["status"], "healthy", "{health}");
    assert_eq!(health["checks"]["fails0"]["cause"], "query_writes", "{health}");
    pooler.psql("create table more(id int)");
    // A run that a slow machine cut off takes its session with it, so it may be another.
    let settings = |session: &str| session.split_once('|').unwrap().1.to_owned();
    assert_eq!(settings(&pooler.psql(SESSION)), settings(&session));
    assert_eq!(postgres.psql("select count(*) from notes"), notes.to_string());
}

#[test]
fn no_text_writes_to_a_file() {
    let scratch = Scratch::new("escapes", User::oneself());
    let path = scratch.join("shop.db");
    let mut sqlite = command(installed("/usr/bin/sqlite3", "sqlite3"), User::oneself(), "KILL");
    sqlite.current_dir(scratch.path()).arg(&path).arg("create table notes(word text)");
    output(sqlite);
    let contents = || {
        let mut files: Vec<_> = std::fs::read_dir(scratch.path())
            .unwrap()
            .map(|entry| entry.unwrap())
            .map(|entry| (entry.file_name(), std::fs::read(entry.path()).unwrap()))
            .collect();
        files.sort();
        files
    };
    let before = contents();
    for query in [
        "select 1; insert into notes values ('escaped')",
        "select 1 /* ; */; insert into notes values ('escaped')",
        "select [;] from notes; insert into notes values ('escaped')",
        "select '\\\\'; insert into notes values ('escaped') --'",
        "with x as (select 1) insert into notes select 'escaped' from x",
        "with x as (select 1) delete from notes",
        "values (1); commit; begin; insert into notes values ('escaped')",
        "pragma user_version = 7",
        "pragma table_info(notes); create table escaped(id)",
        "attach 'escaped.db' as escaped",
        "vacuum into 'escaped.db'",
        "select writefile('escaped.db', 'x')",
        "select load_extension('escaped')",
        "select edit('x', 'touch escaped.db')",
        "explain insert into notes values ('escaped')",
    ] {
        let settings = format!("kind: sqlite, path: '{}', query: {}", path.display(), quoted(query));
        let done = Launch::new(&format!("checks: {{ it: {{ {settings} }} }}")).arg("check").run();
        assert!(!done.status.success(), "{query}: {}{}", done.stdout, done.stderr);
        assert_eq!(contents(), before, "{query} wrote");
    }
}
