// Requests: how a stream is cut must not change what is read from it; what is read has no place
// where another server could see other requests.
#include "base/utf8.hpp"
#include "net/http.hpp"

#include <cstdlib>
#include <string>

namespace {

using dyad::net::Request;
using dyad::net::RequestReader;

void require(bool condition) {
    if (!condition) std::abort();
}

void check(const Request& request) {
    const bool all = request.method == "OPTIONS" && request.target == "*" && request.path == "*";
    require(all || (request.target.starts_with('/') && request.path.starts_with('/')));
    require(dyad::valid_utf8(request.path));
    require(request.path.find('\0') == std::string::npos);
    int hosts = 0;
    int lengths = 0;
    int encodings = 0;
    for (const auto& [name, value] : request.headers) {
        hosts += name == "host";
        lengths += name == "content-length";
        encodings += name == "transfer-encoding";
        for (const char c : name + value)
            require((static_cast<unsigned char>(c) >= 0x20 || c == '\t') && c != 0x7f);
    }
    require(hosts == 1 && lengths + encodings <= 1);
    if (lengths + encodings == 0 || request.upgrade) require(request.body.empty());
    for (const auto& [name, value] : request.query)
        require(dyad::valid_utf8(name) && dyad::valid_utf8(value));
}

std::string read(std::string_view stream, std::size_t step) {
    std::string log;
    RequestReader reader;
    for (std::size_t at = 0; at < stream.size(); at += step) {
        std::string_view bytes = stream.substr(at, step);
        while (!bytes.empty()) {
            const auto state = reader.feed(bytes);
            // Whether too much has come or it is malformed can depend on how much is seen at once.
            if (!state) return log + "!";
            if (*state != RequestReader::State::complete) {
                require(bytes.empty());
                continue;
            }
            const Request request = reader.take();
            check(request);
            log += request.method + " " + request.target + " " + (request.upgrade ? "u" : "") +
                   (request.keep_alive ? "k" : "") + std::to_string(request.body.size()) + ":" +
                   request.body + "\n";
        }
    }
    return log;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
    if (size == 0) return 0;
    const std::string_view stream(reinterpret_cast<const char*>(bytes) + 1, size - 1);
    const std::string whole = read(stream, size);
    const std::string single = read(stream, 1);
    const std::string pieces = read(stream, bytes[0] + 1U);
    // A stream that is bad somewhere may be refused before its end has come, or after.
    const auto good = [](const std::string& log) {
        return log.substr(0, log.size() - log.ends_with('!'));
    };
    require(good(single) == good(whole) && good(pieces) == good(whole));
    return 0;
}
