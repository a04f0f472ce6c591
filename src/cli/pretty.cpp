// JSON for people: several lines, two spaces a level, short arrays and objects on one line.
#include "cli/rest_client.hpp"
#include "model/json_text.hpp"

namespace dyad::cli {
namespace {

constexpr std::size_t kShort = 60;  // columns of what stays on one line

void write(std::string& out, const json::Value& value, std::size_t level) {
    const std::string line = json::canonical(value);
    const bool scalars = [&] {
        if (const auto* array = value.if_array()) {
            for (const json::Value& item : *array)
                if (item.is_object() || item.is_array()) return false;
            return true;
        }
        return !value.is_object();
    }();
    if ((scalars && line.size() <= kShort) || (!value.is_array() && !value.is_object()) ||
        line.size() <= 2) {
        out.append(line);
        return;
    }
    const std::string indent((level + 1) * 2, ' ');
    const bool array = value.is_array();
    out.append(array ? "[\n" : "{\n");
    bool first = true;
    const auto begin_item = [&] {
        if (!first) out.append(",\n");
        first = false;
        out.append(indent);
    };
    if (array) {
        for (const json::Value& item : value.get_array()) {
            begin_item();
            write(out, item, level + 1);
        }
    } else {
        for (const auto& item : value.get_object()) {
            begin_item();
            json::append_string(out, std::string_view(item.key().data(), item.key().size()));
            out.append(": ");
            write(out, item.value(), level + 1);
        }
    }
    out.append("\n").append(level * 2, ' ').append(array ? "]" : "}");
}

}  // namespace

std::string pretty(const json::Value& value) {
    std::string out;
    write(out, value, 0);
    return out;
}

}  // namespace dyad::cli
