#include "cli/event_line.hpp"

#include "cli/rest_client.hpp"
#include "cli/terminal.hpp"

#include <algorithm>

namespace dyad::cli {
namespace {

std::string what_happened(const json::Value& event) {
    const json::Value& data = member(event, "data");
    const std::string type = text_member(event, "eventType");
    if (type == "context-updated") {
        const json::Value& context = member(data, "context");
        return text_member(context, "contextKey") + " " + text_member(data, "action") +
               ", version " + std::to_string(integer_member(context, "version"));
    }
    if (type == "mode-changed" || type == "config-updated") {
        const json::Value& inside = member(data, "mode");
        const json::Value& mode = inside.is_object() ? inside : data;
        return text_member(mode, "instanceId") + " is in " + text_member(mode, "currentMode") +
               " mode";
    }
    return text_member(event, "scope");
}

struct Parts {
    std::string offset;
    std::string when;
    std::string type;
    std::string what;
};

Parts parts_of(const json::Value& event) {
    Parts parts{std::to_string(integer_member(event, "offset")),
                local_time(integer_member(event, "timestamp")),
                printable(text_member(event, "eventType")),
                printable(what_happened(event)) + "  (" +
                    printable(text_member(event, "sourceInstanceId")) + ")"};
    parts.offset.insert(0, 6 - std::min<std::size_t>(6, parts.offset.size()), ' ');
    parts.type.resize(std::max<std::size_t>(parts.type.size(), 18), ' ');
    return parts;
}

}  // namespace

std::string event_text(const json::Value& event) {
    const Parts parts = parts_of(event);
    return parts.offset + "  " + parts.when + "  " + parts.type + "  " + parts.what;
}

std::string event_line(const json::Value& event, std::size_t columns) {
    const Parts parts = parts_of(event);
    const std::size_t used = parts.offset.size() + parts.when.size() + parts.type.size() + 6;
    return parts.offset + "  " + paint(Colour::dim, parts.when) + "  " +
           paint(Colour::cyan, parts.type) + "  " +
           (columns > used + 10 ? cut(parts.what, columns - used) : parts.what);
}

}  // namespace dyad::cli
