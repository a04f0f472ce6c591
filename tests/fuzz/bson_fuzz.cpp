// Any bytes as a document of MongoDB: they become JSON within the limits, or an error. And any JSON
// becomes BSON and comes back as it was, where BSON can hold its names and numbers.
#include "model/json.hpp"
#include "store/mongo/bson/bson_json.hpp"
#include "store/mongo/bson/wire_documents.hpp"
#include "support/json_values.hpp"

#include <cstdint>
#include <cstring>
#include <span>
#include <vector>

namespace {

using namespace dyad;
using namespace dyad::mongo;

void from_bson(std::span<const std::uint8_t> bytes) {
    // The length and the last byte are put right, so that more than the frame is tried.
    std::vector<std::uint8_t> framed(bytes.size() + 5);
    const auto size = static_cast<std::uint32_t>(framed.size());
    std::memcpy(framed.data(), &size, sizeof size);
    std::copy(bytes.begin(), bytes.end(), framed.begin() + 4);
    bson_t document;
    CHECK(bson_init_static(&document, framed.data(), framed.size()));
    const BsonView view(&document);
    if (const Result<std::string> text = json_of(view)) {
        const Result<std::string> again = json::canonicalize(*text);
        CHECK(again && *again == *text);
        CHECK(bson_of(*text));
    }
    is_ours(view);
    fingerprint_of(view);
    if (const Result<Context> context = context_of(view)) CHECK(!context->key.empty());
}

bool is_plain(const json::Value& value) {
    if (value.is_uint64()) return value.get_uint64() <= INT64_MAX;
    if (const auto* array = value.if_array())
        return std::all_of(array->begin(), array->end(), is_plain);
    if (const auto* object = value.if_object())
        return std::all_of(object->begin(), object->end(), [](const auto& member) {
            const std::string_view name = member.key();
            return !name.starts_with('$') &&
                   name.find_first_of(std::string_view("\0.", 2)) == std::string_view::npos &&
                   is_plain(member.value());
        });
    return true;
}

void from_json(const json::Value& value) {
    const std::string text = json::canonical(value);
    Bson held;
    CHECK(append_json(held, "it", text));
    if (!is_plain(value)) return;
    const Result<std::string> back = json_of(*held.view().find("it"));
    CHECK(back && *back == text);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
    from_bson(std::span(bytes, size));
    test::ValueSource source(std::span(bytes, size));
    from_json(source.value());
    const std::string_view text(reinterpret_cast<const char*>(bytes), size);
    if (const Result<json::Value> value = json::parse(text)) from_json(*value);
    return 0;
}
