//! How a connection takes its leave.

use gamewire_wire::{messages, udp};

use super::{
    Connection,
    phase::{GOODBYE_INTERVAL_US, Goodbye, Phase},
};
use crate::{
    Time,
    drops::DropReason,
    end::{EndInfo, EndReason},
};

impl Connection {
    pub(super) fn break_off(&mut self, now: Time, reason: EndReason, text: &str) {
        tracing::debug!(connection = self.local_id, reason = reason.0, "connection broke: {text}");
        self.end = Some(EndInfo::new(reason, text));
        self.say_goodbye();
        self.enter(Phase::Broken(Goodbye::starting(now)));
    }

    pub(super) fn finish_linger(&mut self, now: Time) {
        if matches!(self.phase, Phase::Lingering) && self.queues.all_reliable_acked() {
            self.say_goodbye();
            self.enter(Phase::FinWait(Goodbye::starting(now)));
        }
    }

    pub(super) fn repeat_goodbye(&mut self, now: Time) {
        let (Phase::Broken(goodbye) | Phase::FinWait(goodbye)) = &mut self.phase else {
            return;
        };
        if now < goodbye.next {
            self.drops.count(DropReason::ReplyLimited);
            return;
        }
        goodbye.next = now.plus_micros(GOODBYE_INTERVAL_US);
        self.say_goodbye();
    }

    pub(super) fn say_goodbye(&mut self) {
        let Some(end) = &self.end else { return };
        let message = messages::ConnectionClosed {
            to_connection_id: Some(self.remote_id),
            from_connection_id: Some(self.local_id),
            reason_code: Some(end.reason.0.unsigned_abs()),
            debug: (!end.debug.is_empty()).then(|| end.debug.clone()),
        };
        let mut bytes = Vec::new();
        udp::encode_connection_closed(&message, &mut bytes);
        self.queue_control(bytes);
    }
}
