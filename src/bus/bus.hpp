// The port to the other nodes and cells: a hint that something was committed, never the truth.
// Messages may be lost, late, doubled or reordered; a backend passes on only what it knows to be
// sent by a node (HMAC). Threads: as Store.
#pragma once

#include "model/event.hpp"

#include <functional>
#include <string>
#include <vector>

namespace dyad {

struct Announcement {
    std::string user_id;
    EventBatchPtr batch;  // committed; prev_hash says what it follows
};

class Bus {
  public:
    virtual ~Bus() = default;

    virtual void announce(Announcement announcement) = 0;
    // `receive` is called for announcements of others, never inside a call to this object.
    virtual void set_receiver(std::function<void(const Announcement&)> receive) = 0;
    // True where a message sent now would reach the others: the heart polls slowly then.
    virtual bool connected() const = 0;
};

}  // namespace dyad
