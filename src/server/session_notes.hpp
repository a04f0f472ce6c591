// What other nodes tell of agents' sessions (bus/bus.hpp), for the tables that the cells of a
// process have in common. Every cell hears each note, and the first that does takes it: so what the
// bus has brought to a cell is known there before the request that it reads next.
//
// Threads: any.
#pragma once

#include "base/mutex.hpp"
#include "bus/bus.hpp"

#include <cstdint>
#include <functional>
#include <map>

namespace dyad::server {

class SessionNotes {
  public:
    // Calls `take`, unless this note of the node has been taken, or a later one.
    void take(const SessionNote& note, const std::function<void()>& take) EXCLUDES(mutex_) {
        const MutexLock lock(mutex_);
        if (taken_.size() >= kNodesMax && !taken_.contains(note.node)) taken_.clear();
        std::uint64_t& last = taken_[note.node];
        if (note.serial <= last) return;
        last = note.serial;
        take();
    }

  private:
    static constexpr std::size_t kNodesMax = 1024;  // each start of a cell is one

    Mutex mutex_;
    std::map<NodeId, std::uint64_t> taken_ GUARDED_BY(mutex_);
};

}  // namespace dyad::server
