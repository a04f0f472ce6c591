// One connection to Redis, had again for ever: resolving, connecting, TLS and the greeting on the
// loop; then commands out, and their replies in their order.
//
//     waiting -> resolving -> connecting -> greeting -> up
//        ^___________________________________________/    whatever fails
//
// A connection that says nothing is asked for a sign of life; one that does not give it has gone,
// whatever the system thinks of it. Where a cluster's other nodes are known, each new attempt goes
// to the next one.
//
// Lifetime: the owner's; what is shared outlives it. It may not be destroyed inside one of its
// calls. Threads: the loop's.
#pragma once

#include "base/clock.hpp"
#include "bus/redis/redis_url.hpp"
#include "bus/redis/resolver.hpp"
#include "bus/redis/resp.hpp"
#include "bus/redis/tls.hpp"
#include "net/loop.hpp"

#include <chrono>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace dyad::bus {

struct Endpoint {
    std::string host;
    std::uint16_t port = 0;
    bool operator==(const Endpoint&) const = default;
};

// What the connections of one bus share.
struct RedisServer {
    RedisUrl url;
    bool tls = false;
    Result<TlsContext> tls_context = TlsContext();
    std::int64_t reconnect_attempts = 10;  // until the pauses are as long as they get
    bool is_cluster = false;
    std::vector<Endpoint> others{};  // nodes of the cluster
    Resolver resolver{};
};

// The pause before attempt `failures` + 1: grows by the same factor each time and reaches
// redis_reconnect_ms_max at `ceiling_at`; half of it is random, so that many do not come at once.
std::int64_t reconnect_pause_ms(std::int64_t failures, std::int64_t ceiling_at, Random& random);

class RedisConnection final : private net::Watcher {
  public:
    // One that listens is told of replies to nothing (messages, confirmations) by `push`, and may
    // not be asked anything but by subscribe().
    enum class Role : std::uint8_t { asks, listens };
    struct Calls {
        std::function<void()> up;
        // Also where an attempt failed; why, in plain words.
        std::function<void(const std::string& problem)> down;
        std::function<void(Reply&&)> push;
    };
    using OnReply = std::function<void(Reply&&)>;

    RedisConnection(net::Loop& loop, RedisServer& server, Random& random, Role role, Calls calls);
    ~RedisConnection() override;

    // Connects, in a later turn. Once.
    void open();
    // Gives the connection up, in a later turn, and has another one.
    void renew(const std::string& why);
    bool up() const noexcept { return state_ == State::up; }
    // From a question to its answer; of the last sign of life that was asked for.
    std::int64_t latency_us() const noexcept { return latency_us_; }

    // Puts a command into the output. False: it is not up, or redis_output_bytes_max is reached;
    // `on_reply` is not called then, and nor is it where the connection ends before the reply.
    bool ask(std::span<const std::string_view> parts, OnReply on_reply);
    bool ask(std::initializer_list<std::string_view> parts, OnReply on_reply) {
        return ask(std::span(parts.begin(), parts.size()), std::move(on_reply));
    }
    // Of one that listens: SUBSCRIBE or UNSUBSCRIBE. Where the output is full, it connects anew.
    void subscribe(std::string_view command, const std::vector<std::string>& channels);
    // Sends the output.
    void flush();

  private:
    enum class State : std::uint8_t { waiting, resolving, connecting, greeting, up };

    void on_ready(std::uint32_t epoll_events) override;
    void begin();
    void connect_next();
    void on_connected();
    void greet();
    void on_hello(Reply&& reply);
    // Goes on to `next` where the answer is no error.
    void greet_with(std::initializer_list<std::string_view> parts, void (RedisConnection::*next)());
    void log_in_plainly();
    void select_database();
    void learn_cluster();
    void on_greeted();
    void read();
    Status take_bytes(std::string_view bytes);
    void on_reply(Reply&& reply);
    void on_pong(Reply&& reply);
    // Outside of taking replies at once, else behind it.
    void give_up(std::string problem);
    void close();
    void check();
    void watch(std::uint32_t epoll_events);

    net::Loop& loop_;
    RedisServer& server_;
    Random& random_;
    const Role role_;
    const Calls calls_;
    const driver::CallerPtr caller_;
    State state_ = State::waiting;
    net::Fd fd_;
    std::uint32_t watched_ = 0;
    std::unique_ptr<TlsSession> tls_;
    std::optional<ReplyReader> reader_;
    bool taking_ = false;             // replies are being handed over
    std::string given_up_;            // why; empty: it is not
    std::vector<Address> addresses_;  // still to be tried
    std::size_t endpoint_ = 0;        // 0: the one of the URL; else one of the others
    Endpoint to_;                     // of this attempt
    std::int64_t failures_ = 0;
    std::uint64_t attempt_ = 0;
    bool knows_mode_ = false;      // the greeting said whether this is a cluster
    std::string plain_;            // output that is not encrypted yet
    std::string wire_;             // output
    std::size_t sent_ = 0;         // of wire_
    std::deque<OnReply> waiting_;  // for replies, in their order
    std::int64_t since_ms_ = 0;    // of the state
    std::int64_t heard_ms_ = 0;
    std::int64_t pinged_ms_ = 0;
    bool pong_due_ = false;
    std::chrono::steady_clock::time_point pinged_at_{};
    std::int64_t latency_us_ = 0;
    std::optional<net::Loop::TimerId> check_timer_;
    std::optional<net::Loop::TimerId> pause_timer_;
};

}  // namespace dyad::bus
