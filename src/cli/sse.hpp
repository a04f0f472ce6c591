// Reads server-sent events (WHATWG HTML, section 9.2) out of bytes as they come. Pure.
#pragma once

#include <functional>
#include <string>
#include <string_view>

namespace dyad::cli {

struct ServerSentEvent {
    std::string id;    // as of this event: an earlier one's where it has none
    std::string type;  // "message" where it says none
    std::string data;
    bool has_id = false;  // it carried one itself
};

class SseReader {
  public:
    static constexpr std::size_t kBytesMax = 64 << 20;  // of one event

    // Calls `on_event` for each that is complete; false from it ends the reading.
    // False: it was ended, or an event is too large.
    bool feed(std::string_view bytes, const std::function<bool(const ServerSentEvent&)>& on_event);

  private:
    bool line(std::string_view text, const std::function<bool(const ServerSentEvent&)>& on_event);

    std::string rest_;  // of a line
    ServerSentEvent event_;
    bool has_data_ = false;
};

}  // namespace dyad::cli
