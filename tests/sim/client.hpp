// A client of the simulated cluster: it follows its user's log over a connection that can break at
// any time, keeps position and state together, and sends commands until each has an answer.
#pragma once

#include "sim/history.hpp"
#include "sim/node.hpp"

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace dyad::sim {

class World;
class Client;

// One connection, as the node's edge has it. The network keeps the order of what it carries; what
// is on the way when it breaks is lost.
class Connection final : public core::Peer, public std::enable_shared_from_this<Connection> {
  public:
    Connection(World& world, Client& client, ProcessId process, Stream& stream,
               std::size_t capacity);

    bool deliver(Offset first, Offset last, const std::vector<std::string_view>& pieces) override;
    bool reset(std::shared_ptr<const core::Snapshot> snapshot) override;
    void close(Errc why) override;
    void ready(Position position);

    ProcessId process() const noexcept { return process_; }
    core::SessionId session = nullptr;  // while attached
    // The client is gone; the node may not know yet.
    void abandon() noexcept { client_ = nullptr; }
    const Stream& stream() const noexcept { return stream_; }
    void detached(std::int64_t at_us) noexcept {
        session = nullptr;
        stream_.detached_us = at_us;
    }
    bool abandoned() const noexcept { return client_ == nullptr; }
    // Takes what is on the way faster, from now on.
    void hurry() noexcept { capacity_ = 1'000; }

  private:
    bool carry(std::variant<Stream::Ready, Stream::Reset, Stream::Events> what);
    void arrived(const std::variant<Stream::Ready, Stream::Reset, Stream::Events>& what);

    World& world_;
    Client* client_;
    ProcessId process_;
    Stream& stream_;
    std::size_t capacity_;  // messages on the way before the socket is full
    std::size_t on_the_way_ = 0;
    std::int64_t last_arrival_us_ = 0;
    bool blocked_ = false;
    bool closing_ = false;
    bool has_delivered_ = false;
};

class Client {
  public:
    Client(World& world, std::string user_id, std::string instance_id, core::Dialect dialect,
           std::uint64_t seed, int first_id);

    void begin();
    // Everything is well again: connect, and bring what is open to its end.
    void heal();
    // The connection is gone; `noticed_us` later the client knows.
    void lost_connection(std::int64_t noticed_us);
    // The user's network goes away.
    void disconnect(std::int64_t node_notices_us);
    const std::shared_ptr<Connection>& connection() const noexcept { return connection_; }

    void take(const Stream::Ready& ready);
    void take(const Stream::Reset& reset);
    void take(const Stream::Events& run);

    bool busy() const noexcept { return open_ > 0; }
    Replica replica() const;
    const std::string& user_id() const noexcept { return user_id_; }

  private:
    void connect();
    void connect_later(std::int64_t delay_us);
    void next_operation();
    void start_operation(std::size_t index);
    void attempt(std::size_t index, int number);
    void submit(std::size_t index, int number, int node);
    void answered(std::size_t index, int number, const Answer& answer);
    void read();
    void apply(const std::string& text);

    World& world_;
    const std::string user_id_;
    const std::string instance_id_;
    const core::Dialect dialect_;
    SeededRandom random_;
    std::shared_ptr<Connection> connection_;
    bool connecting_ = false;
    int failures_ = 0;

    // Stored in one step, as a client has to.
    enum class Start : std::uint8_t { end, beginning, snapshot };
    Start start_ = Start::end;
    bool has_position_ = false;
    bool complete_ = false;
    Position position_;
    int reads_ = 0;
    Offset heard_ = 0;
    std::map<std::string, std::pair<Version, std::string>> contexts_;
    std::vector<std::string> conflicts_;       // ids that it saw opened
    std::map<std::string, Token> claims_;      // that it was granted, ended ones too
    std::map<std::string, Version> versions_;  // the last it heard of, deleted ones too

    std::map<std::size_t, int> current_;  // operation -> number of its attempt under way
    std::size_t open_ = 0;
    bool is_private_ = false;
    std::vector<Command> acknowledged_;  // whose ids a careless client uses again
    int next_id_;  // of its operations; other connections of its instance have other ones
    int left_;
};

}  // namespace dyad::sim
