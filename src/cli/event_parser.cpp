#include "cli/event_source.hpp"

namespace dyad::cli {

bool EventParser::feed(std::string_view bytes,
                       const std::function<bool(const ServerSentEvent&)>& on_event) {
    while (!bytes.empty()) {
        const std::size_t end = bytes.find('\n');
        if (end == std::string_view::npos) {
            partial_.append(bytes);
            return true;
        }
        partial_.append(bytes.substr(0, end));
        bytes.remove_prefix(end + 1);
        std::string text;
        text.swap(partial_);
        if (text.ends_with('\r')) text.pop_back();
        if (!line(text, on_event)) return false;
    }
    return true;
}

void EventParser::restart() {
    partial_.clear();
    new_id_ = id_;
    type_.clear();
    data_.clear();
    has_data_ = false;
}

bool EventParser::line(std::string_view text,
                       const std::function<bool(const ServerSentEvent&)>& on_event) {
    if (text.empty()) {
        if (!new_id_.empty()) id_ = new_id_;
        const bool complete = has_data_;
        const ServerSentEvent event{id_, type_.empty() ? "message" : type_, data_};
        restart();
        return !complete || on_event(event);
    }
    if (text.front() == ':') return true;
    const std::size_t colon = text.find(':');
    const std::string_view name = text.substr(0, colon);
    std::string_view value = colon == std::string_view::npos ? "" : text.substr(colon + 1);
    if (value.starts_with(' ')) value.remove_prefix(1);
    if (name == "id" && value.find('\0') == std::string_view::npos) {
        new_id_ = value;
    } else if (name == "event") {
        type_ = value;
    } else if (name == "data") {
        if (has_data_) data_ += '\n';
        data_.append(value);
        has_data_ = true;
    }
    return true;
}

}  // namespace dyad::cli
