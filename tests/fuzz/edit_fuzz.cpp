// Any text as a person's configuration file: nothing of theirs is lost by putting ours in and
// taking it out again, and what was written is read again.
#include "base/check.hpp"
#include "edit/diff.hpp"
#include "edit/json_edit.hpp"
#include "edit/toml_edit.hpp"

#include <cstddef>
#include <cstdint>

namespace {

using namespace dyad::edit;

const std::vector<std::string> kServer = {"mcpServers", "dyad"};
const std::vector<std::string> kHook = {"hooks", "Stop"};
const std::vector<std::string> kTable = {"mcp_servers", "dyad"};
constexpr std::string_view kValue = R"({"type":"http","url":"http://x/mcp"})";
constexpr std::string_view kBlock = "[mcp_servers.dyad]\nurl = \"http://x/mcp\"\n";

void edit_json(std::string_view text) {
    const auto set = set_json(text, kServer, kValue);
    if (!set) return;
    CHECK(*set_json(*set, kServer, kValue) == *set);
    CHECK(compact_json(json_at(*set, kServer).operator*().value()) == kValue);
    const auto dropped = drop_json(*set, kServer);
    CHECK(dropped && !json_at(*dropped, kServer).operator*());
    if (text.find("mcpServers") == text.npos && text.find('{') != text.npos)
        CHECK(compact_json(*dropped) == compact_json(text));
    const auto added = add_to_json(*set, kHook, kValue);
    if (added) {
        CHECK(compact_json(json_elements(*added, kHook)->back()) == kValue);
        CHECK(drop_from_json(*added, kHook, [](std::string_view) { return true; }).has_value());
    }
    CHECK(unified_diff(text, *set, "a", "b").empty() == (text == *set));
}

void edit_toml(std::string_view text) {
    const auto set = set_toml(text, kTable, kBlock);
    if (!set) return;
    CHECK(*set_toml(*set, kTable, kBlock) == *set);
    CHECK(!toml_at(*set, kTable)->empty());
    const auto dropped = drop_toml(*set, kTable);
    CHECK(dropped && toml_at(*dropped, kTable)->empty());
    if (toml_at(text, kTable)->empty() && (text.empty() || text.back() == '\n'))
        CHECK(*dropped == text);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(bytes), size);
    edit_json(text);
    edit_toml(text);
    return 0;
}
