// A real redis-server for the tests of the bus, a plain client of it that blocks, and a way through
// which a connection can be made to fall silent without either side being told.
#pragma once

#include "bus/redis/redis_bus.hpp"
#include "net/loop.hpp"

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <sys/types.h>

namespace dyad::conformance {

std::uint16_t free_port();
bool redis_is_missing();

// A folder that goes with the object.
class ScratchFolder {
  public:
    ScratchFolder();
    ~ScratchFolder();
    std::string operator/(const std::string& name) const { return (path_ / name).string(); }

  private:
    std::filesystem::path path_;
};

class RedisProcess {
  public:
    // Of 127.0.0.1; `arguments` of redis-server beside those that every one has.
    explicit RedisProcess(std::vector<std::string> arguments = {},
                          std::uint16_t port = free_port());
    ~RedisProcess();

    void start();
    void stop();
    void send_signal(int number) const;
    std::uint16_t port() const noexcept { return port_; }
    bus::RedisUrl url() const;

  private:
    ScratchFolder folder_;
    std::vector<std::string> arguments_;
    std::uint16_t port_;
    pid_t pid_ = 0;
};

// A client that blocks.
class PlainClient {
  public:
    explicit PlainClient(std::uint16_t port);
    bus::Reply ask(const std::vector<std::string>& parts);
    void send(const std::vector<std::string>& parts);
    // The next reply, or null where none comes in time.
    bus::Reply next(int timeout_ms);
    // How often the server has carried out this command ("publish", "pubsub|numpat").
    long long calls_of(const std::string& command);

  private:
    net::Fd fd_;
    bus::ReplyReader reader_;
    std::deque<bus::Reply> arrived_;
};

// Runs the loop until `done`, or for `timeout_ms`; whether it is.
bool run_until(net::Loop& loop, const std::function<bool()>& done, int timeout_ms = 5000);

// Hands bytes on in both directions.
class Forwarder final : private net::Watcher {
  public:
    Forwarder(net::Loop& loop, std::uint16_t to);
    ~Forwarder() override;
    std::uint16_t port() const;
    // Of the newest connection; others are handed on.
    void fall_silent();

  private:
    class Pair;
    void on_ready(std::uint32_t) override;

    net::Loop& loop_;
    std::uint16_t to_;
    net::Fd listener_;
    std::vector<std::unique_ptr<Pair>> pairs_;
};

net::Fd dial_local(std::uint16_t port);

}  // namespace dyad::conformance
