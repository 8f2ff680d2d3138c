//! What went wrong within the class that a reason names: a second, larger closed set.
//!
//! A reason is what alerts match; a cause is what a person on call wants to know next. Each cause is one row of the
//! table below: its word, the reason that it belongs to, and the public sentence. The README's table of causes is made
//! from it. Codes of a protocol (HTTP status, SQLSTATE class, reply code) are causes too; their number is bounded by the
//! code's own form. A server's words never are.

use std::fmt;

use super::Reason;

macro_rules! causes {
    ($($reason:ident { $($cause:ident $word:literal $sentence:literal)+ })+) => {
        /// What went wrong within the class that the reason names. Closed, so that it can be shown to anyone and can be
        /// a label.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Cause {
            $($(#[doc = concat!("`", $word, "`: ", $sentence, ".")] $cause,)+)+
            /// `http_NNN`: the status of an HTTP answer.
            HttpStatus(u16),
            /// `amqp_NNN`: the reply code of an AMQP broker.
            AmqpReply(u16),
            /// `sqlstate_NN`: the class of an SQLSTATE, its first two characters.
            SqlState(SqlStateClass),
        }

        impl Cause {
            /// All causes without a code, by reason.
            pub const ALL: &[Self] = &[$($(Self::$cause,)+)+];

            /// The reason that the cause belongs to. A cause with a code may belong to others too, by its context.
            #[must_use]
            pub const fn reason(self) -> Reason {
                match self {
                    $($(Self::$cause)|+ => Reason::$reason,)+
                    Self::HttpStatus(_) => Reason::UnexpectedStatus,
                    Self::AmqpReply(_) | Self::SqlState(_) => Reason::Other,
                }
            }

            /// The public sentence; none for a cause with a code, for which the reason's stands.
            #[must_use]
            pub const fn sentence(self) -> Option<&'static str> {
                match self {
                    $($(Self::$cause => Some($sentence),)+)+
                    Self::HttpStatus(_) | Self::AmqpReply(_) | Self::SqlState(_) => None,
                }
            }
        }

        impl fmt::Display for Cause {
            /// The word, which is also the label value.
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self {
                    $($(Self::$cause => f.write_str($word),)+)+
                    Self::HttpStatus(status) => write!(f, "http_{status}"),
                    Self::AmqpReply(code) => write!(f, "amqp_{code}"),
                    Self::SqlState(class) => write!(f, "sqlstate_{class}"),
                }
            }
        }
    };
}

