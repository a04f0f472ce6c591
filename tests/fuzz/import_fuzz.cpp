// Files of other memories: anything at all. What is taken is canonical, under keys that a context
// may have, each once.
#include "import/items.hpp"
#include "model/identity.hpp"
#include "model/json.hpp"

#include <set>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace dyad;
    if (size == 0) return 0;
    const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
    const auto format = static_cast<import::Format>(data[0] % 3);
    static_cast<void>(import::format_of("file", text));
    const auto items = import::read_items(format, text, "folder/file.md");
    if (!items) {
        CHECK(!items.error().detail.empty());
        return 0;
    }
    std::set<std::string> keys;
    for (const import::Item& item : *items) {
        const Result<std::string> canonical = json::canonicalize(item.data);
        CHECK(canonical && *canonical == item.data);
        CHECK(check_name("key", item.key, limits::context_key_bytes_max, NameRule::label));
        CHECK(keys.insert(item.key).second);
        CHECK(item.tags.size() <= static_cast<std::size_t>(limits::context_tags_max));
    }
    return 0;
}
