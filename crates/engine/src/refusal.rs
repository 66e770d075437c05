//! Error replies of an engine, and what each means for us (engine.md 1.7).

use std::fmt;

/// An error reply, by its first word. Any of them proves that the engine is alive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Loads its data: not ready, not promotable.
    Loading,
    /// A replica without its primary that may serve nothing stale.
    MasterDown,
    /// A write at a replica.
    ReadOnly,
    /// Too few replicas in reach for a write: the second line of the fence (F5).
    NoReplicas,
    /// Cannot write to its disk, and so refuses writes, and `PING` too.
    MisConf,
    /// In the middle of a long script or function.
    Busy,
    /// Above `maxmemory` with nothing that may be evicted.
    Oom,
    /// Wants a password first.
    NoAuth,
    /// User and password do not fit, or the user is off.
    WrongPass,
    /// The user may not do this.
    NoPerm,
    /// Asked for its stream while it has none itself: what a dead end says.
    NoMasterLink,
    /// The slot is elsewhere.
    Moved {
        /// The slot.
        slot: u16,
        /// `host:port`; the host is empty where the engine announces none.
        to: String,
    },
    /// The slot is on its way elsewhere: ask there, once.
    Ask {
        /// The slot.
        slot: u16,
        /// `host:port`.
        to: String,
    },
    /// A Valkey ≥ 8 replica that names its primary to a client that can follow.
    Redirect {
        /// `host:port`.
        to: String,
    },
    /// The cluster does not serve this.
    ClusterDown,
    /// Keys of one command are split while their slot moves.
    TryAgain,
    /// A blocked command was ended by a change of role: it may have been executed.
    Unblocked,
    /// A script that is not in the cache.
    NoScript,
    /// The type of the value does not fit the command.
    WrongType,
    /// The transaction was dropped because one of its commands was refused.
    ExecAbort,
    /// Could not talk to the other side of a `MIGRATE`: state unknown.
    IoErr,
    /// The protocol version is not known.
    NoProto,
    /// `-ERR` and everything that is not named above.
    Other {
        /// The first word.
        code: String,
    },
}

impl Refusal {
    /// Reads an error reply, with or without its leading `-`.
    pub fn parse(reply: &str) -> Self {
        let reply = reply.strip_prefix('-').unwrap_or(reply).trim_end();
        let (code, rest) = reply.split_once(' ').unwrap_or((reply, ""));
        match code {
            "LOADING" => Self::Loading,
            "MASTERDOWN" => Self::MasterDown,
            "READONLY" => Self::ReadOnly,
            "NOREPLICAS" => Self::NoReplicas,
            "MISCONF" => Self::MisConf,
            "BUSY" => Self::Busy,
            "OOM" => Self::Oom,
            "NOAUTH" => Self::NoAuth,
            "WRONGPASS" => Self::WrongPass,
            "NOPERM" => Self::NoPerm,
            "NOMASTERLINK" => Self::NoMasterLink,
            "CLUSTERDOWN" => Self::ClusterDown,
            "TRYAGAIN" => Self::TryAgain,
            "UNBLOCKED" => Self::Unblocked,
            "NOSCRIPT" => Self::NoScript,
            "WRONGTYPE" => Self::WrongType,
            "EXECABORT" => Self::ExecAbort,
            "IOERR" => Self::IoErr,
            "NOPROTO" => Self::NoProto,
            "REDIRECT" if !rest.is_empty() => Self::Redirect { to: rest.to_owned() },
            "MOVED" | "ASK" => Self::redirection(code, rest),
            _ => Self::Other { code: code.to_owned() },
        }
    }

    fn redirection(code: &str, rest: &str) -> Self {
        let parsed = rest.split_once(' ').and_then(|(slot, to)| {
            let slot = slot.parse::<u16>().ok().filter(|slot| *slot < 16_384)?;
            Some((slot, to.to_owned()))
        });
        match (code, parsed) {
            ("MOVED", Some((slot, to))) => Self::Moved { slot, to },
            ("ASK", Some((slot, to))) => Self::Ask { slot, to },
            _ => Self::Other { code: code.to_owned() },
        }
    }

    /// Whether the command was certainly not executed, so that it may be sent again or elsewhere.
    /// `false` is "not known": an error of the command itself, a blocked command that was ended.
    pub fn is_before_execution(&self) -> bool {
        match self {
            Self::Loading
            | Self::MasterDown
            | Self::ReadOnly
            | Self::NoReplicas
            | Self::MisConf
            | Self::Busy
            | Self::Oom
            | Self::NoAuth
            | Self::WrongPass
            | Self::NoPerm
            | Self::NoMasterLink
            | Self::Moved { .. }
            | Self::Ask { .. }
            | Self::Redirect { .. }
            | Self::ClusterDown
            | Self::TryAgain
            | Self::NoScript
            | Self::ExecAbort
            | Self::NoProto => true,
            Self::Unblocked | Self::WrongType | Self::IoErr | Self::Other { .. } => false,
        }
    }

