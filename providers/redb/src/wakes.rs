use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use parking_lot::Mutex;
use tokio::sync::Notify;

/// Who waits for messages, by group.
#[derive(Default)]
pub(crate) struct Wakes(Mutex<HashMap<u64, Vec<Arc<Notify>>>>);

impl Wakes {
    pub(crate) fn join(&self, group: u64, member: &Arc<Notify>) {
        self.0.lock().entry(group).or_default().push(member.clone());
    }

    pub(crate) fn leave(&self, group: u64, member: &Arc<Notify>) {
        let mut groups = self.0.lock();
        if let Some(members) = groups.get_mut(&group) {
            members.retain(|other| !Arc::ptr_eq(other, member));
            if members.is_empty() {
                groups.remove(&group);
            }
        }
    }

    /// All members of all groups.
    pub(crate) fn wake_all(&self) {
        self.0.lock().values().flatten().for_each(|member| member.notify_one());
    }

    /// All members: one alone might be about to leave, or not look for a while.
    pub(crate) fn wake(&self, touched: &BTreeSet<u64>) {
        let groups = self.0.lock();
        touched.iter().filter_map(|group| groups.get(group)).flatten().for_each(|member| member.notify_one());
    }
}
