// Server-sent events (WHATWG HTML, section 9.2) as this server sends them: the parser, pure, and a
// reader that resumes by itself.
//
//     stream  = *( message LF )
//     message = *( ( "id" / "event" / "data" / "retry" ) ":" [ SP ] text LF / ":" comment LF )
#pragma once

#include "cli/rest_client.hpp"

#include <functional>
#include <string>
#include <string_view>

namespace dyad::cli {

struct ServerSentEvent {
    std::string id;  // the last one that was said, as the standard wants it
    std::string type;
    std::string data;
};

// False where no more are wanted.
using OnEvent = std::function<bool(const ServerSentEvent&)>;

class EventParser {
  public:
    // Calls `on_event` for each complete message; false from it ends the call and returns false.
    bool feed(std::string_view bytes, const OnEvent& on_event);
    // Forgets what is incomplete, for a new connection; the id stays.
    void restart();
    const std::string& last_id() const noexcept { return id_; }
    void set_last_id(std::string id) { id_ = std::move(id); }
    // How long to wait before the stream is opened again, as the server said last; 0: it did not.
    std::int64_t retry_ms() const noexcept { return retry_ms_; }

  private:
    // False where it ends the call.
    bool line(std::string_view text, const OnEvent& on_event);

    std::string partial_;  // of a line
    std::string id_;
    std::string new_id_;  // of the message that is being read
    std::string type_;
    std::string data_;
    bool has_data_ = false;
    std::int64_t retry_ms_ = 0;
};

struct Subscription {
    std::string after;  // token; empty: from now
    std::vector<std::string> types;
    OnEvent on_event;
    std::function<void()> on_bytes{};  // whenever something comes, also where it is no event
};

// Reads until `on_event` wants no more, the user interrupts, or the server refuses. Connections
// that break are made again, from the last event on. Afterwards `after` is where to go on.
Exit follow(RestClient& client, Subscription& subscription);

// The event with its own `position`: the token from which --since goes on after it. `token` is a
// position in the same log.
json::Value with_position(json::Value event, std::string_view token);

// "context-updated project/plan version 3 by desk-1", of an event's own document. Printable.
std::string describe_event(const json::Value& event);

}  // namespace dyad::cli
