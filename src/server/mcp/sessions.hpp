// Sessions of the revisions that have them. What a session is stands sealed in its id, so that
// every cell, and every node of the same store, takes it; what it subscribed to, that it has ended,
// and which of its calls wait are kept by this process, bounded (mcp_sessions_max).
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
    };
    void wait(const std::string& key, Waiting waiting);
    void forget(const std::string& key);
    void tell(const std::string& key, std::string what);

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
