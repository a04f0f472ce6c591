// The port to the store: an ordered, durable log per user, and what is derived from it.
//
// The law every backend keeps, and the conformance suite proves:
// - `append` is the commit. It succeeds only if the batch follows the log's durable end; of two
//   appends at the same offset one gets `conflict`. `committed` is reported after the batch is
//   durable, never before. A batch may be committed in part (a prefix) where the outcome is not
//   `committed`; whoever asked reads the log to learn it.
// - An operation id is in a user's log once: an append that would repeat one conflicts.
// - Of the events that expired, the newest expired_operations_per_instance_max operations of each
//   instance stay known to `operations`; of the expired_operations_instances_max instances at least
//   whose events expired last (base/limits.def).
// - `load`, `operations` and `read_log` report durable events only.
// - The epoch of a log is the store's word, from before its first event on: the same for every node
//   and after every restart, another one in another store. The first event has it.
// - Projections are derived from committed events, in their order, and are never ahead of the log.
// - `expire_events` takes what happened away, never what is: the state, the transitions and the
//   responses stay; the log's end stays, and the next event follows it, also where no event is
//   left. What went is in no answer from then on, and, once it was said to be done, in no file.
// - Nothing of one user is ever part of another user's answer.
//
// Threads: a Store belongs to one cell; every call and every callback is on that cell's thread.
// Callbacks run later, never inside the call, and each exactly once, unless the store is destroyed.
#pragma once

#include "base/check.hpp"
#include "base/result.hpp"
#include "model/change.hpp"
#include "model/clock_mark.hpp"
#include "model/event.hpp"

#include <functional>
#include <initializer_list>
#include <map>
#include <memory>
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
    conflict,  // the log's end is elsewhere, or an operation id is in it already
    unknown,   // no answer in time: it may or may not be in the log
    refused,   // certainly not in the log; the error says why (full disk, shutting down)
};
struct AppendResult {
    AppendOutcome outcome = AppendOutcome::unknown;
    std::optional<Error> error;  // with refused
};

// Part of a log: batches that follow each other without a hole.
struct LogSlice {
    std::vector<EventBatchPtr> batches;  // may begin before the offset that was asked for
    LogHead head;                        // the durable end of the log now
    Offset first_kept = 1;
};

struct HistoryItem {
    Offset offset = 0;
    std::int64_t timestamp_ms = 0;
    ContextAction action = ContextAction::updated;
    ContextPtr context;
};

// A change of an instance's mode, and the event that it was.
struct Transition {
    Offset offset = 0;
    ModeState state;
};

// A page of a list, newest first; `before` continues after the last item's offset (0 = from the
// end).
struct PageRequest {
    Offset before = 0;
    std::size_t limit = 100;
};

struct ResponseFilter {
    std::optional<std::string> chat_id;
    std::optional<std::string> message_id;
    std::optional<std::string> provider;
};

struct SearchHit {
    std::string key;
    std::string snippet;  // plain text, matches between U+0002 and U+0003
    double score = 0;     // higher is better
};
// The order of hits, the same on every store.
inline bool is_better(const SearchHit& a, const SearchHit& b) {
    return a.score != b.score ? a.score > b.score : a.key < b.key;
}

struct StoreHealth {
    std::string kind;  // "sqlite", "mongodb", "simulated"
    bool connected = false;
    bool healthy = false;
    bool partial = false;  // with a problem: it concerns some of what is stored, the rest works
    std::int64_t latency_us = 0;  // of the last commit
    std::string problem;          // empty where healthy
};

// Something that is not as it was written.
struct CheckDamage {
    std::string user_id;  // empty: it is of the files, not of one user's memory
    std::string what;     // "page", "record", "event", "context", ...
    std::string name;     // a number, a key
    std::string text;
};

