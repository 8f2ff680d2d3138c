//! Logging in: who we are, and the proof of a password in whatever way the server asks for.
//!
//! A server may have us work for it (SCRAM counts up to what the crate postgres-protocol allows, some hundredths of a
//! second), so it may ask once. Knows nothing of TLS: a proof is not bound to it, as the parameter `channel_binding` says.

use postgres_protocol::authentication::md5_hash;
use postgres_protocol::authentication::sasl::{ChannelBinding, SCRAM_SHA_256, ScramSha256};
use postgres_protocol::message::backend::{AuthenticationSaslBody, Message};
use postgres_protocol::message::frontend;

use fallible_iterator::FallibleIterator;

use super::failure::Error;
use super::messages::Messages;
use crate::config::Secret;

/// Who logs in, and to what.
pub(super) struct Login {
    pub(super) user: String,
    pub(super) password: Option<Secret>,
    pub(super) database: Option<String>,
    /// Parameters of the server for the session.
    pub(super) options: Option<String>,
}

impl Login {
    /// Logs in; the server then waits for a query.
    pub(super) async fn log_in(&self, messages: &mut Messages) -> Result<(), Error> {
        let parameters = self.parameters();
        messages.send(|buffer| frontend::startup_message(parameters, buffer)).await?;
        let mut proven = false;
        loop {
            let message = messages.next().await?;
            let asks = matches!(
                message,
                Message::AuthenticationCleartextPassword
                    | Message::AuthenticationMd5Password(_)
                    | Message::AuthenticationSasl(_)
            );
            if asks && proven {
                return Err(Error::Protocol("asked for the password again".to_owned()));
            }
            proven |= asks;
            match message {
                Message::AuthenticationOk | Message::BackendKeyData(_) => {}
                Message::AuthenticationCleartextPassword => {
                    let password = self.password()?.as_bytes();
                    messages.send(|buffer| frontend::password_message(password, buffer)).await?;
                }
                Message::AuthenticationMd5Password(body) => {
                    let hash = md5_hash(self.user.as_bytes(), self.password()?.as_bytes(), body.salt());
                    messages.send(|buffer| frontend::password_message(hash.as_bytes(), buffer)).await?;
                }
                Message::AuthenticationSasl(body) => self.prove(messages, &body).await?,
                Message::ReadyForQuery(_) => return Ok(()),
                Message::AuthenticationGss
                | Message::AuthenticationSspi
                | Message::AuthenticationKerberosV5
                | Message::AuthenticationScmCredential => return Err(Error::NoPasswordWanted),
                _ => return Err(Error::unexpected("logging in")),
            }
        }
    }

    fn parameters(&self) -> impl Iterator<Item = (&str, &str)> {
        let given = [
            ("user", Some(self.user.as_str())),
            ("database", self.database.as_deref()),
            ("options", self.options.as_deref()),
            // A pooler knows these three, and gives the next client its own back.
            ("client_encoding", Some("UTF8")),
            ("DateStyle", Some("ISO, MDY")),
            ("TimeZone", Some("UTC")),
        ];
        given.into_iter().filter_map(|(name, value)| Some((name, value?)))
    }

    fn password(&self) -> Result<&str, Error> {
        self.password.as_ref().map(Secret::expose).ok_or(Error::NoPassword)
    }

    /// SCRAM, in which the server proves that it knows the password too.
    async fn prove(&self, messages: &mut Messages, offered: &AuthenticationSaslBody) -> Result<(), Error> {
        let broken = |error: std::io::Error| Error::Protocol(error.to_string());
        if !offered.mechanisms().any(|name| Ok(name == SCRAM_SHA_256)).map_err(broken)? {
            return Err(Error::NoPasswordWanted);
        }
        let mut scram = ScramSha256::new(self.password()?.as_bytes(), ChannelBinding::unsupported());
        messages
            .send(|buffer| frontend::sasl_initial_response(SCRAM_SHA_256, scram.message(), buffer))
            .await?;
        let Message::AuthenticationSaslContinue(body) = messages.next().await? else {
            return Err(Error::unexpected("SCRAM"));
        };
        scram.update(body.data()).map_err(broken)?;
        messages.send(|buffer| frontend::sasl_response(scram.message(), buffer)).await?;
        let Message::AuthenticationSaslFinal(body) = messages.next().await? else {
            return Err(Error::unexpected("SCRAM"));
        };
        scram.finish(body.data()).map_err(broken)
    }
}