// Sorted by reason, in the order of `Reason`; within a reason the most frequent first.
causes! {
    Timeout {
        LockTimeout "lock_timeout" "the query waited too long for a lock"
        QueryTimeout "query_timeout" "the server ended the query at its time limit"
        LastRunHangs "last_run_hangs" "the last run still hangs"
        NoFreeThread "no_free_thread" "no thread was free to run the check"
    }
    ConnectionRefused {
        NoSocket "no_socket" "no server has made the socket"
    }
    ConnectionReset {
        SessionEnded "session_ended" "the server ended the session"
        ServerStopping "server_stopping" "the server is stopping, or was told to end the connection"
        TlsRequestClosed "tls_request_closed" "the server closed the connection when asked for TLS: see `sslmode=disable`"
        NoAnswer "no_answer" "connection closed without an answer"
    }
    Unreachable {
        NoLocalPort "no_local_port" "this machine has no free local port, or no address of its own, for the connection"
        ProxyUnreachable "proxy_unreachable" "the proxy cannot be reached"
        ProxyCannotConnect "proxy_cannot_connect" "the proxy cannot reach the server"
    }
    Dns {
        NoSuchHost "no_such_host" "the host name does not exist"
        NoAddress "no_address" "the host name exists and has no address"
        NameServerFailed "name_server_failed" "the name server could not answer"
        NameServerSilent "name_server_silent" "no name server answered"
    }
    Tls {
        TlsNotOffered "tls_not_offered" "the server offers no TLS"
        CertificateExpired "certificate_expired" "the server's certificate has expired"
        CertificateNotYetValid "certificate_not_yet_valid" "the server's certificate is not valid yet: compare the clocks"
        CertificateUnknownIssuer "certificate_unknown_issuer" "no trusted authority vouches for the server's certificate"
        CertificateWrongName "certificate_wrong_name" "the server's certificate is for another name"
        CertificateWithoutName "certificate_without_name" "the server's certificate has no subject alternative name"
        CertificateRevoked "certificate_revoked" "the server's certificate was revoked"
        CertificateOfAuthority "certificate_of_authority" "the server shows the certificate of an authority as its own: trust it by `ca_file`"
        CertificateVersion1 "certificate_version_1" "the server's certificate is of X.509 version 1: trust it by `ca_file`"
        CertificateUnsuitable "certificate_unsuitable" "a certificate of the server is not meant for this use"
        CertificateBadSignature "certificate_bad_signature" "the trusted authority of that name has not signed the server's certificate"
        CertificateUnreadable "certificate_unreadable" "a certificate of the server cannot be read"
        NoServerCertificate "no_server_certificate" "the server shows no certificate"
        NoRoots "no_roots" "this machine has no certificates of authorities: install ca-certificates or set `ca_file`"
        ClientCertificateWanted "client_certificate_wanted" "the server wants a client certificate"
        ClientCertificateRefused "client_certificate_refused" "the server refuses the client certificate"
        PlaintextAnswer "plaintext_answer" "the server answers without TLS"
        HandshakeClosed "handshake_closed" "the server closed the connection during the TLS handshake"
        NoSharedVersion "no_shared_version" "the server speaks neither TLS 1.2 nor TLS 1.3"
        NoSharedCipher "no_shared_cipher" "the server has no cipher suite, curve or signature in common with this program"
        NoSharedProtocol "no_shared_protocol" "the server speaks none of the protocols that TLS should carry"
        ServerNameUnknown "server_name_unknown" "the server knows no host of this name: see `server_name`"
        ServerFault "server_fault" "the server reports an internal error during the TLS handshake"
        CurveSecp521r1 "unsupported_curve_secp521r1" "unsupported curve secp521r1"
        CurveSecp256k1 "unsupported_curve_secp256k1" "unsupported curve secp256k1"
        CurveSecp224r1 "unsupported_curve_secp224r1" "unsupported curve secp224r1"
        CurveSecp192r1 "unsupported_curve_secp192r1" "unsupported curve secp192r1"
        CurveBrainpool256 "unsupported_curve_brainpoolp256r1" "unsupported curve brainpoolP256r1"
        CurveBrainpool384 "unsupported_curve_brainpoolp384r1" "unsupported curve brainpoolP384r1"
        CurveBrainpool512 "unsupported_curve_brainpoolp512r1" "unsupported curve brainpoolP512r1"
        CurveOther "unsupported_curve" "unsupported curve of a certificate's key"
        KeyEd448 "unsupported_key_ed448" "unsupported key type Ed448"
        KeyDsa "unsupported_key_dsa" "unsupported key type DSA"
        KeyRsaPss "unsupported_key_rsa_pss" "unsupported key type RSASSA-PSS"
        KeyRsaShort "unsupported_key_rsa_short" "unsupported RSA key of less than 2048 bits"
        KeyRsaLong "unsupported_key_rsa_long" "unsupported RSA key of more than 8192 bits"
        SignatureMd5 "unsupported_signature_md5" "unsupported signature with MD5 on a certificate"
        SignatureSha1 "unsupported_signature_sha1" "unsupported signature with SHA-1 on a certificate"
        SignatureSha224 "unsupported_signature_sha224" "unsupported signature with SHA-224 on a certificate"
        SignatureEcdsaSha512 "unsupported_signature_ecdsa_sha512" "unsupported signature ECDSA with SHA-512 on a certificate"
        SignatureOther "unsupported_signature" "unsupported signature on a certificate"
        HandshakeBroken "handshake_broken" "the server breaks the rules of the TLS handshake"
        HandshakeOther "handshake_other" "the TLS handshake ended for another cause"
    }
    Auth {
        WrongPassword "wrong_password" "the server refuses the user or the password"
        NoPassword "no_password" "the server asks for a password and none is set"
        PasswordNotWanted "password_not_wanted" "a password is set and the server has none"
        PasswordNotAccepted "password_not_accepted" "the server takes no user and password"
        ProxyAuthRequired "proxy_auth_required" "the proxy wants other credentials"
    }
    NotFound {
        NoSuchDatabase "no_such_database" "the database does not exist"
        NoSuchObject "no_such_object" "the query names a table, column or function that does not exist"
        NoSuchVhost "no_such_vhost" "the virtual host does not exist"
        NoSuchQueue "no_such_queue" "the queue does not exist"
        QueueUnavailable "queue_unavailable" "the queue is not available"
        OtherNode "other_node" "a key is on another node of the cluster"
        NoSuchProcess "no_such_process" "no such process runs"
        NotUnderRoot "not_under_root" "the file system of this path is not mounted under `root_path`"
        NoTaskCount "no_task_count" "no control group counts the tasks of this process"
    }
    Denied {
        PgHbaRefuses "pg_hba_refuses" "pg_hba.conf has no entry that lets this user in from here, to this database, encrypted as it is"
        TlsRequired "tls_required" "the server lets nobody in without TLS"
        DatabaseDenied "database_denied" "the user may not connect to this database"
        QueryDenied "query_denied" "the user may not read what the query asks for"
        QueryWrites "query_writes" "the query is not read-only"
        VhostDenied "vhost_denied" "access to the virtual host refused"
        QueueDenied "queue_denied" "access to the queue refused"
        QueueExclusive "queue_exclusive" "another connection has the queue to itself"
        TooManyConnections "too_many_connections" "the server takes no more connections"
        CommandDenied "command_denied" "the user may not run the command"
        HostBlocked "host_blocked" "the server has locked this host out after too many connection errors"
        HostDenied "host_denied" "the server has no account for this host"
        OnlyLocal "only_local" "the server accepts only local connections"
        SideFileDenied "side_file_denied" "a file beside the database (-wal or -shm) cannot be read by this user"
        ShmReadOnly "shm_read_only" "reading what the application has just written needs write access to the file -shm"
        LoneLog "lone_wal" "the file -wal has no file -shm beside it, and a reader would have to make one"
        HotJournal "hot_journal" "the application must first roll back a transaction that was cut off"
        ReadOnlyDatabase "read_only_database" "the database may only be read"
        ProxyRefused "proxy_refused" "the proxy refuses to connect to the server"
    }
    Protocol {
        NotPostgres "not_postgres" "the peer does not speak PostgreSQL's protocol"
        StartParameter "start_parameter" "the pooler does not know a parameter of the URL: options"
        NotAmqp "not_amqp" "the peer does not speak AMQP"
        AmqpVersion "amqp_version" "the peer does not speak AMQP 0-9-1, but maybe another version of it"
        NotHttp "not_http" "the peer does not speak HTTP"
        HeadTooLarge "head_too_large" "the head of the answer is too large"
        ProxyAnswer "proxy_answer" "the proxy does not answer as a proxy does"
    }
    UnexpectedBody {
        MissingMeasurement "missing_measurement" "the answer lacks a number that has a threshold"
        NoPong "no_pong" "the answer to PING is not PONG"
        NoLength "no_length" "a key has no length: it is a plain value"
        EmptyFile "empty_file" "the file is empty, and `allow_empty` is not set"
        DamagedDatabase "damaged_database" "the database is damaged"
        NotDatabase "not_a_database" "the file is not a database"
        AnswerTooLarge "answer_too_large" "the server sent more than a run takes in: 1 MiB, from redis 128 KiB, from http twice `max_body` more"
        QueryTooLarge "query_too_large" "the query needs more memory than the 64 MiB of SQLite: select fewer or shorter values"
        BodyTooLong "body_too_long" "the body is longer than `max_body`"
        UnknownEncoding "unknown_encoding" "the body is packed in a way that is not known: neither gzip nor deflate"
        BrokenEncoding "broken_encoding" "the body cannot be unpacked"
    }
    Threshold {
        Slow "slow" "the run took longer than `warn_slower_than`"
    }
    PoolExhausted {
        NoFreeConnection "no_free_connection" "the server has no free connection"
        PoolerFull "pooler_full" "the pooler had no free connection to its server in time"
    }
    Other {
        NoFileDescriptor "no_file_descriptor" "this process has no free file descriptor"
        ServerStarting "server_starting" "the server is starting, stopping or recovering"
        PoolerAlone "pooler_alone" "the pooler answers, and cannot log in to the server behind it"
        DiskFull "disk_full" "the server has no disk space left"
        OutOfMemory "out_of_memory" "the server has no memory left"
        DamagedData "damaged_data" "the server found damaged data"
        ServerFiles "server_files" "the server cannot read its own files"
        ServerError "server_error" "the server reports an error of its own"
        QueryUnsupported "query_unsupported" "the server cannot run the query"
        InvalidQuery "invalid_query" "the query is not valid SQL, or more than one statement"
        QueryData "query_data" "the query failed on the data that it met"
        QueryGivenUp "query_given_up" "the server gave the query up in favour of others"
        Loading "loading" "the server is loading its data"
        BusyScript "busy_script" "the server is busy with a script"
        MemoryAlarm "memory_alarm" "the broker is short of memory and takes no messages"
        DiskAlarm "disk_alarm" "the broker is short of disk space and takes no messages"
        ResourceAlarm "resource_alarm" "the broker has raised an alarm and takes no messages"
        CannotSave "cannot_save" "the server cannot save its data and refuses writes"
        MasterDown "master_down" "the replica has lost its master"
        ClusterDown "cluster_down" "the cluster is down"
        NotAFile "not_a_file" "the path is not a file"
        CannotOpen "cannot_open" "the database or a file beside it cannot be opened"
        UnreadableFile "unreadable_file" "the file cannot be read"
    }
}

