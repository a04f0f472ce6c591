// What of the memory a session is told, and what it was told before: never an unchanged thing
// twice.
#pragma once

#include "base/mutex.hpp"
#include "model/context.hpp"
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

// What each session was shown, for the last hook_sessions_max of them; of each the last
// hook_shown_max contexts. One for all cells of a process, as the events of a session come to any
// of them; it does not outlive the process: then things are shown again. Threads: any.
class Shown {
  public:
    static Shown& of_process();

    // 0: not shown.
    Version version(const std::string& session, const std::string& key) const;
    void note(const std::string& session, const std::string& key, Version version);
    // The session has forgotten what it was shown.
    void forget(const std::string& session);
    // Notes the event; true where the same came within hook_repeat_ms.
    bool is_repeat(const std::string& session, std::uint64_t event, std::int64_t now_ms);
    // Its compaction was announced; true where that was so before.
    bool note_compaction(const std::string& session, bool announced);

  private:
    struct Session {
        std::string id;
        std::map<std::string, Version, std::less<>> versions;
        std::map<std::uint64_t, std::int64_t> events;  // when they came
        bool announces = false;                        // that it will be compacted
    };
    Session& of(const std::string& id) REQUIRES(mutex_);

    mutable Mutex mutex_;
    std::list<Session> sessions_ GUARDED_BY(mutex_);  // the latest first
    std::unordered_map<std::string, std::list<Session>::iterator> by_id_ GUARDED_BY(mutex_);
};

struct Wanted {
    std::string user;
    std::string session;
    std::string folder;
    std::string task;     // what is about to be done; empty: the session begins
    bool resumes = false;  // and what the session said itself is gone from its memory
    std::size_t bytes_max = 0;
};

// A text for the session, or an empty one; and it counts as shown. Errors: those of the reads.
// Lifetime: `shown` is the process's, or outlives the node. Threads: the cell's.
void brief(Node& node, Shown& shown, Wanted wanted, std::function<void(Result<std::string>)> done);

// The key of what is kept of a session.
std::string session_key(std::string_view session);

}  // namespace dyad::server::hooks
