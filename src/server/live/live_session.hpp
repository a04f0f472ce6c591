// One WebSocket client: reads its messages, speaks its dialect, is a peer of the heart.
//
// Input: frames -> messages -> commands to the heart. Output: answers are collected and leave at
// the end of the turn; events go straight from the heart's buffers to the socket, behind the
// answers collected before them. While the socket is full nothing is read from the client that
// could make the held output grow beyond its limit.
//
// An idle plain session holds no buffer, no timer and no name of its own.
//
//     state      user_  session_  ended_
//     greeted    -      -         no      was told `connect`; negotiated: `hello` has to come
//     starting   yes    yes       no      the heart looks where it starts: session_->ready is false
//     live       yes    yes       no      is fed; session_->paused where its instance is private
//     ended      any    any       yes     hears and says nothing; in the hub's list until
//                                         finish_end() lets go of both, between turns of the heart
//
// A state only follows one above it. in_flight_ and reading_state_ may outlast the end: it is
// destroyed when both are over (in_use).
#pragma once

#include "core/session.hpp"
#include "net/websocket.hpp"
#include "server/live_service.hpp"
#include "server/protocol.hpp"
#include "wire/message.hpp"

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include <sys/uio.h>

namespace dyad {
struct Reply;
struct Rejection;
}  // namespace dyad

namespace dyad::server {
class Client;
class SnapshotStream;
}  // namespace dyad::server

namespace dyad::server::live {

class LiveHub;
struct LiveUser;

class LiveSession final : public Protocol, private net::FrameHandler, private core::Peer {
  public:
    LiveSession(LiveHub& hub, Client& client, Opening& opening);
    ~LiveSession() override;

    // What leaves at the end of the turn; append to it.
    std::string& output();
    // The first message.
    void greet();
    // Whole frames, unless the session has ended.
    void say(std::string_view frames);
    // Ends the session with a close frame, at the end of the turn.
    void end(std::uint16_t code, std::string_view reason);
    void end(const Error& error);

    // From the hub.
    void finish_end();  // between turns of the heart
    // Answers the state requests, one after the other, each once the commands that came before it
    // are answered: a client reads what it wrote. True where none is left.
    bool answer_states();
    // Not while the client is behind: it gets the newest then, instead of all of them.
    void say_presence(std::string_view frame);
    void flush_output();     // at the end of the turn
    bool check_caught_up();  // after the heart's flush; true once it was told, or has ended
    bool negotiated() const noexcept { return negotiated_; }

    // Protocol
    std::unique_ptr<Protocol> on_bytes(std::span<char>& bytes) override;
    void on_drained() override;
    void on_closed() override;
    void check(std::int64_t now_ms) override;
    bool in_use() const override { return in_flight_ > 0 || reading_state_; }
    void drain() override;
    void shut(Errc why) override;

  private:
    // net::FrameHandler
    bool on_message(net::Opcode opcode, std::string_view payload) override;
    bool on_ping(std::string_view payload) override;
    bool on_pong(std::string_view payload) override;
    bool on_close(std::uint16_t code, std::string_view reason) override;

    // core::Peer
    bool deliver(Offset first, Offset last, const std::vector<std::string_view>& pieces) override;
    bool reset(std::shared_ptr<const core::Snapshot> snapshot) override;
    void close(Errc why) override { shut(why); }

    // What a message means (live_messages.cpp).
    void handle(const wire::Message& message);
    bool identify(const wire::Message& message);
    bool is_of_instance(const wire::Message& message);
    std::string speaker_of(const wire::Message& message) const;
    bool enter(std::string_view claimed_user, std::string_view instance_id,
               core::SessionRequest request);
    void hello(const wire::Message& message);
    void command(const wire::Message& message);
    void keep_private(const wire::Message& message);
    void answer(const std::variant<Reply, Rejection>& answer);
    void pong(const wire::Message& message);
    void state_request();
    void say_error(const Error& error, std::string_view request_id,
                   const Context* current = nullptr);
    void say_and_end(const Error& error, std::string_view request_id);
    std::string client_id() const;

    // What the client asked for and has not got.
    struct Owed {
        std::string pongs;  // until the session is ready
        std::deque<std::unique_ptr<SnapshotStream>> streams;
        // Of each state request: how many commands between it and the one before have no answer.
        std::deque<std::uint32_t> states;
    };
    Owed& owed();
    bool streaming() const { return owed_ && !owed_->streams.empty(); }
    // Lets go of what holds nothing any more.
    void drop_owed();
    void start_stream(std::unique_ptr<SnapshotStream> stream);
    // Sends what there is to send while the socket takes it. True: nothing is left.
    bool pump();
    // A command that the heart has, by how many states were asked for before it.
    struct Call {
        std::uint32_t asked_before;
        std::uint32_t bytes;  // of its message
    };
    Call begin_call(std::size_t bytes);
    void end_call(Call call);
    // Stops reading where answers would pile up, and starts again.
    void adjust_reading();
    void end_with(std::string_view close_payload);
    // What is sent of a run, in parts; `header` lives as long as they do.
    void add_events(std::vector<iovec>& parts, net::FrameHeader& header,
                    const std::vector<std::string_view>& pieces) const;
    std::uint32_t ping_after() const;

    LiveHub& hub_;
    Client& client_;
    core::SessionId session_ = nullptr;
    LiveUser* user_ = nullptr;  // null until it is registered
    // By the handshake; null where it names nobody.
    struct Named {
        std::string user;
        std::string instance;
    };
    std::unique_ptr<Named> named_;
    std::unique_ptr<std::string> output_;            // collected, not sent
    std::unique_ptr<Owed> owed_;                     // null where nothing is
    [[no_unique_address]] net::FrameReader reader_;  // the next ones stand in its padding
    std::uint16_t in_flight_ = 0;                    // commands that will be answered
    bool negotiated_ : 1;
    bool dirty_ : 1 = false;            // in the hub's list of those with output
    bool ended_ : 1 = false;            // a close frame was or will be sent, or it is gone
    bool wants_snapshot_ : 1 = false;   // it asked for one: no `reset` before it
    bool reading_state_ : 1 = false;    // the heart is asked for the state of a state request
    bool missed_presence_ : 1 = false;  // negotiated: it was behind when there was news
    // Steady times in tenths of a second.
    const std::uint32_t opened_ds_;
    std::uint32_t seen_ds_;  // the last sign of life
    std::uint32_t next_ping_ds_;
    std::uint32_t message_since_ds_ = 0;  // an unfinished message; 0: none
    std::uint32_t in_flight_bytes_ = 0;
    std::uint32_t states_asked_ = 0;
};

}  // namespace dyad::server::live
