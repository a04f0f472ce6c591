// How a command gets into the log: it waits in a queue; where no batch is under way, what waits is
// decided and appended as one.
//
//   batch      what it is                                leaves it
//   none       commands wait for a turn                  pump: awaited, or none where nothing is to
//                                                        be written
//   awaited    the store has not answered                refused: none, with its answers
//                                                        committed: durable
//                                                        conflict, duplicate, no answer: unsettled
//   durable    it is in the log, as it is                it is in the state, too: none, with its
//                                                        answers; at once, or after a read
//   unsettled  it may be in the log, whole or in part    the log was read to its end, or the answer
//                                                        says that nothing of it got in: none, and
//                                                        what is not in it is decided again
//
// A command is answered once, when its outcome is known or its time is over; see Pending.
#pragma once

#include "core/decide.hpp"
#include "core/pending.hpp"
#include "core/repeats.hpp"
#include "store/log.hpp"

#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <string_view>
#include <vector>

namespace dyad::core {

class UserLog;

class LogWriter {
  public:
    explicit LogWriter(UserLog& user);

    void submit(Pending&& pending);
    // Decides what waits, where it can be.
    void pump();
    // A command that was taken out of the queue is to be decided next.
    void put_back(Pending&& pending);
    void reply(Pending& pending, Answer&& answer);
    // The log was read to its end, or could not be, since the answer that settled nothing.
    void settle(const Status& read);
    void loaded();
    void cannot_load(const Error& error);
    // An event was read that may be of the batch under way.
    void adopted(const EventEntry& entry, Offset offset);
    // The command with this key that waits or is being written; null: none is.
    const Pending* find(std::uint64_t operation_key) const;
    void give_up_old(std::int64_t now_ms);
    // When give_up_old() has something to do.
    std::int64_t give_up_ms() const;
    bool idle() const noexcept { return queue_.empty() && !in_flight_; }

  private:
    enum class Outcome : std::uint8_t { awaited, durable, unsettled };
    struct InFlightBatch {
        EventBatchPtr batch;
        Changes changes;
        std::vector<Pending> writes;  // of the events, in order
        // Answers that rest on what the batch does, though they are not in it.
        std::vector<PendingAnswer> dependents;
        Outcome outcome = Outcome::awaited;
        bool has_duplicates = false;
        Offset inserted = 0;  // the last event of it that was read in the log; 0: none was
        std::int64_t since_ms = INT64_MAX;  // of the oldest command without an answer
        std::int64_t sent_ms = 0;           // steady
    };
    // A batch that is being put together.
    struct Draft {
        InFlightBatch flight;
        EventBatch batch;
        LogHead head;
        View view;
    };

    void decide_queue();
    void decide_one(Draft& draft, Pending&& pending);
    void write(Draft& draft, Pending&& pending, Change&& change, std::int64_t now_ms);
    void answer_without_event(Draft& draft, Pending&& pending, Answer&& answer);
    void append(Draft&& draft);
    void decide_afresh(std::vector<PendingAnswer> unproven);
    void forget_other_log(Pending& pending) const;
    void fill_version(Pending pending, const NeedsVersion& needed);
    void answered(const AppendResult& result);
    void committed();
    void refused(const Error& error);
    bool note_duplicates(const AppendResult& result);
    void requeue();
    void finish();
    void give_up(Pending& pending, bool written);

    UserLog& user_;
    Repeats repeats_;
    const std::function<bool(std::string_view)> is_present_;
    std::deque<Pending> queue_;
    std::optional<InFlightBatch> in_flight_;
};

}  // namespace dyad::core
