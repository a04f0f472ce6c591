// The port to what is derived from the log, and to what keeps it in shape.
//
// The law every backend keeps, and the conformance suite proves:
// - What is derived is of committed events, in their order, and never ahead of the log.
// - `expire_events` takes what happened away, never what is: the state, the transitions and the
//   responses stay; the log's end stays, and the next event follows it, also where no event is
//   left. What went is in no answer from then on, and, once it was said to be done, in no file.
// - Nothing of one user is ever part of another user's answer.
//
// Threads and callbacks: as those of the log, store/log.hpp.
#pragma once

#include "base/result.hpp"
#include "model/change.hpp"
#include "model/clock_mark.hpp"
#include "model/event.hpp"

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace dyad {

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

class Archive {
  public:
    template <class T>
    using Callback = std::function<void(Result<T>)>;

    virtual ~Archive() = default;

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
    // Puts a copy of all that is stored where `dyad-memory backup` looks for it, in small pieces
    // between the reads; `report` and errors as those of check().
    virtual void copy(std::function<bool(Result<CheckReport>)> report) {
        report(fail(Errc::unavailable, "this store is backed up without its server"));
    }
};

}  // namespace dyad
