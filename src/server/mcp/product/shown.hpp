// What agents were shown in which session: so that nothing is shown twice that has not changed. One
// for all cells of a process, as an agent's requests come to any of them; other nodes are told what
// changes, as far as the bus reaches them. It does not outlive the process: what a node does not
// know was shown is shown again.
//
// Bounded by mcp_shown_bytes_max and mcp_shown_sessions_max: the session that asked longest ago is
// forgotten first.
#pragma once

#include "base/limits.hpp"
#include "base/mutex.hpp"
#include "bus/bus.hpp"
#include "model/context.hpp"

#include <cstddef>
#include <functional>
#include <list>
#include <map>
#include <string>
#include <utility>

namespace dyad::server::mcp {

class Shown {
  public:
    // By their keys, the versions that were shown last.
    using Facts = std::map<std::string, Version, std::less<>>;
    using Look = std::function<void(Facts&)>;
    // Takes what other nodes are to know; null: there are none.
    using Tell = std::function<void(SessionNote)>;

    explicit Shown(std::size_t bytes_max = limits::mcp_shown_bytes_max,
                   std::size_t sessions_max = limits::mcp_shown_sessions_max)
        : bytes_max_(bytes_max), sessions_max_(sessions_max) {}
    static Shown& of_process();

    // `look(facts)` reads and changes what the session was shown; nobody else does meanwhile. A
    // session begins with nothing; `anew`: it begins again.
    void with(const std::string& user, const std::string& session, const Look& look,
              const Tell& tell = nullptr, bool anew = false) EXCLUDES(mutex_);
    // What another node told.
    void take(const SessionNote& note) EXCLUDES(mutex_);
    std::size_t sessions() EXCLUDES(mutex_);

  private:
    using Name = std::pair<std::string, std::string>;  // the user, the session
    struct Session {
        Name name;
        Facts facts;
        std::size_t bytes = 0;
    };

    Session& of(const std::string& user, const std::string& session) REQUIRES(mutex_);
    // Counts the bytes of the session that was used, and forgets others.
    void settle() REQUIRES(mutex_);

    Mutex mutex_;
    std::list<Session> sessions_ GUARDED_BY(mutex_);  // who asked last comes first
    std::map<Name, std::list<Session>::iterator> by_name_ GUARDED_BY(mutex_);
    std::size_t bytes_ GUARDED_BY(mutex_) = 0;
    const std::size_t bytes_max_;
    const std::size_t sessions_max_;
};

}  // namespace dyad::server::mcp
