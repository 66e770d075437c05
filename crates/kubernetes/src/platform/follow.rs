//! Following one object by its name: a look, then watches from there, for as long as it is wanted.

use std::time::Duration;

use futures_util::StreamExt;
use kube::api::{WatchEvent, WatchParams};
use kube::{Api, Resource, ResourceExt};
use serde::de::DeserializeOwned;
use tokio::time::Instant;

use super::calls::{in_words, within};

/// How long one watch lasts, in seconds. A connection that died without a word is noticed by the
/// silence after its end: short, at the cost of one request a minute.
const WATCH_S: u32 = 60;

/// How much later than asked for the end of a watch may come.
const WATCH_GRACE: Duration = Duration::from_secs(5);

/// How long a look at the object, or the opening of a watch, may take.
const LOOK: Duration = Duration::from_secs(5);

/// Between two attempts at a watch that fails, doubled from the first to the second.
const AGAIN: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(2));

/// An attempt that lasted for so long was a good one: the next pause is the shortest again.
const GOOD: Duration = Duration::from_secs(10);

/// Tells every version of one object, and that there is none, for ever.
pub(super) async fn follow<K>(api: Api<K>, name: String, mut tell: impl FnMut(Option<&K>))
where
    K: Resource + Clone + DeserializeOwned + std::fmt::Debug,
{
    let mut pause = AGAIN.0;
    loop {
        let begun = Instant::now();
        let why = look_and_watch(&api, &name, &mut tell).await;
        tracing::debug!(name, why, "an object cannot be watched");
        if begun.elapsed() >= GOOD {
            pause = AGAIN.0;
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(AGAIN.1);
    }
}

/// One look, and watches from there until one fails; why it did.
async fn look_and_watch<K>(api: &Api<K>, name: &str, tell: &mut impl FnMut(Option<&K>)) -> String
where
    K: Resource + Clone + DeserializeOwned + std::fmt::Debug,
{
    let look = match within(LOOK, api.get_opt(name)).await {
        Ok(look) => look,
        Err(error) => return error.to_string(),
    };
    let mut from = look.as_ref().and_then(K::resource_version).unwrap_or_default();
    tell(look.as_ref());
    let only = WatchParams::default().fields(&format!("metadata.name={name}")).timeout(WATCH_S);
    loop {
        let mut events = match within(LOOK, api.watch(&only, &from)).await {
            Ok(opened) => Box::pin(opened),
            Err(error) => return error.to_string(),
        };
        let end = Instant::now() + Duration::from_secs(u64::from(WATCH_S)) + WATCH_GRACE;
        loop {
            let Ok(next) = tokio::time::timeout_at(end, events.next()).await else {
                return "a watch does not end".to_owned();
            };
            match next {
                None => break,
                Some(Ok(WatchEvent::Added(object) | WatchEvent::Modified(object))) => {
                    from = object.resource_version().unwrap_or_default();
                    tell(Some(&object));
                }
                Some(Ok(WatchEvent::Deleted(object))) => {
                    from = object.resource_version().unwrap_or_default();
                    tell(None);
                }
                Some(Ok(WatchEvent::Bookmark(mark))) => from = mark.metadata.resource_version,
                Some(Ok(WatchEvent::Error(error))) => return error.message.clone(),
                Some(Err(error)) => return in_words(&error),
            }
        }
    }
}
