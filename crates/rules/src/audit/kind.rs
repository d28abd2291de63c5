//! The kinds of events: their stable names and what each means.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A name that is no event kind of this version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownKind(pub String);

impl fmt::Display for UnknownKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "unknown audit event kind {:?}", self.0)
    }
}

impl std::error::Error for UnknownKind {}

// One table makes the variant, its name and its description, so that none can be forgotten.
macro_rules! kinds {
    ($($variant:ident $name:literal $description:literal)*) => {
        /// What happened. Names are part of the log's format: they are added, never changed.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Kind {
            $(#[doc = $description] $variant,)*
        }

        impl Kind {
            /// Every kind, in the order of the reference page.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The stable dotted name, such as `sign_in.refused`.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }

            /// What the event means, in one line.
            #[must_use]
            pub const fn description(self) -> &'static str {
                match self {
                    $(Self::$variant => $description,)*
                }
            }
        }
    };
}

kinds! {
    ServerStarted "server.started" "A server process opened the store and began to serve."
    ServerStopped "server.stopped" "A server process finished its requests and stopped."
    CertificateReloaded "certificate.reloaded" "The listener's certificate was read anew; the detail names it."
    SettingLoosened "setting.loosened" "The server started with a setting that is weaker than the default."
    VaultRekeyed "vault.rekeyed" "A key of the vault was replaced, and what it protected was wrapped anew."
    AuditVerified "audit.verified" "The audit log was verified against a checkpoint."
    AuditRead "audit.read" "An operator listed or exported events of the audit log."
    BackupMade "backup.made" "A backup of the whole database was made."
    BackupRestored "backup.restored" "A backup was restored, and a new epoch began: whatever was issued before is void."

    UserInvited "user.invited" "A single-use invitation to activate an account was made."
    UserActivated "user.activated" "A person bound a password and a first factor, and the account became usable."
    UserDisabled "user.disabled" "An account was disabled, and everything issued to it ended."
    UserEnabled "user.enabled" "A disabled account was enabled again."
    UserChanged "user.changed" "What is told of a person was changed by an operator; the detail names the claims."
    UserDisputed "user.disputed" "A person said that something in her account was not her; everything issued to it ended."
    AddressAsked "address.asked" "A signed-in person asked for a link that confirms her e-mail address; it was mailed there."
    AddressConfirmed "address.confirmed" "A signed-in person opened that link: her e-mail address is verified."
    PasswordChanged "password.changed" "A person changed her password, and her other sessions ended."
    PasswordEnded "password.ended" "Too many failures in a row ended a password; it must be bound anew."
    RecoveryCodeUsed "recovery_code.used" "A recovery code took the place of a second factor and is spent."
    RecoveryCodesReplaced "recovery_codes.replaced" "A person replaced her recovery codes by a new set."
    PasskeyAdded "passkey.added" "A person bound a passkey or a security key."
    PasskeyRenamed "passkey.renamed" "A person gave a passkey or a security key another name."
    PasskeyRemoved "passkey.removed" "A person removed a passkey or a security key, and her other sessions ended."
    PasskeyBlocked "passkey.blocked" "A passkey or security key opens nothing any more: its counter went backwards, as a copy's does, or its person said that it is not hers."
    AppReplaced "authenticator_app.replaced" "A person bound another authenticator app in the place of the one she had, and her other sessions ended."
    UpstreamLinked "upstream.linked" "A person linked her account with the institution's own provider, and her other sessions ended."
    UpstreamUnlinked "upstream.unlinked" "Such a link was removed, by the person or because she said that something was not her."
    UpstreamUsed "upstream.used" "A person signed in through the institution's own provider; the detail says whether it was believed to ask for two factors."
    UpstreamRefused "upstream.refused" "An answer of the institution's own provider was refused; counted by reason and minute."
    RecoveryBegun "recovery.begun" "An operator began to let a person set up her sign-in anew; the detail names who, and when it can be approved."
    RecoveryApproved "recovery.approved" "A second operator approved it, and a single-use link was made."
    RecoveryRefused "recovery.refused" "A step of it was refused; the detail says why."
    RecoveryCancelled "recovery.cancelled" "It was cancelled, by the person or by an operator."
    RecoveryFinished "recovery.finished" "The person set up her sign-in anew, and everything from before ended."
    DataExported "data.exported" "A person downloaded what is stored about her."
    CloseAsked "close.asked" "A person asked to close her access."
    CloseTakenBack "close.taken_back" "A person took back that she asked to close her access."
    UserClosed "user.closed" "An operator closed a person's access: everything of it ended, and the key of who she is was destroyed."
    MailNotSent "mail.not_sent" "A person could not be told of something by mail; the detail names the event and why."
    ConfirmationSucceeded "confirmation.succeeded" "A signed-in person proved herself anew before a change."
    ConfirmationRefused "confirmation.refused" "A signed-in person was asked to prove herself anew before a change, and what she gave was not right."
    ConfirmationBlocked "confirmation.blocked" "The same was refused unchecked, because of too many failures before it."

    SignInSucceeded "sign_in.succeeded" "A person signed in with two factors, and a session began."
    SignInRefused "sign_in.refused" "A sign-in was refused: the credentials were not right."
    SignInBlocked "sign_in.blocked" "A sign-in was refused unchecked, because of too many failures before it."
    StepUpSucceeded "step_up.succeeded" "A signed-in person proved more than she had, as a request required."
    StepUpRefused "step_up.refused" "A signed-in person was to prove more than she had, and what she gave was not right."
    SessionEnded "session.ended" "A session was ended by its person, an operator or a rule."
    LogoutTold "logout.told" "A client that took part in a session took the message that it ended."
    LogoutNotTold "logout.not_told" "A client that took part in a session refused the message that it ended, or could not be told in time."

    AuthorizeRefused "authorize.refused" "An authorization request was refused before anyone was asked."
    ConsentGiven "consent.given" "A person let a client have what it asked for."
    ConsentRefused "consent.refused" "A person refused what a client asked for."
    GrantRevoked "grant.revoked" "A standing consent was withdrawn, and its tokens ended."

    CodeIssued "code.issued" "An authorization code was issued to a client."
    CodeReplayed "code.replayed" "A spent authorization code was presented again."
    TokenIssued "token.issued" "Tokens were issued; the detail names the grant type."
    TokenRefused "token.refused" "A token request by an authenticated client was refused."
    TokenRefreshed "token.refreshed" "A refresh token was exchanged for new tokens."
    TokenRevoked "token.revoked" "A client revoked a token."
    RefreshReused "refresh.reused" "A superseded refresh token was presented, and its authorization was revoked."

    ClientCreated "client.created" "A client was registered."
    ClientChanged "client.changed" "A client's registration was changed."
    ClientDisabled "client.disabled" "A client was disabled, and everything issued to it ended."
    ClientEnabled "client.enabled" "A disabled client was enabled again."
    ClientRemoved "client.removed" "A client was removed for good, and everything issued to it ended."
    ClientAuthenticationRefused "client.authentication_refused" "A request in a client's name did not prove to come from it."
    AssertionReplayed "assertion.replayed" "A client's assertion was presented a second time."
    ProofRefused "proof.refused" "A client's DPoP proofs were refused: how many, and why; a replayed one is among the reasons."

    ResourceCreated "resource.created" "A resource was registered."
    ResourceChanged "resource.changed" "A resource's registration was changed."
    ResourceRemoved "resource.removed" "A resource was removed; its tokens are good nowhere any more."

    KeyCreated "key.created" "A signing key was made and published; it does not sign yet."
    KeyRotated "key.rotated" "A published signing key became the one that signs."
    KeyRetired "key.retired" "A signing key was withdrawn."

    LimitReached "limit.reached" "Requests were turned away because too many came; counted by client, limit and minute."

    IntrospectionFirstUse "introspection.first_use" "An authorization's token was introspected for the first time."
    IntrospectionRefused "introspection.refused" "An API asked about tokens that are not its own; counted by client, reason and minute."
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Kind {
    type Err = UnknownKind;

    fn from_str(name: &str) -> Result<Self, UnknownKind> {
        Self::ALL
            .iter()
            .copied()
            .find(|kind| kind.as_str() == name)
            .ok_or_else(|| UnknownKind(name.to_owned()))
    }
}

impl Serialize for Kind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Kind {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        name.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]

    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_kind_is_found_by_its_own_name() {
        let names: HashSet<_> = Kind::ALL.iter().map(|kind| kind.as_str()).collect();
        assert_eq!(names.len(), Kind::ALL.len());
        for kind in Kind::ALL {
            assert_eq!(kind.as_str().parse(), Ok(*kind));
            let json = serde_json::to_string(kind).unwrap();
            assert_eq!(serde_json::from_str::<Kind>(&json).unwrap(), *kind);
        }
    }

    #[test]
    fn names_are_two_lower_case_words_and_descriptions_one_line() {
        for kind in Kind::ALL {
            let parts: Vec<_> = kind.as_str().split('.').collect();
            assert_eq!(parts.len(), 2, "{kind}");
            for part in parts {
                assert!(!part.is_empty(), "{kind}");
                assert!(
                    part.chars().all(|c| c.is_ascii_lowercase() || c == '_'),
                    "{kind}"
                );
            }
            assert!(kind.description().ends_with('.') && !kind.description().contains('\n'));
        }
    }

    #[test]
    fn an_unknown_name_is_refused() {
        assert_eq!(
            "sign_in.SUCCEEDED".parse::<Kind>(),
            Err(UnknownKind("sign_in.SUCCEEDED".to_owned()))
        );
    }
}
