// Announcements between the cells of one process. With one cell there is nobody else to tell.
//
// Each cell has a LocalBus; a Hub ties those of one process together. An announcement goes into the
// other cells' inboxes (bounded: what does not fit is dropped, since the log tells the truth), and
// their `wake` is called.
//
// Threads: a LocalBus belongs to its cell; the Hub's inboxes are the only thing shared, behind one
// mutex each.
#pragma once

#include "bus/bus.hpp"

#include <functional>
#include <memory>
#include <mutex>
#include <vector>

namespace dyad::bus {

class LocalBus;

// Lifetime: outlives its buses.
class LocalHub {
  public:
    static constexpr std::size_t kInboxMax = 4096;

  private:
    friend class LocalBus;
    std::mutex mutex_;
    std::vector<LocalBus*> members_;
};

class LocalBus final : public Bus {
  public:
    // `wake` makes the cell call receive_all() soon. Threads: it is called on any cell's thread.
    LocalBus(LocalHub& hub, std::function<void()> wake);
    ~LocalBus() override;

    void announce(Announcement announcement) override;
    void set_receiver(std::function<void(const Announcement&)> receive) override;
    bool connected() const override { return true; }

    // Hands what the other cells announced to the receiver.
    void receive_all();

  private:
    void put(const Announcement& announcement);

    LocalHub& hub_;
    std::function<void()> wake_;
    std::function<void(const Announcement&)> receive_;
    std::mutex mutex_;
    std::vector<Announcement> inbox_;
};

}  // namespace dyad::bus
