// One HTTP request of `dyad-memory mcp` and its answer, as far as it has come. Moves bytes and
// nothing else: what an answer means is the forwarder's business. Threads: one owner.
#pragma once

#include "cli/event_source.hpp"
#include "cli/mcp_message.hpp"
#include "cli/upstream.hpp"
#include "net/http_response.hpp"

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace dyad::cli {

class McpExchange {
  public:
    enum class Purpose : std::uint8_t {
        forward,  // a message of the client
        events,   // the session's stream of what the server says by itself
        renew,    // makes a session in place of one that the server does not know any more
        restore,  // a subscription of the session
        goodbye,
    };
    enum class State : std::uint8_t { open, complete, broken };

    McpExchange(Purpose why, McpMessage about)
        : purpose(why), message(std::move(about)), unanswered(message.ids) {}

    // Sends `request`, whole, on this connection.
    void begin(Upstream upstream, std::string request);
    // Sends and receives what can be; calls `on_event` for each event of a stream.
    State advance(const OnEvent& on_event);
    // For poll(2).
    int fd() const noexcept { return upstream_ ? upstream_->fd() : -1; }
    bool wants_to_send() const noexcept { return sent_ < request_.size(); }
    bool begun() const noexcept { return upstream_.has_value(); }
    bool is_stream() const;
    // Nothing of an answer has come.
    bool untouched() const noexcept { return reader_.untouched(); }
    int status() const noexcept { return reader_.status(); }
    std::optional<std::string_view> header(std::string_view name) const {
        return reader_.header(name);
    }
    // Of a complete answer that was no stream.
    const std::string& body() const noexcept { return body_; }
    // Of the last event; where a stream of a session goes on.
    const std::string& last_event_id() const noexcept { return events_.last_id(); }
    std::int64_t retry_ms() const noexcept { return events_.retry_ms(); }
    // The connection, where it takes another request; and forgets this one's answer, not its
    // last event, for another try.
    std::optional<Upstream> end();

    Purpose purpose;
    McpMessage message;
    std::vector<std::string> unanswered;  // ids of its requests
    std::string session;                  // it was sent in
    int tries = 0;                        // since the last success
    std::int64_t due_ms = 0;              // when it begins
    bool cancelled = false;               // by the client: nothing of it is passed on any more
    bool resumes = false;  // a stream of events that goes on where an earlier one ended
    bool finished = false;

  private:
    State take(std::string_view bytes, const OnEvent& on_event);

    std::optional<Upstream> upstream_;
    std::string request_;
    std::size_t sent_ = 0;
    net::ResponseReader reader_;
    std::string body_;
    EventParser events_;
    std::size_t event_bytes_ = 0;  // since the last event
};

}  // namespace dyad::cli
