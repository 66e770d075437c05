//! What reaches the judgement: news, questions and wishes, in one bounded queue.

use brain::report::MemberReport;
use brain::{Input, Reason, Wish};
use tokio::sync::{mpsc, oneshot};

use crate::AgentError;

/// Inputs that wait for the judgement. It takes microseconds for each; a queue of this length means
/// that it stands still, and then whoever brings more waits.
pub(crate) const LENGTH: usize = 1024;

/// One thing for the judgement. Nearly all of them are inputs, so the largest is the usual one.
#[derive(Debug)]
#[allow(clippy::large_enum_variant)]
pub(crate) enum Inbound {
    /// News of the world.
    Input(Input),
    /// Somebody wants something; the answer may take as long as a handover.
    Ask {
        /// What.
        wish: Wish,
        /// What came of it.
        reply: oneshot::Sender<Result<String, String>>,
    },
    /// Something that people who ask why must find, though nobody decides by it.
    Told(Reason),
    /// How do you stand?
    Report(oneshot::Sender<MemberReport>),
    /// The agent cannot go on.
    Fatal(Box<AgentError>),
}

/// The end where things are put in.
pub(crate) type Inbox = mpsc::Sender<Inbound>;

/// Puts one input in. A closed queue means that the agent is ending: then nobody needs it.
pub(crate) async fn tell(inbox: &Inbox, input: Input) {
    let _ = inbox.send(Inbound::Input(input)).await;
}

/// Asks the judgement how it stands; `None` when it does not answer in time.
pub(crate) async fn report(inbox: &Inbox, within: std::time::Duration) -> Option<MemberReport> {
    let ask = async {
        let (reply, answer) = oneshot::channel();
        inbox.send(Inbound::Report(reply)).await.ok()?;
        answer.await.ok()
    };
    tokio::time::timeout(within, ask).await.ok().flatten()
}
