// The bus between the cells of one process.
//
// Each cell has a LocalBus; a LocalHub ties those of one process together. A message goes into the
// inboxes of the cells that it is for (bounded: what does not fit is dropped, since the log tells
// the truth), and their `wake` is called. A subscription takes effect at once and cannot be lost.
//
// Threads: a LocalBus belongs to its cell; the inboxes and the hub's table of followers are shared,
// behind a mutex each.
#pragma once

#include "base/mutex.hpp"
#include "bus/bus.hpp"

#include <memory>
#include <unordered_map>

namespace dyad::bus {

class LocalBus;

// Lifetime: outlives its buses.
class LocalHub {
  public:
    static constexpr std::size_t kInboxMax = 4096;

  private:
    friend class LocalBus;
    Mutex mutex_;  // before that of an inbox
    std::vector<LocalBus*> members_ GUARDED_BY(mutex_);
    std::unordered_map<std::string, std::vector<LocalBus*>> followers_ GUARDED_BY(mutex_);
};

class LocalBus final : public Bus {
  public:
    // `wake` makes the cell call receive_all() soon. Threads: it is called on any cell's thread.
    LocalBus(LocalHub& hub, std::function<void()> wake);
    ~LocalBus() override;

    void publish(BusMessage message) override;
    void follow(const std::string& user_id) override;
    void unfollow(const std::string& user_id) override;
    void renew() override {}
    void set_receiver(std::function<void(const BusMessage&)> receive) override;
    bool connected() const override { return true; }

    // Hands what has arrived to the receiver.
    void receive_all();

  private:
    using MessagePtr = std::shared_ptr<const BusMessage>;

    void put(const MessagePtr& message);

    LocalHub& hub_;
    std::function<void()> wake_;
    std::function<void(const BusMessage&)> receive_;
    Mutex mutex_;
    std::vector<MessagePtr> inbox_ GUARDED_BY(mutex_);
};

}  // namespace dyad::bus
