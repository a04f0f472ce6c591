// The port to the log: an ordered, durable list of events per user. See also store/archive.hpp.
//
// The law every backend keeps, and the conformance suite proves:
// - `append` is the commit. It succeeds only if the batch follows the log's durable end; of two
//   appends at the same offset one gets `conflict`. `committed` is reported after the batch is
//   durable, never before. A batch may be committed in part (a prefix) where the outcome is not
//   `committed`; whoever asked reads the log to learn it.
// - An operation is in a user's log once, however long ago that was: an append that would repeat
//   one gets `duplicate`, and nothing is committed from the first event on that does.
// - Of the events that expired, the newest expired_operations_per_instance_max operations of each
//   instance stay known; of the expired_operations_instances_max instances at least whose events
//   expired last (base/limits.def).
// - `load`, `read`, `find` and `heads` report durable events only; `duplicate` may name one that is
//   not durable yet.
// - The epoch of a log is the store's word, from before its first event on: the same for every node
//   and after every restart, another one in another store. The first event has it.
// - Nothing of one user is ever part of another user's answer.
//
// Threads: a Log belongs to one cell; every call and every callback is on that cell's thread.
// Callbacks run later, never inside the call, and each exactly once, unless the store is destroyed.
#pragma once

#include "base/check.hpp"
#include "base/result.hpp"
#include "model/change.hpp"
#include "model/event.hpp"

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace dyad {

// A user's memory as the store has it.
struct LoadedLog {
    LogHead head;           // of a log without events, too: offset 0, and what the first chains to
    Offset first_kept = 1;  // the oldest event that is still in the log; head.offset + 1: none is
    State state;            // folded up to `head`
};

// The contents of a batch's events, typed. Copies share one list, which grows only until then.
class Changes {
  public:
    Changes() = default;
    Changes(std::vector<Change> list)
        : list_(std::make_shared<std::vector<Change>>(std::move(list))) {}
    Changes(std::initializer_list<Change> list) : Changes(std::vector<Change>(list)) {}

    void reserve(std::size_t count) { own().reserve(count); }
    void push_back(const Change& change) { own().push_back(change); }
    void push_back(Change&& change) { own().push_back(std::move(change)); }
    const std::vector<Change>& all() const noexcept {
        static const std::vector<Change> none;
        return list_ ? *list_ : none;
    }
    operator const std::vector<Change>&() const noexcept { return all(); }
    bool empty() const noexcept { return all().empty(); }
    std::size_t size() const noexcept { return all().size(); }
    const Change& operator[](std::size_t i) const { return all()[i]; }
    const Change& back() const { return all().back(); }
    auto begin() const noexcept { return all().begin(); }
    auto end() const noexcept { return all().end(); }

  private:
    std::vector<Change>& own() {
        if (!list_) list_ = std::make_shared<std::vector<Change>>();
        CHECK(list_.use_count() == 1);
        return *list_;
    }

    std::shared_ptr<std::vector<Change>> list_;
};

struct AppendRequest {
    std::string user_id;
    EventBatchPtr batch;  // batch->first and prev_hash say what it must follow
    Changes changes;      // batch->size() of them
};

enum class AppendOutcome : std::uint8_t {
    committed,
    conflict,   // the log's end is elsewhere
    duplicate,  // an operation is in the log already, or is in the batch twice
    unknown,    // no answer in time: it may or may not be in the log
    refused,    // certainly not in the log; the error says why (full disk, shutting down)
};
// An event of a batch whose operation was applied before.
struct Duplicate {
    std::size_t event = 0;  // its index
    Offset offset = 0;      // of the event that has the operation; 0: that one has expired
};
struct AppendResult {
    AppendOutcome outcome = AppendOutcome::unknown;
    std::optional<Error> error{};         // with refused
    std::vector<Duplicate> duplicates{};  // with duplicate: the first at least, by their index
    bool is_untouched = false;            // with duplicate: surely nothing of the batch got in
};

// Part of a log: batches that follow each other without a hole.
struct LogSlice {
    std::vector<EventBatchPtr> batches;  // may begin before the offset that was asked for
    LogHead head;                        // the durable end of the log now
    Offset first_kept = 1;
};

// A client's operation. Its id is its instance's own: others may use the same.
struct OperationId {
    std::string instance_id;
    std::string operation_id;
};

class Log {
  public:
    template <class T>
    using Callback = std::function<void(Result<T>)>;

    virtual ~Log() = default;

    // Its cost follows the state, not the length of the log.
    virtual void load(const std::string& user_id, Callback<LoadedLog> done) = 0;
    // Requires: the batch has events, and as many changes.
    virtual void append(AppendRequest request, std::function<void(AppendResult)> done) = 0;
    // The end of a turn: appends may have waited for it, so that those of many users go together.
    virtual void flush() {}
    // The events after `after`, at least one where there is one, up to about `bytes_max` of text.
    // Errors: history_gone where the log no longer keeps `after` + 1.
    virtual void read(const std::string& user_id, Offset after, std::size_t bytes_max,
                      Callback<LogSlice> done) = 0;
    // The offset of the operation's event; 0: it has expired. Nothing: it is not known.
    // At most one indexed read, whatever the log's length.
    virtual void find(const std::string& user_id, OperationId operation,
                      Callback<std::optional<Offset>> done) = 0;
    // The durable end of each of these users' logs, in their order.
    // At most one indexed read for each, whatever the logs' lengths.
    virtual void heads(std::vector<std::string> user_ids, Callback<std::vector<Position>> done) = 0;
    // True where others, processes or cells, write the same logs: the heart then looks for what
    // they wrote before it answers, and polls for it.
    virtual bool shared() const = 0;
};

}  // namespace dyad
