//! The order of candidates: data first, preference only among equals (failover.md 2.8).

use std::cmp::Ordering;

use crate::message::Standing;

/// Better first. The highest stamp leads whatever its preference: preferences (a store and a
/// disk that answer, quarantine, room, ordinal) order equals only.
pub fn compare(a: &Standing, b: &Standing) -> Ordering {
    b.stamp
        .compare(&a.stamp)
        .then_with(|| a.unable.cmp(&b.unable))
        .then_with(|| a.quarantined.cmp(&b.quarantined))
        .then_with(|| b.roomy.cmp(&a.roomy))
        .then_with(|| a.who.id.name.ordinal().cmp(&b.who.id.name.ordinal()))
        .then_with(|| a.who.id.name.cmp(&b.who.id.name))
}

/// The best of these.
pub fn best<'a>(all: impl IntoIterator<Item = &'a Standing>) -> Option<&'a Standing> {
    all.into_iter().min_by(|a, b| compare(a, b))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::{Epoch, Incarnation, MemberId, MemberName};
    use crate::stamp::Stamp;
    use engine::{Offset, Replid};

    fn member(ordinal: u32, epoch: u64, offset: u64, complete: bool) -> Standing {
        let name = MemberName(format!("g-{ordinal}"));
        Standing {
            who: Incarnation {
                id: MemberId { name, pod: String::new(), state: String::new() },
                boot: String::new(),
            },
            stamp: Stamp {
                epoch: Epoch(epoch),
                replid: Replid::default(),
                offset: Offset(offset),
                durable: Offset(offset),
                complete,
                origin: false,
                filled: true,
                hollow: false,
            },
            exact: true,
            attached_in: None,
            epoch: Epoch(epoch),
            virgin: false,
            lost: false,
            ready: true,
            keys: 1,
            link_up: false,
            syncing: false,
            link_run: 0,
            stopping: false,
            quarantined: false,
            roomy: true,
            holder_may_live: false,
            unable: false,
        }
    }

    #[test]
    fn data_come_before_preference() {
        let fuller = Standing { quarantined: true, roomy: false, ..member(9, 3, 11, true) };
        let preferred = member(0, 3, 10, true);
        assert_eq!(best([&preferred, &fuller]), Some(&fuller));
    }

    #[test]
    fn completeness_then_epoch_then_offset_then_ordinal() {
        let all = [
            member(0, 9, 99, false),
            member(1, 2, 50, true),
            member(2, 3, 10, true),
            member(4, 3, 11, true),
            member(3, 3, 11, true),
        ];
        let mut order: Vec<_> = all.iter().collect();
        order.sort_by(|a, b| compare(a, b));
        let ordinals: Vec<u32> = order.iter().map(|s| s.who.id.name.ordinal()).collect();
        assert_eq!(ordinals, [3, 4, 2, 1, 0]);
    }

    #[test]
    fn an_empty_copy_that_proves_nothing_comes_after_every_complete_one() {
        let mut hollow = member(0, 9, 99, true);
        hollow.stamp.hollow = true;
        let (some, half) = (member(1, 1, 1, true), member(2, 9, 99, false));
        assert_eq!(best([&hollow, &some, &half]), Some(&some));
        assert_eq!(best([&hollow, &half]), Some(&hollow));
    }

    #[test]
    fn a_quarantined_equal_comes_last() {
        let sick = Standing { quarantined: true, ..member(0, 3, 11, true) };
        let well = member(1, 3, 11, true);
        assert_eq!(best([&sick, &well]), Some(&well));
        let unable = Standing { unable: true, ..member(0, 3, 11, true) };
        assert_eq!(best([&unable, &sick]), Some(&sick));
    }
}