    /// Whether waiting for the same engine may be enough: nobody has to change anything.
    pub fn passes_by_itself(&self) -> bool {
        matches!(
            self,
            Self::Loading | Self::MasterDown | Self::Busy | Self::TryAgain | Self::ClusterDown
        )
    }

    /// Whether another engine is the one to ask.
    pub fn is_wrong_member(&self) -> bool {
        matches!(
            self,
            Self::ReadOnly | Self::Moved { .. } | Self::Ask { .. } | Self::Redirect { .. }
        )
    }

    /// Whether user, password or rights are what is wrong.
    pub fn is_auth(&self) -> bool {
        matches!(self, Self::NoAuth | Self::WrongPass | Self::NoPerm)
    }

    /// Whether the engine serves other commands as usual although it refused this one: it is a
    /// useful primary, and a renewal may go on (failover.md 2.4, renewal tied to usefulness).
    pub fn is_healthy_engine(&self) -> bool {
        !matches!(self, Self::Loading | Self::MasterDown | Self::MisConf | Self::Busy)
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Loading => "it loads its data",
            Self::MasterDown => "it has lost its primary and may not serve stale data",
            Self::ReadOnly => "it is a replica and takes no writes",
            Self::NoReplicas => "too few replicas are in reach for a write",
            Self::MisConf => "it cannot write to its disk",
            Self::Busy => "it runs a long script",
            Self::Oom => "its memory limit is reached",
            Self::NoAuth => "it wants a password",
            Self::WrongPass => "user and password do not fit",
            Self::NoPerm => "the user has no right to this command",
            Self::NoMasterLink => "it has no stream of its own to pass on",
            Self::ClusterDown => "the cluster does not serve this slot",
            Self::TryAgain => "the slot of these keys is moving",
            Self::Unblocked => "its role changed while the command waited",
            Self::NoScript => "it does not have this script",
            Self::WrongType => "the value has another type",
            Self::ExecAbort => "the transaction was dropped",
            Self::IoErr => "it could not reach the other engine",
            Self::NoProto => "it does not speak this protocol version",
            Self::Moved { slot, to } => return write!(f, "slot {slot} is at {to}"),
            Self::Ask { slot, to } => return write!(f, "slot {slot} is moving to {to}"),
            Self::Redirect { to } => return write!(f, "the primary is {to}"),
            Self::Other { code } => return write!(f, "it answered {code}"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn real_replies() {
        let moved = |slot, to: &str| Refusal::Moved { slot, to: to.to_owned() };
        for (reply, want, before) in [
            ("-LOADING Redis is loading the dataset in memory", Refusal::Loading, true),
            ("LOADING Valkey is loading the dataset in memory", Refusal::Loading, true),
            (
                "-MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.",
                Refusal::MasterDown,
                true,
            ),
            ("READONLY You can't write against a read only replica.", Refusal::ReadOnly, true),
            ("-NOREPLICAS Not enough good replicas to write.", Refusal::NoReplicas, true),
            (
                "-MISCONF Errors writing to the AOF file: No space left on device",
                Refusal::MisConf,
                true,
            ),
            (
                "-BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN \
                 NOSAVE.",
                Refusal::Busy,
                true,
            ),
            ("-OOM command not allowed when used memory > 'maxmemory'.", Refusal::Oom, true),
            ("-NOAUTH Authentication required.", Refusal::NoAuth, true),
            (
                "-WRONGPASS invalid username-password pair or user is disabled.",
                Refusal::WrongPass,
                true,
            ),
            (
                "-NOMASTERLINK Can't SYNC while not connected with my master",
                Refusal::NoMasterLink,
                true,
            ),
            ("-MOVED 8579 127.0.0.1:20611", moved(8579, "127.0.0.1:20611"), true),
            ("-MOVED 8579 :20611", moved(8579, ":20611"), true),
            ("-ASK 0 [::1]:7", Refusal::Ask { slot: 0, to: "[::1]:7".to_owned() }, true),
            ("-CLUSTERDOWN Hash slot not served", Refusal::ClusterDown, true),
            (
                "-UNBLOCKED force unblock from blocking operation, instance state changed \
                 (master -> replica?)",
                Refusal::Unblocked,
                false,
            ),
            ("-ERR unknown command 'FOO'", Refusal::Other { code: "ERR".to_owned() }, false),
            ("-MOVED", Refusal::Other { code: "MOVED".to_owned() }, false),
            ("-MOVED 99999 a:1", Refusal::Other { code: "MOVED".to_owned() }, false),
            ("", Refusal::Other { code: String::new() }, false),
        ] {
            let refusal = Refusal::parse(reply);
            assert_eq!(refusal, want, "{reply}");
            assert_eq!(refusal.is_before_execution(), before, "{reply}");
        }
    }
}
