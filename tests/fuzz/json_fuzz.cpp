// Any text: what is read is JSON by another reader too, canonical text is a fixed point that both
// ways of making it agree on, and where a value ends is found without reading it.
#include "model/json.hpp"
#include "model/json_lexer.hpp"

#include <cstdint>
#include <string_view>

#include <boost/json/parse.hpp>

namespace {

using namespace dyad;
using namespace dyad::json;

void compare_with_boost(std::string_view text) {
    boost::json::parse_options options;
    options.max_depth = limits::json_depth_max;
    boost::json::error_code error;
    const Value other = boost::json::parse(text, error, {}, options);
    // Boost.JSON refuses exponents that do not fit an int, even those of 0 or of tiny numbers.
    CHECK(!error || error == boost::json::error::exponent_overflow);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(bytes), size);
    const Result<Value> value = parse(text);
    const Result<std::string> direct = canonicalize(text);
    CHECK(value.has_value() == direct.has_value());
    if (!value) {
        CHECK(value.error().to_string() == direct.error().to_string());
        return 0;
    }
    compare_with_boost(text);
    Lexer lexer(text);
    std::string_view raw;
    lexer.skip_space();
    CHECK(lexer.raw(raw) && lexer.finish());
    CHECK(*canonicalize(raw) == *direct);
    CHECK(canonical(*value) == *direct);
    CHECK(check(*value));
    const Result<Value> again = parse(*direct);
    CHECK(again);
    CHECK(equal(*again, *value));
    CHECK(canonical(*again) == *direct);
    CHECK(*canonicalize(*direct) == *direct);
    return 0;
}
