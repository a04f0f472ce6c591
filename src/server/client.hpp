// One client's connection in its cell. Kept small: an idle client costs its own size and that of
// its protocol, and nothing else in this process.
#pragma once

#include "net/connection.hpp"
#include "server/protocol.hpp"

#include <cstdint>
#include <memory>

namespace dyad::server {

class Cell;

// Lifetime: owned by the cell; discarded at the end of the turn in which it is over.
class Client final : public net::Connection {
  public:
    Client(Cell& cell, net::Fd fd);
    ~Client() override = default;

    Cell& cell() noexcept { return cell_; }
    Protocol& protocol() noexcept { return *protocol_; }
    // Feeds the protocol what it kept while it was busy.
    void continue_reading();
    // False where it is closing and has made no progress for too long.
    bool check(std::int64_t now_ms);

  private:
    friend class Cell;

    void on_bytes(std::span<char> bytes) override;
    void on_drained() override { protocol_->on_drained(); }
    void on_closed() override;

    std::uint32_t index_ = 0;  // in the cell's list
    Cell& cell_;
    std::unique_ptr<Protocol> protocol_;
};

}  // namespace dyad::server
