#include "cli/sse.hpp"

#include <algorithm>
#include <utility>

namespace dyad::cli {

bool SseReader::feed(std::string_view bytes,
                     const std::function<bool(const ServerSentEvent&)>& on_event) {
    while (!bytes.empty()) {
        const std::size_t end = bytes.find('\n');
        if (rest_.size() + event_.data.size() + std::min(end, bytes.size()) > kBytesMax)
            return false;
        rest_.append(bytes.substr(0, end));
        if (end == std::string_view::npos) return true;
        bytes.remove_prefix(end + 1);
        if (rest_.ends_with('\r')) rest_.pop_back();
        const std::string text = std::exchange(rest_, {});
        if (!line(text, on_event)) return false;
    }
    return true;
}

bool SseReader::line(std::string_view text,
                     const std::function<bool(const ServerSentEvent&)>& on_event) {
    if (text.empty()) {
        bool go_on = true;
        if (has_data_) {
            if (event_.type.empty()) event_.type = "message";
            go_on = on_event(event_);
        }
        event_.type.clear();
        event_.data.clear();
        event_.has_id = has_data_ = false;
        return go_on;
    }
    const std::size_t colon = text.find(':');
    const std::string_view name = text.substr(0, colon);
    std::string_view value = colon == std::string_view::npos ? "" : text.substr(colon + 1);
    if (value.starts_with(' ')) value.remove_prefix(1);
    if (name == "id") {
        event_.id = value;
        event_.has_id = true;
    } else if (name == "event") {
        event_.type = value;
    } else if (name == "data") {
        if (has_data_) event_.data += '\n';
        event_.data.append(value);
        has_data_ = true;
    }
    return true;
}

}  // namespace dyad::cli
