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

}  // namespace

std::string event_line(const json::Value& event, std::size_t columns) {
    std::string offset = std::to_string(integer_member(event, "offset"));
    offset.insert(0, 6 - std::min<std::size_t>(6, offset.size()), ' ');
    std::string type = text_member(event, "eventType");
    type.resize(std::max<std::size_t>(type.size(), 18), ' ');
    const std::string when = local_time(integer_member(event, "timestamp"));
    const std::size_t used = offset.size() + 2 + when.size() + 2 + type.size() + 2;
    const std::string what = printable(what_happened(event)) + "  (" +
                             printable(text_member(event, "sourceInstanceId")) + ")";
    return offset + "  " + paint(Colour::dim, when) + "  " + paint(Colour::cyan, printable(type)) +
           "  " + (columns > used + 10 ? cut(what, columns - used) : what);
}

}  // namespace dyad::cli
