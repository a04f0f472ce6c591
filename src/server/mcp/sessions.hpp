// Sessions of the revisions that have them. What a session is stands sealed in its id, so that
// every cell, and every node of the same store, takes it. What it subscribed to and that it has
// ended is kept by each process, bounded (mcp_sessions_max), and told to the others, as far as the
// bus reaches them; which of its calls wait here is known here alone, and what comes for them
// elsewhere is told in the same way.
//
// Threads: any.
#pragma once

#include "base/mutex.hpp"
#include "server/mcp/registry.hpp"
#include "server/mcp/seal.hpp"

#include <functional>
#include <list>
#include <map>
#include <optional>
#include <set>
#include <string>

namespace dyad::server::mcp {

struct Session {
    std::string serial;  // never used twice
    std::string version;
    std::string user;
    std::string instance;
    ClientCapabilities capabilities;
};

class Sessions {
  public:
    explicit Sessions(const Sealer& sealer) : sealer_(sealer) {}

    // The id of a new session at the endpoint `path`.
    std::string begin(std::string_view path, const Session& session) const;
    // Nothing where there is none, or it has ended.
    std::optional<Session> find(std::string_view path, std::string_view id) const;
    void end(const std::string& serial);
    bool has_ended(const std::string& serial) const;

    // False: it has mcp_subscriptions_max of them.
    bool subscribe(const std::string& serial, const std::string& uri);
    void unsubscribe(const std::string& serial, const std::string& uri);
    bool is_subscribed(const std::string& serial, const std::string& uri) const;
    std::set<std::string> subscriptions(const std::string& serial) const;

    // What waits for a message of a session, which may come at any cell: told at most once, on the
    // thread that `post` reaches.
    struct Waiting {
        std::function<void(std::function<void()>)> post;
        std::function<void(std::string)> call;
        std::uint64_t owner = 0;  // where a key may be taken over
    };
    void wait(const std::string& key, Waiting waiting);
    // Unless it is another owner's by now.
    void forget(const std::string& key, std::uint64_t owner = 0);
    // False: nothing waits for it here.
    bool tell(const std::string& key, std::string what);
    // What another node told.
    void take(const SessionNote& note);

    // `what`, as other nodes are told it.
    SessionNote message(const std::string& key, std::string_view what) const;

  private:
    struct Record {
        std::set<std::string> uris;
        bool ended = false;
        std::list<std::string>::iterator place;
    };
    Record& record(const std::string& serial) REQUIRES(mutex_);

    const Sealer& sealer_;
    mutable Mutex mutex_;
    std::map<std::string, Record> records_ GUARDED_BY(mutex_);
    std::list<std::string> order_ GUARDED_BY(mutex_);  // the last used one at its end
    std::map<std::string, Waiting> waiting_ GUARDED_BY(mutex_);
};

}  // namespace dyad::server::mcp
