// Follows a user's log as it grows: goes on by itself, behind the last event it gave out, when the
// connection breaks or the server is started again. Threads: one owner.
#pragma once

#include "cli/command.hpp"
#include "cli/rest_client.hpp"
#include "cli/sse.hpp"

#include <functional>
#include <string>

namespace dyad::cli {

struct StreamEvent {
    std::string token;  // the place behind it; empty where it is not known yet
    std::string data;   // the event's own text
    json::Value value;  // the same, read
};

class EventFollower {
  public:
    // `since`: a token, or a bare offset; empty: from now on. `types`: eventTypes with commas;
    // empty: all. Lifetime: within the client's.
    EventFollower(RestClient& client, std::string since, std::string types);

    // Until SIGINT or SIGTERM; then says on standard error how to go on from there. The exit
    // status.
    int run(const Call& call, const std::function<void(const StreamEvent&)>& on_event);

    const std::string& token() const noexcept { return token_; }

  private:
    enum class Ended : std::uint8_t { stopped, lost, failed };

    bool catch_up(const Call& call, const std::function<void(const StreamEvent&)>& on_event,
                  int& status);
    Ended stream(const Call& call, const std::function<void(const StreamEvent&)>& on_event,
                 int& status);
    bool take(const Call& call, const ServerSentEvent& event,
              const std::function<void(const StreamEvent&)>& on_event);
    bool wanted(const json::Value& event) const;

    RestClient& client_;
    std::string token_;
    std::string types_;
    bool was_connected_ = false;
};

// SIGINT and SIGTERM only set a flag from here on, and interrupt what blocks.
void catch_stop_signals();
bool stop_requested() noexcept;
// Sleeps, or less where a stop is requested.
void pause_ms(std::int64_t ms);

}  // namespace dyad::cli
