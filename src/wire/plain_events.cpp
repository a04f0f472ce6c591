#include "wire/plain_events.hpp"

#include "base/check.hpp"
#include "model/json_slices.hpp"
#include "model/json_text.hpp"
#include "wire/frames.hpp"

#include <cstring>
#include <optional>

namespace dyad::wire {
namespace {

using json::append_string;
using json_slices::append_integer;

// Members of a canonical JSON object one after the other, as slices. Requires: text that this
// product wrote and the chain vouches for; where it is damaged all the same, the walk just ends.
class Members {
  public:
    explicit Members(std::string_view object)
        : at_(object.data()), end_(object.data() + object.size()) {
        if (at_ != end_) ++at_;  // the brace
    }

    // To the next member's value; take() or enter() comes next.
    bool next(std::string_view& name) {
        if (at_ != end_ && *at_ == ',') ++at_;
        if (at_ == end_ || *at_ != '"') return false;
        const char* const begin = at_ + 1;
        skip_string();
        if (at_ == end_ || *at_ != ':') return false;
        name = {begin, static_cast<std::size_t>(at_ - 1 - begin)};
        ++at_;
        return true;
    }

    std::string_view take() {
        const char* const begin = at_;
        int depth = 0;
        while (at_ != end_) {
            const char c = *at_;
            if (c == '"') {
                skip_string();
                continue;
            }
            if (c == '}' || c == ']') {
                if (depth == 0) break;
                --depth;
            } else if (c == '{' || c == '[') {
                ++depth;
            } else if (c == ',' && depth == 0) {
                break;
            }
            ++at_;
        }
        return {begin, static_cast<std::size_t>(at_ - begin)};
    }

    // Its own members, where the value is an object; this walk cannot go on.
    Members enter() const { return Members({at_, static_cast<std::size_t>(end_ - at_)}); }

  private:
    void skip_string() {
        ++at_;
        for (;;) {
            at_ = json::skip_plain(at_, end_);
            if (at_ == end_) return;
            const char c = *at_++;
            if (c == '"') return;
            if (c == '\\' && at_ != end_) ++at_;
        }
    }

    const char* at_;
    const char* end_;
};

// "hhhhhhhh-hhhh-4hhh-8ooo-oooooooooooo" of the hash and the offset.
void append_id(std::string& out, const EventView& event) {
    static constexpr std::string_view kBefore = "{\"offset\":";
    static constexpr std::string_view kBetween = ",\"hash\":\"";
    const std::size_t comma = event.text.find(',', kBefore.size());
    CHECK(comma != std::string_view::npos && event.text.size() > comma + kBetween.size() + 16);
    const std::string_view hash = event.text.substr(comma + kBetween.size(), 16);
    char id[36];
    std::memcpy(id, "hhhhhhhh-hhhh-4hhh-8ooo-oooooooooooo", sizeof id);
    std::memcpy(id, hash.data(), 8);
    std::memcpy(id + 9, hash.data() + 8, 4);
    std::memcpy(id + 15, hash.data() + 12, 3);
    Offset rest = event.offset;
    for (std::size_t i = 35; i > 19; --i) {
        if (i == 23) continue;
        id[i] = "0123456789abcdef"[rest & 15];
        rest >>= 4;
    }
    out.append(id, sizeof id);
}

void open(std::string& out, std::string_view type, std::string_view user_id,
          const EventView& event) {
    out.append("{\"id\":\"");
    append_id(out, event);
    out.append("\",\"type\":\"").append(type).append("\",\"userId\":");
    append_string(out, user_id);
    out.append(",\"instanceId\":");
    append_string(out, event.source_instance_id);
    out.append(",\"timestamp\":");
    append_integer(out, event.timestamp_ms);
    out.append(",\"payload\":{");
}

void write_context_sync(std::string& out, std::string_view user_id, const EventView& event) {
    std::string_view name, key, type, data, version;
    bool deleted = false;
    Members change(event.data);
    while (change.next(name) && name != "context")
        change.take();
    for (Members members = change.enter(); members.next(name);) {
        const std::string_view value = members.take();
        if (name == "contextKey")
            key = value;
        else if (name == "contextType")
            type = value;
        else if (name == "data")
            data = value;
        else if (name == "deleted")
            deleted = value == "true";
        else if (name == "version")
            version = value;
    }
    TextFrame frame(out);
    open(out, "context-sync", user_id, event);
    out.append("\"contextKey\":").append(key);
    out.append(",\"contextType\":").append(type);
    out.append(",\"data\":").append(data);
    out.append(",\"version\":").append(version);
    out.append(",\"mergeStrategy\":\"replace\"");
    if (deleted) out.append(",\"deleted\":true");
    out.append("}}");
    frame.finish();
}

void write_mode_update(std::string& out, std::string_view user_id, const EventView& event) {
    std::string_view name, current, previous = "null", configuration;
    for (Members members(event.data); members.next(name);) {
        const std::string_view value = members.take();
        if (name == "currentMode")
            current = value;
        else if (name == "previousMode")
            previous = value;
        else if (name == "configuration")
            configuration = value;
    }
    TextFrame frame(out);
    open(out, "mode-update", user_id, event);
    out.append("\"currentMode\":").append(current);
    out.append(",\"previousMode\":").append(previous);
    out.append(",\"fromMode\":").append(previous);
    out.append(",\"toMode\":").append(current);
    if (!configuration.empty() && configuration != "null")
        out.append(",\"configuration\":").append(configuration);
    out.append("}}");
    frame.finish();
}

}  // namespace

void write_plain_event(std::string& out, std::string_view user_id, const EventView& event) {
    switch (event.kind) {
        case EventKind::context_changed:
            return write_context_sync(out, user_id, event);
        case EventKind::mode_changed:
            return write_mode_update(out, user_id, event);
        case EventKind::response_recorded:
        case EventKind::mcp_tool_executed:
        case EventKind::mcp_server_added:
        case EventKind::mcp_server_removed:
            return;  // the plain protocol has no names for them
    }
}

}  // namespace dyad::wire
