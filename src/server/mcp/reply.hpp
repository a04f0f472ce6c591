// The answer to one POST: an object, an array of them for a batch, or a stream of server-sent
// events where something is said before it, or it takes long.
//
// Lifetime: shared by the calls that answer. Threads: the cell's.
#pragma once

#include "server/exchange.hpp"
#include "server/mcp/pulse.hpp"

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace dyad::server::mcp {

class Reply final : public Beating, public std::enable_shared_from_this<Reply> {
  public:
    // `expected`: so many answers are to come. Requires: at least one.
    static std::shared_ptr<Reply> make(Node& node, ExchangePtr exchange, std::size_t expected,
                                       bool is_batch);

    // One of the answers: a JSON-RPC message; empty: there is none after all.
    void answer(int status, std::string text, net::Headers headers = {});
    // Something before them, for which a stream is begun. False: the client takes none, or has
    // gone.
    bool say(std::string_view text);
    bool may_stream() const;
    // From here on it sees whether the client goes. For answers that are not there at once.
    void watch();
    // Told when the client has gone before the last answer.
    void on_gone(std::function<void()> call) { on_gone_.push_back(std::move(call)); }

    std::int64_t beat(std::int64_t now_ms) override;

  private:
    Reply(Node& node, ExchangePtr exchange, std::size_t expected, bool is_batch);
    void begin_stream();
    void write(std::string bytes);
    void finish(int status, net::Headers headers);

    Node& node_;
    ExchangePtr exchange_;
    std::size_t expected_;
    bool is_batch_;
    bool streaming_ = false;
    bool gone_ = false;
    std::int64_t last_ms_;  // steady: of the last byte, or the beginning
    std::string texts_;     // of the answers so far
    std::vector<std::function<void()>> on_gone_;
};
using ReplyPtr = std::shared_ptr<Reply>;

// The whole of an answer that waits for nothing.
net::Response answer_of(int status, std::string text, net::Headers headers = {});

}  // namespace dyad::server::mcp
