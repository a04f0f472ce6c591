// Any bytes as a response: what is read of them does not depend on how they were cut up.
#include "base/check.hpp"
#include "net/http_response.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace {

struct Read {
    std::string body;
    int status = 0;
    bool complete = false;
    bool failed = false;

    bool operator==(const Read&) const = default;
};

Read read(std::string_view text, std::size_t at_once) {
    Read out;
    dyad::net::ResponseReader reader;
    while (!text.empty() && !out.complete && !out.failed) {
        std::string_view part = text.substr(0, at_once);
        text.remove_prefix(part.size());
        const auto fed = reader.feed(part, out.body);
        out.failed = !fed;
        out.complete = fed && *fed;
    }
    out.status = reader.status();
    if (out.failed) out.body.clear();  // how much of it came before is the cut's
    return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(bytes), size);
    const Read whole = read(text, std::max<std::size_t>(size, 1));
    CHECK(read(text, 1) == whole);
    CHECK(read(text, 7) == whole);
    return 0;
}
