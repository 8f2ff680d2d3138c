//! What the tests do to each of the servers, and what the server says of us.

use crate::harness::{postgres::Postgres, rabbitmq::RabbitMq, redis::Redis};

/// A server that can be stopped in the middle of what it does, with the settings of a check on it.
pub(super) trait Server {
    /// `kind: …, url: …`.
    fn settings(&self) -> String;
    fn port(&self) -> u16;
    fn freeze(&self);
    fn thaw(&self);
    fn kill(&self);
    fn restart(&mut self);
    /// What the server calls each connection of ours.
    fn sessions(&self) -> Vec<String>;

    fn sessions_at_a_glance(&self) -> Vec<String> {
        self.sessions()
    }
}

/// What every server of the harness calls the same.
macro_rules! same_words {
    ($server:ty) => {
        fn port(&self) -> u16 {
            <$server>::port(self)
        }

        fn freeze(&self) {
            <$server>::freeze(self);
        }

        fn thaw(&self) {
            <$server>::thaw(self);
        }

        fn kill(&self) {
            <$server>::kill(self);
        }

        fn restart(&mut self) {
            <$server>::restart(self);
        }
    };
}

impl Server for Postgres {
    same_words!(Self);

    fn settings(&self) -> String {
        format!("kind: postgres, url: '{}'", self.url())
    }

    fn sessions(&self) -> Vec<String> {
        let ours =
            "select pid from pg_stat_activity where application_name = 'vitalsign' or usename = 'vitalsign'";
        self.psql(ours).lines().map(str::to_owned).collect()
    }
}

impl Server for Redis {
    same_words!(Self);

    fn settings(&self) -> String {
        format!("kind: redis, url: '{}'", self.url())
    }

    fn sessions(&self) -> Vec<String> {
        let all = self.cli(&["client", "list"]);
        let others = all.lines().filter(|line| !line.contains("cmd=client|list"));
        others.filter_map(|line| Some(line.split(' ').next()?.to_owned())).collect()
    }
}

impl Server for RabbitMq {
    same_words!(Self);

    fn settings(&self) -> String {
        format!("kind: amqp, url: '{}'", self.url())
    }

    fn sessions(&self) -> Vec<String> {
        let all = self.ctl(&["list_connections", "pid"]);
        all.lines().filter(|line| line.starts_with('<')).map(str::to_owned).collect()
    }

    /// Asking takes seconds, in which too much would be missed.
    fn sessions_at_a_glance(&self) -> Vec<String> {
        Vec::new()
    }
}
