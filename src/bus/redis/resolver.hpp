// Names of hosts to addresses, on a thread of its own: the system's resolver blocks.
//
// Lifetime: the destructor waits for the question under way. Threads: one cell's, but for its own.
#pragma once

#include "base/result.hpp"
#include "driver/caller.hpp"
#include "driver/mailbox.hpp"

#include <cstdint>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include <sys/socket.h>

namespace dyad::bus {

struct Address {
    sockaddr_storage storage{};
    socklen_t size = 0;

    const sockaddr* get() const noexcept { return reinterpret_cast<const sockaddr*>(&storage); }
};
using Addresses = Result<std::vector<Address>>;

class Resolver {
  public:
    Resolver() = default;
    ~Resolver();
    Resolver(const Resolver&) = delete;
    Resolver& operator=(const Resolver&) = delete;

    // `done` is called by `caller`, later; at once where `host` is an address. Errors: unavailable.
    void resolve(const driver::CallerPtr& caller, const std::string& host, std::uint16_t port,
                 std::function<void(Addresses)> done);

  private:
    struct Question {
        driver::CallerPtr caller;
        std::string host;
        std::uint16_t port;
        std::function<void(Addresses)> done;
    };

    void run();

    driver::Mailbox<Question> questions_;
    std::thread thread_;  // from the first name on
};

}  // namespace dyad::bus
