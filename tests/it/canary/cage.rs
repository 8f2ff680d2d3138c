//! The servers that know some of the secrets, and the configuration that is full of them.

use crate::harness::{
    agent::Launch, ports, postgres::Postgres, rabbitmq::RabbitMq, redis::Redis, scratch::Scratch, user::User,
};

use super::echo::Echo;

/// What is searched for: each secret begins with it and says where it was put.
pub(super) const CANARIES: &str = "canary-";

/// A check: its name, the reason for which it must fail if it must, and its settings.
type Check = (&'static str, Option<&'static str>, String);

pub(super) struct Cage {
    postgres: Postgres,
    redis: Redis,
    pub(super) echo: Echo,
    files: Scratch,
}

impl Cage {
    pub(super) fn new() -> Self {
        let files = Scratch::new("secrets", User::oneself());
        let (postgres, redis, echo) = (Postgres::start(), Redis::start(), Echo::start());
        for name in ["wrong", "reference"] {
            files.write(name, &format!("canary-file-{name}\n"), User::oneself());
        }
        files.write("right", postgres.password(), User::oneself());
        Self { postgres, redis, echo, files }
    }

    /// Every check.
    pub(super) fn checks(&self) -> Vec<Check> {
        let mut checks = self.of_postgres();
        checks.extend(self.of_http());
        let url =
            |user: &str| format!("kind: redis, url: 'redis://{user}@127.0.0.1:{}/0'", self.redis.port());
        checks.push(("redis_url", Some("auth"), url(":canary-redis-url")));
        checks.push(("redis_user", Some("auth"), url("canary-redis-user:canary-redis-password")));
        checks.push(("redis_right", None, url(&format!(":{}", self.redis.password()))));
        let (port, user) = (RabbitMq::shared().port(), "canary-amqp-user:canary-amqp-password");
        let url = format!("kind: amqp, url: 'amqp://{user}@127.0.0.1:{port}/%2f'");
        checks.push(("amqp_url", Some("auth"), url));
        checks
    }

    fn of_postgres(&self) -> Vec<Check> {
        let at = |port: u16, user: &str, more: &str| {
            format!("kind: postgres, url: 'postgres://{user}@127.0.0.1:{port}/postgres{more}")
        };
        let url = |user: &str, more: &str| at(self.postgres.port(), user, more);
        let file = |name: &str| self.files.join(name).display().to_string();
        let auth = Some("auth");
        vec![
            ("pg_url", auth, url("canary-pg-user:canary-pg-url", "'")),
            ("pg_encoded", auth, url("u:c%61nary-%2F%40-canary-encoded", "'")),
            ("pg_query", auth, url("u", "?password=canary-pg-query'")),
            ("pg_setting", auth, url("u", "', password: canary-pg-setting")),
            ("pg_file", auth, url("u", &format!("', password_file: {}", file("wrong")))),
            ("pg_reference", auth, url("u", &format!("', password: '${{file:{}}}'", file("reference")))),
            ("pg_env", auth, "kind: postgres, url: '${PG_URL}'".to_owned()),
            ("pg_right", None, url("vitalsign", &format!("', password_file: {}", file("right")))),
            ("pg_down", Some("connection_refused"), at(ports::free(), "u:canary-pg-down", "'")),
        ]
    }

    fn of_http(&self) -> Vec<Check> {
        let echo = self.echo.port();
        let url = |user: &str, more: &str| format!("kind: http, url: 'http://{user}127.0.0.1:{echo}/{more}");
        let (status, refused) = (Some("unexpected_status"), Some("connection_refused"));
        let headers = "500', headers: { authorization: 'Bearer canary-http-header', x-key: '${HEADER}' }";
        let expect = "200?token=canary-http-answer', expect: { body: missing, json: { '$.token': missing } }";
        let closed = ports::free();
        let proxy = format!("200', proxy: 'http://u:canary-http-proxy@127.0.0.1:{closed}'");
        let send = r#"send: "GET /200 HTTP/1.1\r\nx: canary-tcp-send\r\n\r\n", expect: nowhere"#;
        vec![
            ("http_header", status, url("", headers)),
            ("http_user", status, url("canary-http-user:canary-http-password@", "500'")),
            ("http_query", status, url("", "500?token=canary-http-query'")),
            ("http_body", status, url("", "500', method: POST, body: canary-http-body")),
            ("http_answer", Some("unexpected_body"), url("", expect)),
            (
                "http_down",
                refused,
                format!(
                    "kind: http, url: 'http://u:canary-http-down@127.0.0.1:{closed}/?key=canary-http-key'"
                ),
            ),
            ("http_proxy", refused, url("", &proxy)),
            ("tcp_send", Some("unexpected_body"), format!("kind: tcp, address: '127.0.0.1:{echo}', {send}")),
        ]
    }

    /// The agent with all of it, telling as much as it can.
    pub(super) fn launch(&self) -> Launch {
        let checks: String = self
            .checks()
            .into_iter()
            .map(|(name, _, settings)| format!("  {name}: {{ {settings}, interval: 5s, timeout: 4900ms }}\n"))
            .collect();
        let url = format!("postgres://u:canary-env-url@127.0.0.1:{}/postgres", self.postgres.port());
        Launch::new(&format!("checks:\n{checks}"))
            .env("PG_URL", &url)
            .env("HEADER", "canary-env-header")
            .arg("--log.level=trace")
    }

    /// Fails if the text holds a secret; those that servers accept look like anything.
    #[track_caller]
    pub(super) fn search(&self, what: &str, text: &str) {
        assert!(!text.is_empty(), "{what}: nothing to search");
        let secrets = [CANARIES, self.postgres.password(), self.redis.password()];
        for line in text.lines() {
            assert!(!secrets.iter().any(|secret| line.contains(secret)), "{what} has a secret: {line}");
        }
    }
}
