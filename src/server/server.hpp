// The server: binds its address, starts its cells, runs until it is told to stop, and drains.
#pragma once

#include "net/listener.hpp"
#include "server/cell.hpp"

#include <cstdint>
#include <memory>
#include <thread>
#include <vector>

namespace dyad::server {

class Server {
  public:
    // Before any thread is made, the store's too: SIGTERM, SIGINT, SIGQUIT and SIGHUP are blocked,
    // so that run() can wait for them; other signals that would end the process are ignored; as
    // many file descriptors as the system allows.
    static void prepare_process();
    // Binds, opens the stores, and is ready to run. Calls prepare_process().
    // Errors: unavailable (the port), invalid_field (an address), and the store's.
    static Result<std::unique_ptr<Server>> start(Settings settings, const Parts& parts,
                                                 std::size_t cells = 1);
    ~Server();

    std::uint16_t port() const noexcept { return shared_->port; }
    const std::string& instance_id() const noexcept { return shared_->instance_id; }
    // Serves until drain() or a signal, then returns when all is finished (within about ten
    // seconds).
    void run();
    // Stops accepting, finishes what was accepted, tells clients to come back, closes. Any thread.
    void drain();

  private:
    class Signals;

    Server();
    void accepted(net::Fd fd);
    void begin_drain();
    void watchdog();

    std::unique_ptr<Shared> shared_;
    std::vector<std::unique_ptr<Cell>> cells_;
    std::vector<std::unique_ptr<net::Listener>> listeners_;  // in the first cell's loop
    std::unique_ptr<Signals> signals_;
    std::size_t next_cell_ = 0;
};

}  // namespace dyad::server