/// The first two characters of an SQLSTATE: upper-case letters and digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SqlStateClass([u8; 2]);

impl fmt::Display for SqlStateClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| fmt::Write::write_char(f, char::from(*byte)))
    }
}

impl Cause {
    /// The class of `state`; none where `state` does not begin as an SQLSTATE does.
    #[must_use]
    pub fn sql_state(state: &str) -> Option<Self> {
        let class: [u8; 2] = state.as_bytes().get(..2)?.try_into().ok()?;
        let known = class.iter().all(|byte| byte.is_ascii_digit() || byte.is_ascii_uppercase());
        known.then_some(Self::SqlState(SqlStateClass(class)))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn words_are_distinct_and_made_as_labels_are() {
        let words: BTreeSet<String> = Cause::ALL.iter().map(ToString::to_string).collect();
        assert_eq!(words.len(), Cause::ALL.len());
        for word in words {
            assert!(word.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_'), "{word}");
        }
    }

    #[test]
    fn sentences_are_lower_case_fragments() {
        for cause in Cause::ALL {
            let sentence = cause.sentence().unwrap();
            assert!(!sentence.ends_with('.') && !sentence.contains('\n'), "{cause}: {sentence}");
        }
    }

    #[test]
    fn the_table_is_sorted_by_reason() {
        assert!(Cause::ALL.is_sorted_by_key(|cause| cause.reason()));
    }

    #[test]
    fn codes_are_bounded() {
        assert_eq!(Cause::sql_state("28P01").unwrap().to_string(), "sqlstate_28");
        assert_eq!(Cause::sql_state("XX000").unwrap().to_string(), "sqlstate_XX");
        for odd in ["", "2", "é€", "a1", "\"}"] {
            assert_eq!(Cause::sql_state(odd), None, "{odd}");
        }
        assert_eq!(Cause::HttpStatus(503).to_string(), "http_503");
        assert_eq!(Cause::AmqpReply(403).to_string(), "amqp_403");
    }
}
