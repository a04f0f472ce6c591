// What of the memory a session is told, and what it was told before: never an unchanged thing
// twice.
#pragma once

#include "base/mutex.hpp"
#include "server/mcp/product/shown.hpp"
#include "server/node_info.hpp"

#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace dyad::server::hooks {

// The events of sessions, so that none is taken twice; of the last hook_sessions_max sessions. One
// for all cells of a process, as the events of a session come to any of them; other nodes are told,
// as far as the bus reaches them (server/hooks/door.cpp). Threads: any.
class Sessions {
  public:
    static Sessions& of_process();

    // Notes the event; true where the same came within hook_repeat_ms.
    bool is_repeat(const std::string& session, std::uint64_t event, std::int64_t now_ms)
        EXCLUDES(mutex_);
    bool knows(const std::string& session) EXCLUDES(mutex_);
    // `announced`: its compaction is; true where one was before.
    bool note_compaction(const std::string& session, bool announced) EXCLUDES(mutex_);
    // What another node told.
    void take(const SessionNote& note, std::int64_t now_ms);

  private:
    struct Session {
        std::string id;
        std::map<std::uint64_t, std::int64_t> events{};  // when they came
        bool announces = false;                          // that it will be compacted
    };
    Session& of(const std::string& id) REQUIRES(mutex_);

    Mutex mutex_;
    std::list<Session> sessions_ GUARDED_BY(mutex_);  // the latest first
    std::unordered_map<std::string, std::list<Session>::iterator> by_id_ GUARDED_BY(mutex_);
};

struct Wanted {
    std::string user;
    std::string session;
    std::string folder;
    std::string task;      // what is about to be done; empty: the session begins
    bool resumes = false;  // and what the session said itself is gone from its memory
    std::size_t bytes_max = 0;
};

// A text for the session, or an empty one; and what is in it counts as shown. Errors: those of the
// reads. Lifetime: `shown` is the process's, or outlives the node. Threads: the cell's.
void brief(Node& node, mcp::Shown& shown, Wanted wanted,
           std::function<void(Result<std::string>)> done);

// The key of what is kept of a session.
std::string session_key(std::string_view session);

}  // namespace dyad::server::hooks