// How far a check of the whole store is, and what it has found.
struct CheckReport {
    bool finished = false;
    std::size_t done = 0;  // of `of`, as a measure of how long it takes yet
    std::size_t of = 0;
    std::size_t pages = 0, records = 0, users = 0, events = 0, rows = 0;  // that were checked
    std::size_t damages = 0;
    std::map<std::string, std::size_t> by_user;  // how many
    std::vector<CheckDamage> list;               // the first of them
};

class Store {
  public:
    template <class T>
    using Callback = std::function<void(Result<T>)>;

    virtual ~Store() = default;

    // Its cost follows the state, not the length of the log.
    virtual void load(const std::string& user_id, Callback<LoadedLog> done) = 0;
    // operation_key() of every kept event, and of each instance's newest expired ones.
    virtual void operations(const std::string& user_id,
                            Callback<std::vector<std::uint64_t>> done) = 0;
    virtual void append(AppendRequest request, std::function<void(AppendResult)> done) = 0;
    // The events after `after`, at least one where there is one, up to about `bytes_max` of text.
    // Errors: history_gone where the log no longer keeps `after` + 1.
    virtual void read_log(const std::string& user_id, Offset after, std::size_t bytes_max,
                          Callback<LogSlice> done) = 0;
    // The offset of the event with this operation key, newest first; 0 where there is none.
    virtual void find_operation(const std::string& user_id, std::uint64_t operation_key,
                                Callback<Offset> done) = 0;
    // True where others, processes or cells, write the same logs: the heart then looks for what
    // they wrote before it answers, and polls for it.
    virtual bool shared() const = 0;
    // The durable end of each of these users' logs, in their order.
    // At most one indexed read for each, whatever the logs' lengths.
    virtual void heads(std::vector<std::string> user_ids, Callback<std::vector<Position>> done) = 0;

    // Past versions of a context, newest first, as far as the log is kept.
    virtual void history(const std::string& user_id, const std::string& key, PageRequest page,
                         Callback<std::vector<HistoryItem>> done) = 0;
    // The context at a version. Errors: history_gone, not_found.
    virtual void read_version(const std::string& user_id, const std::string& key, Version version,
                              Callback<ContextPtr> done) = 0;
    virtual void transitions(const std::string& user_id, std::optional<std::string> instance_id,
                             PageRequest page, Callback<std::vector<Transition>> done) = 0;
    virtual void responses(const std::string& user_id, ResponseFilter filter, PageRequest page,
                           Callback<std::vector<ResponseRecord>> done) = 0;
    // Full-text search over the live contexts: hits, scores, snippets and order as search/match.hpp
    // has them, so that they are the same on every store. Errors: those of search::Query::parse.
    virtual void search(const std::string& user_id, const std::string& query, std::size_t limit,
                        Callback<std::vector<SearchHit>> done) = 0;

    // Drops exactly the events older than `before_ms`, of all users; answers how many. An error:
    // not all of them went; what went is as above once a later call succeeds.
    virtual void expire_events(std::int64_t before_ms, Callback<std::size_t> done) = 0;
    // The users with contexts whose expiry is not after `now_ms`, so that their expiry becomes an
    // event even where nobody is connected.
    virtual void users_with_expired(std::int64_t now_ms, std::size_t limit,
                                    Callback<std::vector<std::string>> done) = 0;
    // The mark that was saved last; where none was, the newest event's date (0: no events).
    virtual void load_clock(Callback<ClockMark> done) = 0;
    virtual void save_clock(const ClockMark& mark) = 0;
    // What to add to this machine's wall clock for the one that all who share the store go by.
    virtual std::int64_t clock_offset_ms() const { return 0; }
    virtual StoreHealth health() const = 0;

    // Checks all that is stored against itself, in small pieces between the reads, and changes
    // nothing. Calls `report` now and then and at the end; false from it ends the check. One runs
    // at a time. Errors: unavailable.
    virtual void check(std::function<bool(Result<CheckReport>)> report) {
        report(fail(Errc::unavailable, "this store cannot be checked while it runs"));
    }
};

}  // namespace dyad
